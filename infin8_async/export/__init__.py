"""Calls to JSON Lines, CSV, Parquet and a `pyarrow.Table`."""

import asyncio
import csv
import json
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing, asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from operator import attrgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from attrs import fields

from .._files import StrPath, written_whole
from ..models import Cdr
from ..stream import CdrStream

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema, Table  # type: ignore[import-untyped]

__all__ = ["to_arrow", "to_csv", "to_jsonl", "to_parquet"]

Write = Callable[[Sequence[Cdr]], object]
"""Writes some calls, and blocks meanwhile."""

AsyncWrite = Callable[[Sequence[Cdr]], Awaitable[object]]
"""Writes some calls without holding up the loop."""

# A row group has a fixed cost: for each column its own dictionary, statistics, and an entry in the footer, which is
# kept in memory to the end. Groups the size of a page would make a file several times larger and slow to open; groups
# this size cost next to nothing, and take some 10 MB.
_ROW_GROUP: Final = 20_000
_BATCH: Final = 1000  # calls that go to the thread at once, where the source has no pages

_FIELDS: Final = tuple(field.name for field in fields(Cdr) if field.name != "extra")
_CSV_HEADER: Final = ",".join((*_FIELDS, "extra")).encode() + b"\n"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # how a text begins that a spreadsheet takes for a formula

_values: Final = attrgetter(*_FIELDS)
_encoder: Final = msgspec.json.Encoder()
_R = TypeVar("_R")


async def to_jsonl(cdrs: AsyncIterable[Cdr], path: StrPath) -> int:
    """
    Write calls as JSON Lines: one object a line under the platform's names, times in ISO 8601 with +08:00.

    What else the platform sent is an object under `extra`, which a call without has not. The file appears under its
    name when the last call is written. After an error or a cancellation before that, what was there is there still.
    Encoding and writing are done in a thread, and a cancellation waits for it.

    Args:
        cdrs: The calls: a stream, or whatever else gives them one by one. It is read to its end and not closed.

        path: The file. One that is there is replaced.

    Returns:
        How many calls were written.

    Raises:
        OSError: The file can't be written; `filename` is *path*.
    """
    return await _written(cdrs, jsonl_writer(path))


async def to_csv(cdrs: AsyncIterable[Cdr], path: StrPath, *, spreadsheet: bool = False) -> int:
    """
    Write calls as CSV in UTF-8, with a line of headings, times in ISO 8601 with +08:00.

    The last column is `extra`, as JSON. CSV has no null: what is missing is empty. Read numbers of phones and
    extensions as text, or their leading zeros are lost. Written whole or not at all, as by `to_jsonl`.

    Args:
        cdrs: The calls, as for `to_jsonl`.

        path: The file. One that is there is replaced.

        spreadsheet: Put a `'` before each text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return. A
            spreadsheet then shows the number +8613800000000, and runs no formula that a caller made the platform send.
            Without it every value reads back equal.

    Returns:
        How many calls were written.

    Raises:
        OSError: The file can't be written; `filename` is *path*.
    """
    return await _written(cdrs, csv_writer(path, spreadsheet=spreadsheet))


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
    return await _written(cdrs, parquet_writer(path))


async def to_arrow(cdrs: AsyncIterable[Cdr]) -> "Table":
    """
    Read calls into a table in memory, one column a field under the platform's names.

    `id` and the seconds are int64; times are timestamp[ms, tz=+08:00], null where there is none; all else is utf8, ""
    where the platform sends none. `extra` is JSON text, null where there is none. Needs `infin8-async[arrow]`.

    Args:
        cdrs: The calls, as for `to_jsonl`.

    Raises:
        ImportError: pyarrow is missing. Nothing has been read.
    """
    schema = await _finished(_schema)
    async with aclosing(_batches(cdrs)) as batches:
        columns = [await _finished(partial(_record_batch, schema, batch)) async for batch in batches]
    return arrow().Table.from_batches(columns, schema)


def json_lines(cdrs: Sequence[Cdr]) -> bytes:
    """One object a line under the platform's names, and under `extra` what else the platform sent, if anything."""
    return _encoder.encode_lines(
        [dict(zip(_FIELDS, _values(cdr), strict=True)) | ({"extra": cdr.extra} if cdr.extra else {}) for cdr in cdrs]
    )


