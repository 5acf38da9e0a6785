"""Pulls one partition, on whichever worker runs it."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, TypeVar

import pandas as pd  # type: ignore[import-untyped]  # its types are a package of their own
import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # as above
from attrs import field, frozen

from ..errors import ResponseError
from ..export.arrow import call_schema, record_batch
from ..models import CdrQuery, Credentials
from ..session import Infin8Session
from ..stream import CdrStream
from ._places import place

INDEX: Final = "starttime"
_TEXT: Final = pd.StringDtype("pyarrow")  # the type that Dask gives to texts
_OTHER_TIMES: Final = ("answertime", "endtime")  # that stand in for a missing dial time
_T = TypeVar("_T")


@frozen
class Slice:
    """
    What one partition holds.

    Attributes:
        window: What is pulled.

        start: The first dial time of the partition's calls.

        end: Just after the last one.

        is_last: A call that was dialled at *end* is in this partition, too.
    """

    window: CdrQuery
    start: datetime
    end: datetime
    is_last: bool


@frozen(kw_only=True)
class Reader:
    """
    Pulls partitions. It travels to the workers with each of them.

    Attributes:
        token: Tells this reader from all others: a second one reads the platform anew.

        credentials: Who is asking; None for the credentials in the environment of each worker.

        base_url: Where the platform is; None for its own address.

        concurrency: The most requests in flight for one partition.

        max_rate: Requests a second for one partition at the most; None for no such limit.

        places: How many partitions of an account are pulled at once at the most.

        by_dial_time: The platform compares the dial time of a call with a window. If not, all calls of a window are
            kept, because they are shuffled to their partitions later on.
    """

    token: str
    credentials: Credentials | None = field(repr=False)
    base_url: str | None
    concurrency: int
    max_rate: float | None
    places: int
    by_dial_time: bool

    def __dask_tokenize__(self) -> str:
        return self.token  # what keys are made of: nothing of the credentials

    def __call__(self, part: Slice, *, columns: Sequence[str]) -> pd.DataFrame:
        """
        Pull a partition.

        Raises:
            Infin8Error: It could not be pulled as a whole. The task can be run again.
        """
        credentials = self.credentials or Credentials.from_env()
        account = hashlib.sha256(f"{self.base_url} {credentials.appid}".encode()).hexdigest()[:16]
        with place(account, self.places):
            try:
                table = run(self._pull(credentials, part, columns))
            finally:
                if self.max_rate is not None:  # whoever has this place next does not follow too soon
                    time.sleep(1 / self.max_rate)
        return frame(table, columns)

    async def _pull(self, credentials: Credentials, part: Slice, columns: Sequence[str]) -> pa.Table:
        wanted = list(dict.fromkeys((INDEX, "id", *columns, *(() if self.by_dial_time else _OTHER_TIMES))))
        keep = _owned if self.by_dial_time else _indexed
        async with (
            session(
                credentials, base_url=self.base_url, concurrency=self.concurrency, max_rate=self.max_rate
            ) as pulling,
            pulling.cdrs(part.window) as stream,
            aclosing(_arrow(stream, wanted)) as batches,
        ):
            kept = [keep(batch, part) async for batch in batches]
        return pa.Table.from_batches(kept, pa.schema([call_schema().field(name) for name in wanted]))


def session(
    credentials: Credentials, *, base_url: str | None, concurrency: int, max_rate: float | None
) -> Infin8Session:
    """A session; without a *base_url*, of the platform's own address."""
    if base_url is None:
        return Infin8Session(credentials, concurrency=concurrency, max_rate=max_rate)
    return Infin8Session(credentials, base_url=base_url, concurrency=concurrency, max_rate=max_rate)


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end, in a thread of its own if an event loop runs in this one, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def frame(table: pa.Table, columns: Sequence[str]) -> pd.DataFrame:
    """A table as the frame of a partition: sorted, indexed by dial time, with constant types."""
    table = table.sort_by([(INDEX, "ascending"), ("id", "ascending")]).select([INDEX, *columns])
    return table.to_pandas(types_mapper={pa.string(): _TEXT}.get).set_index(INDEX)


def empty(columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A partition without calls; with all columns if none are given."""
    table = call_schema().empty_table()
    return frame(table, [name for name in table.column_names if name != INDEX] if columns is None else columns)


async def _arrow(stream: CdrStream, columns: Sequence[str]) -> AsyncGenerator[pa.RecordBatch]:
    async with aclosing(stream.pages()) as pages:
        async for page in pages:
            yield record_batch(call_schema(), page.cdrs).select(columns)


def _owned(batch: pa.RecordBatch, part: Slice) -> pa.RecordBatch:
    """
    The calls of a batch that were dialled in the partition's time.

    Raises:
        ResponseError: A call was not dialled in the window that was asked for.
    """
    dialled = batch.column(INDEX)
    if not pc.all(pc.fill_null(_between(dialled, *part.window.ends, is_last=True), fill_value=False)).as_py():
        detail = "the platform does not filter by dial time, unlike when the partitions were planned: plan them anew"
        raise ResponseError(200, None, detail)
    return batch.filter(_between(dialled, part.start, part.end, is_last=part.is_last))


def _indexed(batch: pa.RecordBatch, part: Slice) -> pa.RecordBatch:
    """All calls of a batch, each with a dial time for the index, whether it has one or not."""
    start, end = (pa.scalar(time, batch.schema.field(INDEX).type) for time in (part.start, part.end))
    dialled = pc.coalesce(*(batch.column(name) for name in (INDEX, *_OTHER_TIMES)), end)
    dialled = pc.if_else(pc.less(dialled, start), start, dialled)
    dialled = pc.if_else(pc.greater(dialled, end), end, dialled)
    return batch.set_column(batch.schema.get_field_index(INDEX), INDEX, dialled)


def _between(times: pa.Array, start: datetime, end: datetime, *, is_last: bool) -> pa.Array:
    before = pc.less_equal if is_last else pc.less
    return pc.and_(
        pc.greater_equal(times, pa.scalar(start, times.type)),
        before(times, pa.scalar(end, times.type)),
    )
