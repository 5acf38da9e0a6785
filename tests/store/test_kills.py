"""Processes that land calls, killed at any moment and started again: table and ledger are true."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
from databases import sql
from profiles import cases

from infin8_async import BEIJING, CdrQuery, Infin8Session
from infin8_async.store import CdrStore
from infin8_async.testing import Sandbox

LANDER = Path(__file__).parent / "lander.py"
START = datetime(2020, 6, 10, tzinfo=BEIJING)
WEEK = CdrQuery(START, START + timedelta(days=7) - timedelta(seconds=1))


@pytest.fixture(scope="module")
def lander():
    with subprocess.Popen(
        (sys.executable, LANDER), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        yield process
        process.stdin.close()


def environment_of(sandbox):
    return {
        "INFIN8_BASE_URL": sandbox.base_url,
        "INFIN8_APPID": sandbox.credentials.appid,
        "INFIN8_ACCESSKEY": str.__str__(sandbox.credentials.accesskey),
        "INFIN8_USERNAME": sandbox.credentials.username,
    }


def start(lander, what, url, sandbox):
    """The number of the process that does it, and a task that gives its exit code when it has ended."""
    print(json.dumps({"what": what, "url": url, "environment": environment_of(sandbox)}), file=lander.stdin)
    process = int(lander.stdout.readline())
    return process, asyncio.ensure_future(asyncio.to_thread(lambda: int(lander.stdout.readline())))


async def kill_until_done(start, sandbox, *, chance, kills):
    """Run a process, kill it at a random request to the platform, again and again; then let it end."""
    for _ in range(kills):
        process, ended = start()
        more = asyncio.ensure_future(sandbox.wait_for_requests(len(sandbox.requests) + chance.randrange(1, 40)))
        await asyncio.wait((ended, more), return_when=asyncio.FIRST_COMPLETED)
        more.cancel()
        for _ in range(chance.randrange(200)):
            await asyncio.sleep(0)
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.kill(process, signal.SIGKILL)
        assert await ended in (0, -signal.SIGKILL)
    _, ended = start()
    assert await ended == 0


async def everything(sandbox):
    """All there is on the platform, by the plainest way."""
    async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url, concurrency=1) as session:
        return {cdr.id: cdr for number in range(1, 20) for cdr in (await session.page(CdrQuery(
            "2000-01-01 00:00:00", "2099-01-01 00:00:00"), number)).cdrs}  # fmt: skip


async def assert_true(url, sandbox):
    """The table is the platform, call for call, and no line of the ledger claims what is not so."""
    async with CdrStore(url) as store:
        assert {cdr.id: cdr async for cdr in store} == await everything(sandbox)
    assert await sql(url, "SELECT id FROM cdrs WHERE vanished IS NOT NULL") == []
    lines = "SELECT starttime, endtime, calls FROM cdr_windows WHERE certified"
    for *ends, calls in await sql(url, lines):
        start, end = (time if isinstance(time, str) else local(time) for time in ends)
        assert calls == len(sandbox.ids(starttime=start, endtime=end))


def local(time):
    return f"{time.astimezone(BEIJING) if time.tzinfo else time:%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize("what", ["sync", "deep", "follow"])
@pytest.mark.any_database
async def test_killed_at_any_moment_and_started_again_the_table_is_the_platform_row_for_row(lander, url, what):
    chance = Random(what)
    async with Sandbox(cases(1500, 500), days=7, latency=lambda _: chance.random() / 250) as sandbox:
        kills = int(os.environ.get("INFIN8_KILLS", cases(3)))
        await kill_until_done(partial(start, lander, what, url, sandbox), sandbox, chance=chance, kills=kills)
        await assert_true(url, sandbox)


async def test_two_syncs_at_once_do_not_disturb_each_other(url):
    calls = cases(1400, 350)
    async with Sandbox(calls, days=7) as sandbox:
        session = Infin8Session(sandbox.credentials, base_url=sandbox.base_url, per_page=100)
        async with session, CdrStore(url) as one, CdrStore(url) as other:
            reports = await asyncio.gather(*(store.sync(session, WEEK) for store in (one, one, other)))
        assert [report.certified for report in reports] == [7, 7, 7]
        assert sum(report.saved.inserted for report in reports) == calls
        await assert_true(url, sandbox)


@pytest.mark.any_database
async def test_a_sync_during_following_makes_no_false_claim(url):
    """Calls of the present appear, and are landed by both at once."""
    now = datetime.now(BEIJING)
    async with Sandbox(0, latency=0.001) as sandbox:
        chance = Random(5)

        def ring():
            dialled = now - timedelta(seconds=chance.randrange(1, 600))
            sandbox.add_call(starttime=f"{dialled:%Y-%m-%d %H:%M:%S}", endtime=f"{now:%Y-%m-%d %H:%M:%S}")

        for _ in range(50):
            ring()
        query = CdrQuery(now - timedelta(minutes=10))
        async with (
            Infin8Session(sandbox.credentials, base_url=sandbox.base_url, per_page=20) as session,
            CdrStore(url) as store,
            CdrStore(url) as other,
        ):
            following = asyncio.ensure_future(other.follow(session, query, interval=timedelta(milliseconds=5)))
            for _ in range(cases(15, 5)):
                for _ in range(4):
                    ring()
                await store.sync(session, query)
            async with asyncio.timeout(60):
                while {cdr.id async for cdr in store} != set(sandbox.ids()):
                    assert not following.done(), following.result()
                    await asyncio.sleep(0.01)
            following.cancel()
            await asyncio.wait([following])
        await assert_true(url, sandbox)