def csv_lines(cdrs: Sequence[Cdr], *, spreadsheet: bool = False) -> bytes:
    """One call a line, and in a last column, as JSON, what else the platform sent, if anything."""
    lines: list[str] = []
    # Readers take a lone \r for the end of a row, so that a text with one needs quotes. Python 3.11 gives it them only
    # where \r belongs to its own ends of rows.
    rows = csv.writer(SimpleNamespace(write=lambda line: lines.append(line[:-2] + "\n")), lineterminator="\r\n")
    for cdr in cdrs:
        values = [value.isoformat() if isinstance(value, datetime) else value for value in _values(cdr)]
        if spreadsheet:
            values = [f"'{v}" if isinstance(v, str) and v.startswith(_FORMULA) else v for v in values]
        rows.writerow((*values, _extra(cdr)))
    return "".join(lines).encode()


@contextmanager
def jsonl_writer(path: StrPath) -> Generator[Write]:
    """The file of `to_jsonl`, written when the block is left."""
    with written_whole(path) as out:
        yield lambda cdrs: out.write(json_lines(cdrs))


@contextmanager
def csv_writer(path: StrPath, *, spreadsheet: bool = False) -> Generator[Write]:
    """The file of `to_csv`, written when the block is left."""
    with written_whole(path) as out:
        out.write(_CSV_HEADER)
        yield lambda cdrs: out.write(csv_lines(cdrs, spreadsheet=spreadsheet))


@contextmanager
def parquet_writer(path: StrPath) -> Generator[Write]:
    """The file of `to_parquet`, written when the block is left."""
    pa, schema = arrow(), _schema()
    group: list[RecordBatch] = []

    def write(cdrs: Sequence[Cdr]) -> None:
        group.append(_record_batch(schema, cdrs))
        if sum(map(len, group)) >= _ROW_GROUP:
            end_group()

    def end_group() -> None:
        if group:
            file.write_table(pa.Table.from_batches(group))
            group.clear()

    with written_whole(path) as out, pa.parquet.ParquetWriter(out, schema) as file:
        yield write
        end_group()


@asynccontextmanager
async def in_threads(file: AbstractContextManager[Write]) -> AsyncGenerator[AsyncWrite]:
    """Open, write and finish a file in threads, so that the loop goes on meanwhile."""
    with ExitStack() as opened:  # after an error or a cancellation it is this that removes what was begun
        write = await _finished(partial(opened.enter_context, file))
        yield lambda cdrs: _finished(partial(write, cdrs))
        await _finished(opened.close)


async def _written(cdrs: AsyncIterable[Cdr], file: AbstractContextManager[Write]) -> int:
    number = 0
    async with in_threads(file) as write, aclosing(_batches(cdrs)) as batches:
        async for batch in batches:
            await write(batch)
            number += len(batch)
    return number


async def _batches(cdrs: AsyncIterable[Cdr]) -> AsyncGenerator[Sequence[Cdr]]:
    """The calls as they come, many at once."""
    if isinstance(cdrs, CdrStream):
        async with aclosing(cdrs.pages()) as pages:
            async for page in pages:
                yield page.cdrs
        return
    batch: list[Cdr] = []
    async for cdr in cdrs:
        batch.append(cdr)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _finished(work: Callable[[], _R]) -> _R:
    """Await work in a thread. A cancellation comes through when the thread is done: it may be writing to a file."""
    # A bare future: the task of `asyncio.to_thread` is itself cancelled when `asyncio.run` ends.
    done = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait((done,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        done.exception()
        raise cancelled
    return done.result()


def arrow() -> Any:  # noqa: ANN401  # pyarrow has no types
    """
    The module `pyarrow`, with its Parquet part.

    Raises:
        ImportError: It is not installed; the message says what to do.
    """
    try:
        # It belongs to an extra, and takes its time.
        import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise ImportError("Arrow and Parquet need: pip install 'infin8-async[arrow]'", name=error.name) from error
    return pyarrow


def _schema() -> "Schema":
    pa = arrow()
    types: dict[object, object] = {int: pa.int64(), datetime | None: pa.timestamp("ms", tz="+08:00")}
    return pa.schema([(field.name, types.get(field.type, pa.string())) for field in fields(Cdr)])


def _record_batch(schema: "Schema", cdrs: Sequence[Cdr]) -> "RecordBatch":
    pa = arrow()
    columns = (*zip(*map(_values, cdrs), strict=True), [_extra(cdr) or None for cdr in cdrs])
    return pa.record_batch([pa.array(*column) for column in zip(columns, schema.types, strict=True)], schema=schema)


def _extra(cdr: Cdr) -> str:
    return json.dumps(dict(cdr.extra), ensure_ascii=False) if cdr.extra else ""
