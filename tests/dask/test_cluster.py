"""A cluster of two worker processes: no call is lost or comes twice, and the platform is asked no more than by one."""

import asyncio
import gc
import os
import runpy
import signal
from itertools import pairwise
from pathlib import Path

import pytest
from distributed import Client, LocalCluster, Lock
from profiles import cases, thorough_only

from infin8_async import CdrQuery, Infin8Session
from infin8_async.dask import read_cdrs
from infin8_async.figures import figures
from infin8_async.testing import Sandbox

pytestmark = thorough_only  # to start the workers takes as long as all other tests of Dask

MONTH = CdrQuery("2020-06-10 00:00:00", "2020-07-09 23:59:59")


@pytest.fixture(scope="module")
def client():
    """The workers have the credentials in their environment."""
    with pytest.MonkeyPatch.context() as environment:
        credentials = Sandbox(0).credentials
        environment.setenv("INFIN8_APPID", credentials.appid)
        environment.setenv("INFIN8_ACCESSKEY", credentials.accesskey)
        environment.setenv("INFIN8_USERNAME", credentials.username)
        with (
            LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield client


async def read(sandbox, **options):
    return await asyncio.to_thread(read_cdrs, MONTH, base_url=sandbox.base_url, **options)


def number_of_locks():
    return sum(isinstance(thing, Lock) for thing in gc.get_objects())


async def test_each_call_comes_once_and_the_limits_hold_for_the_whole_cluster(client):
    async with Sandbox(cases(30_000, 1500), days=30, latency=0.001) as sandbox:
        frame = await read(sandbox, calls_per_partition=cases(2000), concurrency=4)
        assert sandbox.most_in_flight <= 4
        parts = await asyncio.to_thread(client.gather, client.compute(frame.to_delayed()))
        assert sorted(call for part in parts for call in part["id"]) == sorted(sandbox.ids())
        for part, (start, end) in zip(parts, pairwise(frame.divisions), strict=True):
            assert all(start <= time < end for time in part.index)
        assert sandbox.most_in_flight <= 4


async def test_partitions_of_one_page_stay_below_the_rate(client):
    async with Sandbox(600, days=30) as sandbox:
        frame = await read(sandbox, calls_per_partition=100, max_rate=10, concurrency=2)
        asked = len(sandbox.requests)
        locks = await asyncio.to_thread(client.run, number_of_locks)
        assert len(await asyncio.to_thread(frame["id"].compute)) == 600
        times = [request.at for request in sandbox.requests[asked:]]
        assert len(times) == frame.npartitions >= 5
        assert sandbox.most_in_flight <= 2  # of four threads
        # Two places, each of which is free again a fifth of a second after its last request.
        assert len(times) <= 2 + 10 * (times[-1] - times[0])
        assert all(third - first >= 0.19 for first, third in zip(times, times[2:], strict=False))
        now = await asyncio.to_thread(client.run, number_of_locks)
        assert all(now[worker] - locks[worker] <= 2 * 2 for worker in now)  # places and threads, not partitions


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Dask's own use of pandas
async def test_the_example_computes_what_one_process_does(client, tmp_path, monkeypatch):
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "cluster.py"))
    async with Sandbox(1000, days=30) as sandbox:
        monkeypatch.setenv("INFIN8_BASE_URL", sandbox.base_url)
        await asyncio.to_thread(example["pull"], MONTH, tmp_path / "calls.parquet")
        rates = await asyncio.to_thread(example["answer_rates"](tmp_path / "calls.parquet").compute)
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session:
            whole = await figures(session.cdrs(MONTH), by=lambda cdr: (cdr.starttime.hour, cdr.extnumber))
    assert dict(zip(rates.index, rates["calls"], strict=True)) == {key: one.calls for key, one in whole.groups.items()}
    for key, group in whole.groups.items():
        assert rates["answer rate"][key] == pytest.approx(group.answered.value)


async def test_the_result_is_whole_if_a_worker_is_killed_while_it_pulls(client):
    async with Sandbox(2000, days=30) as sandbox:
        # The places of the killed worker stay taken for a while, so there are some for the other one.
        frame = await read(sandbox, calls_per_partition=500, partitions_at_once=4)
        arrived, killed = asyncio.Event(), asyncio.Event()

        async def hold(_):
            arrived.set()
            await killed.wait()

        sandbox.on_request = hold
        computed = asyncio.create_task(asyncio.to_thread(client.compute(frame["id"]).result))
        await arrived.wait()
        pids = await asyncio.to_thread(client.run, os.getpid)
        pulling = await asyncio.to_thread(client.processing)
        os.kill(pids[next(worker for worker, tasks in pulling.items() if tasks)], signal.SIGKILL)
        killed.set()
        assert sorted(await computed) == sorted(sandbox.ids())
