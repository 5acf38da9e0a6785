"""Partitions: what is in them, on any platform; where the key travels; and how hard the platform is pressed."""

import asyncio
import importlib
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial, reduce
from itertools import pairwise
from operator import add

import cloudpickle
import dask
import pandas as pd
import pyarrow as pa
import pytest
from profiles import THOROUGH, cases, thorough_only

from infin8_async import (
    BEIJING,
    Cdr,
    CdrQuery,
    Credentials,
    IncompleteResultError,
    Infin8Session,
    PermissionDeniedError,
)
from infin8_async.dask import read_cdrs
from infin8_async.export import to_arrow
from infin8_async.figures import figures
from infin8_async.models import platform_text
from infin8_async.testing import Sandbox

SECOND = timedelta(seconds=1)
KEY = "a-key-that-nobody-may-see"
NOON = {"starttime": "2020-06-10 12:00:00", "endtime": "2020-06-12 11:59:59"}
WINDOW = CdrQuery(**NOON)
TIME = pd.DatetimeTZDtype("ms", BEIJING)
TEXT = pd.StringDtype("pyarrow")


@pytest.fixture(autouse=True)
def _lock_files(tmp_path, monkeypatch):
    """The files that count the partitions of this host."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


async def read(sandbox, query=WINDOW, **options):
    """Plan in a thread: the sandbox answers in this one."""
    options = {"calls_per_partition": 100, "credentials": sandbox.credentials, "base_url": sandbox.base_url} | options
    return await asyncio.to_thread(read_cdrs, query, **options)


async def compute(*collections, scheduler="sync"):
    return await asyncio.to_thread(partial(dask.compute, *collections, scheduler=scheduler))


async def partitions(frame):
    """Each partition of a frame, after a look at whether its divisions and types are true."""
    parts = await compute(*frame.to_delayed())
    assert frame.known_divisions
    for part, (start, end) in zip(parts, pairwise(frame.divisions), strict=True):
        assert part.index.is_monotonic_increasing
        assert all(start <= time for time in part.index)
        assert all(time < end or (time == end == frame.divisions[-1]) for time in part.index)
        assert part.dtypes.to_dict() == frame.dtypes.to_dict()
        assert (part.index.name, part.index.dtype) == ("starttime", TIME)
    return parts


def ids(parts):
    return sorted(call for part in parts for call in part["id"])


PLATFORMS = [
    (bounds, compares) for compares in ("starttime", "answertime", "endtime") for bounds in ("()", "[]", "[)", "(]")
]


@pytest.mark.parametrize(("bounds", "compares"), PLATFORMS if THOROUGH else PLATFORMS[:2] + PLATFORMS[-3:-1])
async def test_each_call_of_the_window_is_in_one_partition_whatever_the_platform_compares(bounds, compares):
    async with Sandbox(900, days=3, bounds=bounds, compares=compares) as sandbox:
        frame = await read(sandbox)
        assert frame.npartitions >= (3 if compares == "answertime" else 5)
        ends = (datetime(2020, 6, 10, 12), datetime(2020, 6, 12, 11, 59, 59))
        for border in (*ends, *(division.to_pydatetime() for division in frame.divisions[1:-1])):
            # Calls that are dialled, answered and ended in the seconds around a border.
            for start, end in ((-60, -1), (-1, -1), (-1, 0), (0, 0), (0, 1), (-60, 60), (1, 60)):
                dialled, ended = (platform_text(border + seconds * SECOND) for seconds in (start, end))
                sandbox.add_call(starttime=dialled, answertime=ended, endtime=ended)
        assert ids(await partitions(frame)) == sorted(sandbox.ids(**NOON))


async def test_a_partition_has_the_columns_of_to_arrow_and_the_same_types_without_calls():
    async with Sandbox(200, days=3) as sandbox:
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session:
            table = await to_arrow(session.cdrs(WINDOW))
        [part] = await partitions(await read(sandbox, calls_per_partition=1000))
        assert list(part) == [name for name in table.column_names if name != "starttime"]
        again = pa.Table.from_pandas(part.reset_index(), table.schema, preserve_index=False)
        assert again.to_pylist() == table.sort_by([("starttime", "ascending"), ("id", "ascending")]).to_pylist()
        [empty] = await partitions(await read(sandbox, CdrQuery.day(datetime(2021, 1, 1).date())))
        assert len(empty) == 0
        assert empty.dtypes.to_dict() == part.dtypes.to_dict()
        assert {part[name].dtype for name in ("answertime", "endtime", "aendtime")} == {TIME}
        assert {part[name].dtype for name in ("callnumber", "context", "extra")} == {TEXT}


async def test_a_crowded_second_is_one_partition():
    crowd = cases(50_000, 2_000)
    noon = datetime(2020, 6, 10, 12)
    async with Sandbox(0) as sandbox:
        for number in range(crowd):
            sandbox.add_call(starttime=str(noon), endtime=str(noon + number % 60 * SECOND))
        for number in range(20):
            sandbox.add_call(starttime=str(noon + (number - 10) * SECOND))
        window = CdrQuery("2020-06-10 11:59:00", "2020-06-10 12:01:00")
        parts = await partitions(await read(sandbox, window, calls_per_partition=10, columns=["id"]))
        assert ids(parts) == sorted(sandbox.ids())
        assert sorted(map(len, parts))[-2:] <= [12, crowd + 1]


@pytest.mark.parametrize(
    ("start", "end", "calls"),
    [
        ("2020-06-10 12:00:00", "2020-06-10 12:00:00", 1),
        ("2020-06-10 12:00:00", "2020-06-10 12:00:01", 2),
        ("0001-01-01 00:00:00", "9999-12-31 23:59:59", 20),
    ],
)
async def test_the_shortest_and_the_longest_windows(start, end, calls):
    noon = datetime(2020, 6, 10, 12)
    async with Sandbox(0) as sandbox:
        for number in range(20):
            sandbox.add_call(starttime=str(noon + (number - 10) * SECOND))
        frame = await read(sandbox, CdrQuery(start, end), calls_per_partition=10)
        assert (frame.npartitions > 1) == (calls > 12)
        assert len(ids(await partitions(frame))) == calls


async def test_a_call_without_a_dial_time_is_placed_by_its_other_times_if_the_platform_gives_it():
    async with Sandbox(300, days=3, compares="endtime") as sandbox:
        end = "2020-06-11 12:00:00"
        missing = sandbox.add_call(starttime="", answertime="", endtime=end)
        answered = sandbox.add_call(starttime="", answertime="2020-06-11 11:00:00", endtime=end)
        early = sandbox.add_call(starttime="1969-07-20 00:00:00", endtime=end)
        late = sandbox.add_call(starttime="2020-07-01 00:00:00", endtime=end)
        frame = await read(sandbox, columns=["billsec", "id"])
        parts = await partitions(frame)
        assert ids(parts) == sorted(sandbox.ids(**NOON))
        times = {call: str(time)[:19] for part in parts for call, time in zip(part["id"], part.index, strict=True)}
        assert times[missing] == end
        assert times[answered] == "2020-06-11 11:00:00"
        assert times[early] == "1970-01-01 00:00:00"
        assert times[late] == str(frame.divisions[-1])[:19]
        assert list(parts[0]) == list(frame.columns) == ["billsec", "id"]
    async with Sandbox(300, days=3) as sandbox:  # goes by dial time
        call = sandbox.add_call(starttime="", answertime="", endtime=end)
        assert call not in ids(await partitions(await read(sandbox)))


async def test_a_platform_that_turns_out_to_go_by_another_time_fails_the_partition():
    async with Sandbox(0, compares="endtime") as sandbox:
        frame = await read(sandbox)  # there are no calls that could show it
        sandbox.add_call(starttime="2020-06-01 12:00:00", endtime="2020-06-11 12:00:00")
        with pytest.raises(Exception, match="does not filter by dial time"):
            await compute(frame)


async def test_a_projection_reaches_the_decoder():
    async with Sandbox(300, days=3) as sandbox:
        sandbox.add_call(starttime="2020-06-11 12:00:00", duration="long")
        every = await read(sandbox)
        with pytest.raises(Exception, match="duration"):
            await compute(every)
        talked, count, numbers = await compute(every["billsec"].sum(), every["id"].count(), every[["callnumber"]])
        assert count == len(numbers) == len(sandbox.ids(**NOON))
        assert talked == sum(row["billsec"] for row in sandbox.rows(**NOON))
        some = await read(sandbox, columns=["callnumber", "starttime", "id"])
        assert list(some.columns) == ["callnumber", "id"]
        [part, *_] = await partitions(some)
        assert list(part) == ["callnumber", "id"]
        [index_only, *_] = await partitions(await read(sandbox, columns=[]))
        assert list(index_only) == []


async def test_figures_of_partitions_add_up_to_those_of_one_process():
    async with Sandbox(cases(9000), days=3) as sandbox:
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session:
            whole = await figures(session.cdrs(WINDOW))
        parts = await partitions(await read(sandbox, calls_per_partition=cases(1000)))

        async def calls(part):
            for row in part.drop(columns="extra").reset_index().to_dict("records"):
                yield Cdr(**{name: None if value is pd.NaT else value for name, value in row.items()})

        assert len(parts) > 5
        total = reduce(add, [await figures(calls(part)) for part in parts])
        for name in ("calls", "answered", "talk_time", "billed", "missed", "unreturned", "most_at_once", "by_hour"):
            assert getattr(total, name) == getattr(whole, name)


def texts(frame):
    """Whatever of a frame could be seen: its own texts, its keys, its graph."""
    frame = frame.optimize()
    graph = dict(frame.__dask_graph__())
    return " ".join(map(repr, (frame, frame.expr, frame.expr.tree_repr(), graph, list(graph))))


async def test_a_given_key_is_in_the_pickled_task_and_nowhere_else(monkeypatch):
    credentials = Credentials("app", KEY, username="me")
    async with Sandbox(300, days=3, credentials=credentials) as sandbox:
        frame = await read(sandbox)
        assert KEY not in texts(frame)
        assert KEY.encode() not in pickle.dumps(list(frame.optimize().__dask_graph__()))
        for task in frame.optimize().__dask_graph__().values():
            assert KEY.encode() in cloudpickle.dumps(task)
        assert ids(await partitions(frame)) == sorted(sandbox.ids(**NOON))
        other = await read(sandbox, credentials=Credentials("app", KEY, username="me"))
        assert not set(other.__dask_graph__()) & set(frame.__dask_graph__())  # it is read anew


async def test_a_key_of_the_environment_travels_nowhere(monkeypatch):
    async with Sandbox(300, days=3, credentials=Credentials("app", KEY, username="me")) as sandbox:
        for name, value in {"APPID": "app", "ACCESSKEY": KEY, "USERNAME": "me", "BASE_URL": sandbox.base_url}.items():
            monkeypatch.setenv(f"INFIN8_{name}", value)
        frame = await read(sandbox, credentials=None, base_url=None)
        assert KEY not in texts(frame)
        assert KEY.encode() not in cloudpickle.dumps((frame, dict(frame.optimize().__dask_graph__())))
        assert ids(await partitions(frame)) == sorted(sandbox.ids(**NOON))
        monkeypatch.delenv("INFIN8_ACCESSKEY")
        with pytest.raises(ValueError, match="INFIN8_ACCESSKEY"):
            await compute(frame)
        with pytest.raises(ValueError, match="INFIN8_ACCESSKEY"):
            await read(sandbox, credentials=None, base_url=None)


async def test_a_partition_that_cannot_be_whole_fails_and_can_be_computed_again():
    async with Sandbox(300, days=3) as sandbox:
        frame = await read(sandbox)
        *others, last = frame.to_delayed()
        row = b'{"id":7,"starttime":"2020-06-12 11:00:00"}'
        promise = b'{"code":1,"msg":"","data":{"data":[%b],"page":1,"per_page":1,"total":9}}'
        sandbox.fail(None, page=1, body=promise % row)
        with pytest.raises(IncompleteResultError) as caught:
            await compute(last)
        assert caught.value.received == 1
        sandbox.recover()
        assert ids(await compute(*others, last)) == sorted(sandbox.ids(**NOON))
        sandbox.fail(code=1006)
        with pytest.raises(PermissionDeniedError):
            await compute(frame)


@pytest.mark.parametrize(("scheduler", "workers"), [("threads", 6), pytest.param("processes", 1, marks=thorough_only)])
async def test_all_local_schedulers_do_and_this_host_counts_its_partitions(scheduler, workers):
    async with Sandbox(300, days=3, latency=0.02) as sandbox:
        frame = await read(sandbox, calls_per_partition=20, concurrency=2)
        asked = len(sandbox.requests)
        with dask.config.set(num_workers=workers):
            [calls] = await compute(frame, scheduler=scheduler)
        assert ids([calls]) == sorted(sandbox.ids(**NOON))
        assert len(sandbox.requests) - asked == frame.npartitions > 8
        assert sandbox.most_in_flight <= 2


async def test_an_event_loop_may_run_in_the_same_thread():
    with served(Sandbox(300, days=3)) as sandbox:
        frame = read_cdrs(WINDOW, credentials=sandbox.credentials, base_url=sandbox.base_url)
        assert len(frame.compute(scheduler="sync")) == len(sandbox.ids(**NOON))


@contextmanager
def served(sandbox):
    """A sandbox in a thread of its own."""
    with asyncio.Runner() as runner, ThreadPoolExecutor(1) as thread:
        thread.submit(runner.run, sandbox.__aenter__()).result()
        done = asyncio.Event()
        running = thread.submit(runner.run, done.wait())
        try:
            yield sandbox
        finally:
            runner.get_loop().call_soon_threadsafe(done.set)
            running.result()
            thread.submit(runner.run, sandbox.aclose()).result()
            thread.submit(runner.close).result()


@pytest.mark.parametrize(
    "options", [{"calls_per_partition": 0}, {"partitions_at_once": 0}, {"concurrency": 0}, {"max_rate": 0}]
)
def test_numbers_that_make_no_sense(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        read_cdrs(WINDOW, credentials=Credentials("a", "k", username="u"), **options)


def test_columns_that_a_call_does_not_have():
    with pytest.raises(ValueError, match="price"):
        read_cdrs(WINDOW, columns=["id", "price"])


def test_without_dask_the_error_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("infin8_async.dask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(ImportError, match=r"pip install 'infin8-async\[dask\]'"):
        importlib.import_module("infin8_async.dask")
