"""The sandbox's push: what it posts, what it loses, and what comes twice."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from infin8_async.testing import Push, Sandbox

DOCUMENTED = {
    "id", "companycode", "type", "direction", "callmethod", "starttime", "answertime", "endtime", "duration", "billsec",
    "userid", "memberid", "chengshudu", "ext", "disnumber", "destnumber", "extnumber", "recordfilename", "downloadip",
    "hangupdirection", "hangupcause", "uuid", "userkey", "customuuid", "taskid", "round", "recordurl",
}  # fmt: skip


@asynccontextmanager
async def customer():
    """An address that takes pushes, and a queue of what they said."""
    came = asyncio.Queue()

    async def take(request):
        came.put_nowait(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}/", came
    await runner.cleanup()


async def test_a_call_is_announced_with_the_documented_fields_when_it_is_listed():
    async with customer() as (url, came), Sandbox(5, push_to=url) as sandbox:
        call = sandbox.add_call(context="callin", callnumber="0100", extnumber="8001", hangupdirection="caller")
        pushed = await came.get()
        assert call in sandbox.ids()
    assert pushed.keys() == DOCUMENTED
    assert {name: pushed[name] for name in ("id", "direction", "destnumber", "ext", "hangupdirection")} == {
        "id": call, "direction": "callin", "destnumber": "0100", "ext": "8001", "hangupdirection": 10040,
    }  # fmt: skip
    assert isinstance(pushed["callmethod"], int)


async def test_live_calls_are_announced():
    async with customer() as (url, came), Sandbox(0, live=1000, push_to=url) as sandbox:
        assert (await came.get())["id"] in sandbox.ids()


@pytest.mark.parametrize(("lost", "twice", "times"), [(0, 1, {2}), (0.5, 0, {0, 1}), (0.3, 0.5, {0, 1, 2})])
async def test_it_loses_pushes_and_sends_pushes_twice(lost, twice, times):
    async with customer() as (url, came), Sandbox(0, push_to=Push(url, lost=lost, twice=twice)) as sandbox:
        calls = [sandbox.add_call() for _ in range(30)]
        await sandbox.pushes_done()
        got = Counter(came.get_nowait()["id"] for _ in range(came.qsize()))
    assert {got[call] for call in calls} == times
    assert abs(sum(got.values()) - 30 * (1 - lost) * (1 + twice)) < 10


async def test_nobody_at_the_address_disturbs_nothing():
    async with Sandbox(0, push_to="http://127.0.0.1:1/") as sandbox:
        sandbox.add_call()
        await sandbox.pushes_done()
    sandbox.add_call()
    assert len(sandbox) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "ftp://x"}, "http"),
        ({"url": "x"}, "http"),
        ({"url": "http://x", "lost": 2}, "lost is a share"),
        ({"url": "http://x", "twice": -1}, "twice must be"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Push(**options)
