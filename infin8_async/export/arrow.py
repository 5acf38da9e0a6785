"""Calls as a `pyarrow.Table`."""

from collections.abc import AsyncIterable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import fields

from .._extras import requires
from ..models import Cdr, values_of
from .columns import extra_text
from .writing import batches_of, finished

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema, Table  # type: ignore[import-untyped]


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
    async with aclosing(batches_of(cdrs)) as batches:
        columns = [await finished(partial(record_batch, schema, batch)) async for batch in batches]
    return arrow().Table.from_batches(columns, schema)


def arrow() -> Any:  # noqa: ANN401  # pyarrow has no types
    """
    The module `pyarrow`, with its Parquet part.

    Raises:
        ImportError: It is not installed. The message says what to install.
    """
    with requires("arrow", "pyarrow", what="Arrow and Parquet need"):
        import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415  # it is optional, and slow to import
    return pyarrow


def call_schema() -> "Schema":
    """The columns of `to_arrow`."""
    pa = arrow()
    types: dict[object, object] = {int: pa.int64(), datetime | None: pa.timestamp("ms", tz="+08:00")}
    return pa.schema([(field.name, types.get(field.type, pa.string())) for field in fields(Cdr)])


def record_batch(schema: "Schema", cdrs: Sequence[Cdr]) -> "RecordBatch":
    """
    Calls as columns.

    Raises:
        ValueError: A number of more than 64 bits, or half a character. The message names the call and the field.
    """
    columns = (*zip(*map(values_of, cdrs), strict=True), [extra_text(cdr) or None for cdr in cdrs])
    arrays = [_array(field, values, cdrs) for field, values in zip(schema, columns, strict=True)]
    return arrow().record_batch(arrays, schema=schema)


def _array(field: Any, values: Sequence[object], cdrs: Sequence[Cdr]) -> Any:  # noqa: ANN401  # pyarrow has no types
    pa = arrow()
    try:
        return pa.array(values, field.type)
    except (OverflowError, UnicodeEncodeError):
        for cdr, value in zip(cdrs, values, strict=True):
            try:
                pa.scalar(value, field.type)
            except (OverflowError, UnicodeEncodeError):
                misfit = cdr.id
    raise ValueError(f"call {misfit}: its {field.name} does not fit the column's type, {field.type}")
