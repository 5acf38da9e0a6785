"""Calls as a `pyarrow.Table`."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from .._arrow import arrow, call_schema, record_batch
from ..models import Cdr
from ..stream import CdrStream
from .writing import batches_of, finished

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table


async def to_arrow(cdrs: AsyncIterable[Cdr]) -> "Table":
    """
    Read calls into a table in memory: one column a field, with the platform's names.

    `id` and the seconds are int64. Times are timestamp[ms, tz=+08:00], null if there is none. All else is utf8, "" if
    the platform sends none. `extra` is JSON text, null if it is empty. Needs `infin8-async[arrow]`.

    Args:
        cdrs: The calls, as for `to_jsonl`.

    Raises:
        ImportError: pyarrow is missing. Nothing has been read.

        ValueError: A number of more than 64 bits, or half a character. The message names the call and the field.
    """
    schema = await finished(call_schema)
    async with aclosing(columns_of_calls(cdrs)) as batches:
        return arrow().Table.from_batches([batch async for batch in batches], schema)


async def columns_of_calls(cdrs: AsyncIterable[Cdr]) -> "AsyncGenerator[RecordBatch]":
    """The calls as record batches: those of a stream, else up to 1,000 calls each."""
    schema = await finished(call_schema)
    async with aclosing(batches_of(cdrs, CdrStream.arrow)) as batches:
        async for batch in batches:
            is_made = isinstance(batch, arrow().RecordBatch)
            yield batch if is_made else await finished(partial(record_batch, schema, batch))
