"""Plans partitions, and makes a data frame of them."""

import os
import uuid
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import dask.dataframe as dd
import pandas as pd

from ..models import BEIJING, CdrQuery, Credentials, check_number
from ..session import Infin8Session, SessionOptions
from ._compared import around, goes_by_dial_time
from ._reader import INDEX, Reader, Slice, empty, run

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=BEIJING)  # no call was dialled before it


def read_cdrs(
    query: CdrQuery,
    *,
    calls_per_partition: int = 50_000,
    columns: Sequence[str] | None = None,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    concurrency: int = 8,
    max_rate: float | None = None,
    partitions_at_once: int = 2,
) -> dd.DataFrame:
    """
    Calls as a Dask DataFrame. Its index is the dial time, `starttime`; it is sorted by it, and its divisions are known.

    The partitions are planned here and now, by counting (see `Infin8Session.plan`); in a coroutine, call this function
    in a thread. Each partition is pulled when it is computed, by whichever worker computes it, with a session of its
    own. Every call that the platform gives for the query's window is in exactly one partition, whichever bounds the
    platform includes. A partition that can't be pulled as a whole fails as a task, with the error that
    `Infin8Session.cdrs` documents, and can be computed again.

        calls = read_cdrs(CdrQuery.last(timedelta(days=30)))
        calls.groupby(calls.index.dt.hour)["billsec"].sum().compute()

    The columns are those of `infin8_async.export.to_arrow`. In every partition, also in an empty one, numbers are
    int64, times are datetime64[ms, UTC+08:00], and all else is string[pyarrow]. Only what is computed is decoded: the
    columns that are given, or those that Dask finds are needed.

    The platform does not document which time of a call it compares with a window; a page and two seconds of calls are
    read to find out. If it is the dial time, a call without one is given for no window, so it is in no partition. If it
    is another time, calls are pulled by that time, and then shuffled to the partitions of their dial times:

    - Calls that were dialled before the query's window are in the first partition, which begins with 1970.
    - A call without a dial time is indexed by its answer time, or else by its end time.
    - A dial time after the query's window is indexed as its end, one before 1970 as 1970.
    - *columns* reach the decoder, what Dask finds does not.

    On a cluster (`dask.distributed`), the partitions of an account that are pulled at once are counted for the whole
    cluster; with the local schedulers, for this host. A partition that waits for its turn occupies a thread of its
    worker. The turns are locks of the cluster: a worker that hangs for half a minute loses its own, and those of a
    worker that dies are free after that time (Dask's `distributed.scheduler.locks.lease-timeout`).

    Args:
        query: The window of time, and what to filter by. Without an end, it ends now.

        calls_per_partition: How many calls a partition is meant to hold. It may hold a quarter more, or all calls of
            one second.

        columns: The columns besides the index; None for all.

        credentials: Who is asking. If not given, this process and each worker read their own environment
            (`Credentials.from_env`), and no key travels. If given, they travel with the tasks, but are in no key or
            label of a task, nor in any `repr`.

        base_url: Where the platform is. If not given, what `INFIN8_BASE_URL` says here; else the platform's address.

        concurrency: The most requests in flight, for all partitions that are pulled at once. Each gets an equal share.

        max_rate: The most requests a second, for all of them as well; None for no such limit.

        partitions_at_once: The most partitions of one account that are pulled at once. It is lowered to *concurrency*.

    Raises:
        ValueError: There is no such column, a number makes no sense, or credentials are missing.

        Infin8Error: The platform did not give a count.
    """
    check_number("calls_per_partition", calls_per_partition, least=1, whole=True)
    check_number("concurrency", concurrency, least=1, whole=True)
    check_number("partitions_at_once", partitions_at_once, least=1, whole=True)
    names = list(empty(columns).columns)
    query = query.until_now()
    options: SessionOptions = {"concurrency": concurrency, "max_rate": max_rate}
    if base_url or (base_url := os.environ.get("INFIN8_BASE_URL")):
        options["base_url"] = base_url

    async def plan() -> tuple[list[CdrQuery], bool]:
        async with Infin8Session(credentials or Credentials.from_env(), **options) as session:
            windows = await session.plan(query, calls=calls_per_partition)
            return windows, await goes_by_dial_time(session, query)

    windows, by_dial_time = run(plan())
    places = min(partitions_at_once, concurrency)
    share: SessionOptions = {"concurrency": concurrency // places, "max_rate": max_rate and max_rate / places}
    reader = Reader(
        token=uuid.uuid4().hex,
        credentials=credentials,
        options=options | share,
        places=places,
        by_dial_time=by_dial_time,
    )
    borders = [*(window.starttime for window in windows), query.ends[1]]
    return _dialled(reader, query, borders, names) if by_dial_time else _shuffled(reader, query, borders, names)


def _dialled(reader: Reader, query: CdrQuery, borders: Sequence[datetime], names: list[str]) -> dd.DataFrame:
    """A partition for each window of dial times."""
    parts = [Slice(around(query, start, end), start, end, end == borders[-1]) for start, end in pairwise(borders)]
    return _from_map(reader, parts, names, divisions=borders)


def _shuffled(reader: Reader, query: CdrQuery, borders: Sequence[datetime], names: list[str]) -> dd.DataFrame:
    """A partition for each window of whichever time the platform compares, shuffled to partitions of dial times."""
    first, last = min(_EPOCH, borders[0]), borders[-1]
    parts = [Slice(around(query, start, end), first, last, is_last=True) for start, end in pairwise(borders)]
    pulled = _from_map(reader, parts, list(dict.fromkeys(("id", *names))))
    divisions = _timestamps([first, *borders[1:]])
    dialled = pulled.reset_index().set_index(INDEX, divisions=divisions)
    once: dd.DataFrame = dialled.map_partitions(_once, names, meta=empty(names))
    return once


def _from_map(
    reader: Reader, parts: list[Slice], names: list[str], *, divisions: Sequence[datetime] | None = None
) -> dd.DataFrame:
    known = None if divisions is None else _timestamps(divisions)
    frame: dd.DataFrame = dd.from_map(reader, parts, meta=empty(names), divisions=known, label="read-cdrs")
    return frame


def _timestamps(times: Sequence[datetime]) -> tuple[pd.Timestamp, ...]:
    return tuple(map(pd.Timestamp, times))


def _once(calls: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """A shuffled partition, each call once, sorted."""
    calls = calls[~calls["id"].duplicated()]
    return calls.reset_index().sort_values([INDEX, "id"]).set_index(INDEX)[names]
