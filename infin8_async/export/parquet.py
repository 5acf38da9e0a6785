"""Calls as Parquet."""

from collections.abc import AsyncIterable, Generator
from contextlib import contextmanager
from typing import Final

from .._arrow import arrow, call_schema
from .._files import StrPath, written_whole
from ..models import Cdr
from .arrow import columns_of_calls
from .writing import Write, written

# Every row group costs something: a dictionary and statistics for each column, and an entry in the footer, which stays
# in memory until the end. With groups as small as a page, a file is several times larger and slow to open. With groups
# of this size the cost is negligible, and a group takes about 10 MB.
ROW_GROUP: Final = 20_000


async def to_parquet(cdrs: AsyncIterable[Cdr], path: StrPath) -> int:
    """
    Write calls as Parquet, with the columns of `to_arrow`, in row groups of about 20,000 calls.

    Needs `infin8-async[arrow]`. Like the file of `to_jsonl`, it is written completely or not at all.

    Args:
        cdrs: The calls, as for `to_jsonl`. At most two row groups of them are in memory: one is written while the next
            is read.

        path: The file. An existing one is replaced.

    Returns:
        How many calls were written.

    Raises:
        ImportError: pyarrow is missing. Nothing has been read.

        OSError: The file can't be written; `filename` is *path*.

        ValueError: A number of more than 64 bits, or half a character. The message names the call and the field.
    """
    return await written(columns_of_calls(cdrs), parquet_writer(path), together=ROW_GROUP)


@contextmanager
def parquet_writer(path: StrPath) -> Generator[Write]:
    """The file of `to_parquet`, each writing a row group of its record batches. It appears when the block is left."""
    pa = arrow()
    with written_whole(path) as out, pa.parquet.ParquetWriter(out, call_schema()) as file:
        yield lambda batches: file.write_table(pa.Table.from_batches(batches))
