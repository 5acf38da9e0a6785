"""Calls as Parquet."""

from collections.abc import AsyncIterable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .._files import StrPath, written_whole
from ..models import Cdr
from .arrow import arrow, call_schema, record_batch
from .writing import Write, written

if TYPE_CHECKING:
    from pyarrow import RecordBatch  # type: ignore[import-untyped]

# A row group has a fixed cost: for each column its own dictionary, statistics, and an entry in the footer, which is
# kept in memory to the end. Groups the size of a page would make a file several times larger and slow to open; groups
# this size cost next to nothing, and take some 10 MB.
_ROW_GROUP: Final = 20_000


async def to_parquet(cdrs: AsyncIterable[Cdr], path: StrPath) -> int:
    """
    Write calls as Parquet, with the columns of `to_arrow`, in row groups of some 20,000 calls.

    Needs `infin8-async[arrow]`. Written whole or not at all, as by `to_jsonl`.

    Args:
        cdrs: The calls, as for `to_jsonl`. Never more than a row group of them is in memory.

        path: The file. One that is there is replaced.

    Returns:
        How many calls were written.

    Raises:
        ImportError: pyarrow is missing. Nothing has been read.

        OSError: The file can't be written; `filename` is *path*.
    """
    return await written(cdrs, parquet_writer(path))


@contextmanager
def parquet_writer(path: StrPath) -> Generator[Write]:
    """The file of `to_parquet`, written when the block is left."""
    pa, schema = arrow(), call_schema()
    group: list[RecordBatch] = []

    def write(cdrs: Sequence[Cdr]) -> None:
        group.append(record_batch(schema, cdrs))
        if sum(map(len, group)) >= _ROW_GROUP:
            end_group()

    def end_group() -> None:
        if group:
            file.write_table(pa.Table.from_batches(group))
            group.clear()

    with written_whole(path) as out, pa.parquet.ParquetWriter(out, schema) as file:
        yield write
        end_group()
