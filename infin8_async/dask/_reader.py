"""Pulls one partition, on whichever worker runs it."""

import asyncio
import hashlib
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from attrs import field, frozen

from .._arrow import call_schema
from ..errors import ResponseError
from ..models import BEIJING, CdrQuery, Credentials
from ..session import Infin8Session, SessionOptions
from ._places import place

INDEX: Final = "starttime"
# What the columns of Arrow become. Left alone, times have a zone of pytz where that is installed.
_TYPES: Final = {
    pa.string(): pd.StringDtype("pyarrow"),  # as Dask has texts
    pa.timestamp("ms", tz="+08:00"): pd.DatetimeTZDtype("ms", BEIJING),
}
_OTHER_TIMES: Final = ("answertime", "endtime")  # that stand in for a missing dial time
_T = TypeVar("_T")


@frozen
class Slice:
    """
    What one partition holds.

    Attributes:
        window: What is pulled.

        start: Where the dial times of its calls begin.

        end: Where they end.

        is_last: A call that was dialled at *end* is in this partition, and not in the next one.
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

        options: Of the session that pulls a partition.

        places: How many partitions of an account are pulled at once at the most.

        by_dial_time: The platform compares the dial time of a call with a window. If not, all calls of a window are
            kept, because they are shuffled to their partitions later on.
    """

    token: str
    credentials: Credentials | None = field(repr=False)
    options: SessionOptions
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
        account = hashlib.sha256(f"{self.options.get('base_url')} {credentials.appid}".encode()).hexdigest()[:16]
        with place(account, self.places):
            try:
                table = run(self._pull(credentials, part, columns))
            finally:
                if rate := self.options.get("max_rate"):
                    time.sleep(1 / rate)  # the next partition in this place must not follow too soon
        return frame(table, columns)

    async def _pull(self, credentials: Credentials, part: Slice, columns: Sequence[str]) -> pa.Table:
        keep, needed = (_owned, ()) if self.by_dial_time else (_indexed, _OTHER_TIMES)
        names = [INDEX, "id", *needed, *columns]
        async with (
            Infin8Session(credentials, **self.options) as session,
            session.cdrs(part.window) as stream,
            aclosing(stream.arrow(columns=names)) as batches,
        ):
            kept = [keep(batch, part) async for batch in batches]
        return pa.Table.from_batches(kept, call_schema(names))


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
    return table.to_pandas(types_mapper=_TYPES.get).set_index(INDEX)


def empty(columns: Sequence[str] | None = None) -> pd.DataFrame:
    """
    A partition without calls, with some of the columns or with all.

    Raises:
        ValueError: There is no such column.
    """
    names = call_schema(columns).names
    table = call_schema([INDEX, "id", *names]).empty_table()
    return frame(table, [name for name in names if name != INDEX])


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
