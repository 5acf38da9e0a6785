"""The push example, over real sockets: pushes that come, that come twice, that get lost, and that are forged."""

import asyncio
import runpy
import socket
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from infin8_async import BEIJING, CdrQuery, Infin8Session
from infin8_async.testing import Push, Sandbox

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "push.py"))
HOUR = timedelta(hours=1)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@asynccontextmanager
async def following(port, *, interval=HOUR, **push):
    """The service's feed, its platform, and the calls that it has handed over, by id, with the loop's time."""
    url = f"http://127.0.0.1:{port}/push"
    async with (
        Sandbox(0, push_to=Push(url, **push)) as sandbox,
        Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session,
        session.follow(CdrQuery(datetime.now(BEIJING) - HOUR), interval=interval) as feed,
    ):
        runner = web.AppRunner(EXAMPLE["make_app"](feed), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield url, feed, sandbox
        finally:
            await runner.cleanup()


def ring(sandbox):
    now = f"{datetime.now(BEIJING):%Y-%m-%d %H:%M:%S}"
    return sandbox.add_call(starttime=now, endtime=now)


async def until_it_waits(feed, polls=1):
    while feed.report.until is None or feed.report.polls < polls:
        await asyncio.sleep(0)


async def test_a_call_is_handed_over_on_its_push_though_the_next_poll_would_be_in_an_hour(port):
    async with following(port, twice=1.0) as (_, feed, sandbox):
        coming = asyncio.ensure_future(anext(feed))
        await until_it_waits(feed)
        call = ring(sandbox)
        assert (await coming).id == call


async def test_a_push_that_is_lost_costs_an_interval(port):
    async with following(port, interval=timedelta(seconds=0.05), lost=1.0) as (_, feed, sandbox):
        coming = asyncio.ensure_future(anext(feed))
        await until_it_waits(feed)
        call = ring(sandbox)
        assert (await coming).id == call


async def test_hundreds_of_forged_pushes_are_all_answered_and_cost_one_poll_a_second(port):
    async with following(port) as (url, feed, _), aiohttp.ClientSession() as http:
        reading = asyncio.ensure_future(anext(feed))
        await until_it_waits(feed)
        loop = asyncio.get_running_loop()
        began, polls = loop.time(), feed.report.polls

        async def forge():
            for _ in range(30):
                async with http.post(url, data=b"{not even json") as response:
                    assert response.status == 200

        await asyncio.gather(*(forge() for _ in range(10)))
        assert feed.report.polls - polls <= loop.time() - began + 2  # one is in reserve
        reading.cancel()
        await asyncio.wait([reading])


async def test_the_example_runs_with_a_sandbox_until_it_is_cancelled(port, capsys):
    options = EXAMPLE["options"](["--sandbox", "--port", str(port)])
    running = asyncio.ensure_future(EXAMPLE["main"](options))
    printed = ""
    while "ended at" not in printed:
        await asyncio.sleep(0.01)
        printed += capsys.readouterr().out
        assert not running.done()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
