"""Bad networks and hostile answers, over real sockets."""

import asyncio
import gc
import logging
import random
import ssl
import traceback
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import date

import aiohttp
import pytest
import trustme
from aiohttp import web
from clock import run
from profiles import cases

from infin8_async import CdrQuery, Credentials, Infin8Error, Infin8Session, ResponseError, RetryPolicy, TransportError
from infin8_async.testing import Sandbox

DAY = CdrQuery.day(date(2020, 6, 10))
AT_ONCE = RetryPolicy(wait_initial=0, wait_max=0)
CREDENTIALS = Credentials("app", "s3cret-key", username="u")
PULLS = cases(200, 30)


def session_of(sandbox: Sandbox, **options) -> Infin8Session:
    return Infin8Session(
        sandbox.credentials, **{"base_url": sandbox.base_url, "retry": AT_ONCE, "per_page": 20, **options}
    )


def nothing_left(session: Infin8Session, sandbox: Sandbox) -> bool:
    transport = session._connection._transport
    idle = transport._pace._in_flight == 0 and not transport._pace._heads and not transport._line.head.locked()
    return idle and not transport._tasks and session._connection._own_http.closed


async def settled(sandbox: Sandbox) -> None:
    """Wait until the server has noticed that its clients are gone."""
    async with asyncio.timeout(5):
        while sandbox.connections:
            await asyncio.sleep(0)


FAULTS = (
    {"reset": True},
    {"cut": True},
    {"status": 429, "headers": {"Retry-After": "0"}},
    {"status": 429, "headers": {"Retry-After": "Wed, 10 Jun 2020 00:00:00 GMT"}},
    {"status": 503},
    {"status": 502, "body": b"<html>Bad Gateway</html>"},
    {"code": 1000},
    {"body": b"<html>"},
    {"body": b'{"code": 1, "msg": "", "data": {"data": [{"id"'},
    {"hang": True},
    {"drip": 0.2},
    {"code": 1005},
    {"body": b'{"ret": 500, "data": [], "msg": "busy"}'},
)


def test_chaos_ends_in_every_row_once_or_in_a_typed_error_after_a_right_beginning():
    # Both ends of each socket are in this process: if none is readable, everybody waits for the clock.
    outcomes = run(chaos())
    assert outcomes.count("whole") > PULLS / 3
    assert {*outcomes} > {"whole", "ResponseError", "TransportError", "SystemFailureError"}


async def chaos() -> list[str]:
    """Pull through faults of all kinds, and say how each pull ended."""
    outcomes = []
    async with Sandbox(150, order="oldest") as sandbox:
        for seed in range(PULLS):
            chance = random.Random(seed)
            there = sandbox.ids()
            for _ in range(chance.randint(0, 8)):
                # Refusals that are final are rare, as in life; everything else comes in bursts.
                fault = chance.choice(FAULTS if chance.random() < 0.1 else [f for f in FAULTS if f != {"code": 1005}])
                sandbox.fail(chance.randint(1, 3), page=chance.choice([None, chance.randint(1, 8)]), **fault)
            sandbox.on_request = lambda _: sandbox.add_call() if chance.random() < 0.1 else None  # noqa: B023
            sandbox.latency = lambda _: chance.random() / 500  # noqa: B023
            session = session_of(sandbox, timeout=0.1, concurrency=chance.randint(1, 8))
            read = []
            async with asyncio.timeout(60):
                try:
                    async with session:
                        async for cdr in session.cdrs(CdrQuery("2020-06-10 00:00:00", "2020-06-12 00:00:00")):
                            read.append(cdr.id)
                except Infin8Error as error:
                    outcomes.append(type(error).__name__)
                    assert read == there[: len(read)] or len(read) > len(there)
                else:
                    outcomes.append("whole")
                    assert read[: len(there)] == there
            assert len(read) == len(set(read))
            assert nothing_left(session, sandbox)
            sandbox.recover()
        await settled(sandbox)
    return outcomes


async def test_a_pull_can_be_cancelled_at_any_step_and_leaves_nothing():
    async with Sandbox(60) as sandbox:
        for step in range(10_000):
            session = session_of(sandbox, concurrency=2)

            async def pull(session: Infin8Session = session) -> int:
                async with session:
                    return len(await session.cdrs(DAY).collect())

            task = asyncio.create_task(pull())
            for _ in range(step):
                await asyncio.sleep(0)
            finished = task.done()
            task.cancel()
            result = await asyncio.gather(task, return_exceptions=True)
            gc.collect(0)
            if finished:
                assert result == [60]
                break
            assert isinstance(result[0], asyncio.CancelledError) or result == [60]
            assert session._connection._transport is None or nothing_left(session, sandbox)
            assert not [task for task in asyncio.all_tasks() if "fetch" in repr(task)]
        assert step > 20
        await settled(sandbox)


async def test_a_stream_cancelled_at_any_step_leaves_its_session_usable():
    async with Sandbox(60) as sandbox, session_of(sandbox, concurrency=2) as session:
        for step in range(0, 10_000, 3):
            task = asyncio.create_task(session.cdrs(DAY).collect())
            for _ in range(step):
                await asyncio.sleep(0)
            finished = task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert not session._connection._transport._tasks
            assert session._connection._transport._pace._in_flight == 0
            if finished:
                break
        assert await session.count(DAY) == 60


@pytest.fixture
async def serve():
    """Run a handler for POST /api/cdrs, on plain HTTP or TLS, and give its address."""
    runners = []

    async def start(handler, context: ssl.SSLContext | None = None) -> str:
        app = web.Application()
        app.router.add_post("/api/cdrs", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        return f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def a_gigabyte_of(piece: bytes) -> Iterator[bytes]:
    """A gzip file of 1024 pieces, but for its last bytes, which nobody reads."""
    compress = zlib.compressobj(1, wbits=31)
    yield compress.compress(piece) + compress.flush(zlib.Z_FULL_FLUSH)
    again = compress.compress(piece) + compress.flush(zlib.Z_FULL_FLUSH)
    yield again * 1023


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_body_of_a_gigabyte_is_refused_while_it_streams_in_flat_memory(serve, compressed):
    piece = b" " * 2**20
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Encoding": "gzip"} if compressed else {})
        await response.prepare(request)
        if compressed:
            for part in a_gigabyte_of(piece):
                await response.write(part)
            return response
        try:
            for _ in range(1024):
                await response.write(piece)
                sent += len(piece)
        except ConnectionError:
            pass
        return response

    url = await serve(endless)
    async with Infin8Session(CREDENTIALS, base_url=url) as session:
        with pytest.raises(ResponseError, match="more than 64 MiB") as caught:
            await session.page(DAY)
    assert caught.value.page == 1
    assert not caught.value.transient
    assert sent < 200 * 2**20


async def test_the_memory_of_a_refused_body_is_bounded(serve):
    piece = b" " * 2**20

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1024):
            await response.write(piece)
        return response

    url = await serve(endless)
    async with Infin8Session(CREDENTIALS, base_url=url) as session:
        tracemalloc.start()
        with pytest.raises(ResponseError):
            await session.page(DAY)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 180 * 2**20


async def test_a_redirect_is_not_followed_and_its_target_never_sees_the_credentials(serve):
    seen = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(await request.text())
        return web.Response()

    target = await serve(elsewhere)

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{target}/api/cdrs")

    async with Infin8Session(CREDENTIALS, base_url=await serve(redirect)) as session:
        with pytest.raises(ResponseError, match=r"points to http://127\.0\.0\.1") as caught:
            await session.count(DAY)
    assert caught.value.status == 307
    assert seen == []


async def test_https_works_and_verifies(serve):
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"code": 1, "msg": "", "data": []})

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    url = await serve(answer, context)
    async with Infin8Session(CREDENTIALS, base_url=url) as session:
        with pytest.raises(TransportError, match="certificate") as caught:
            await session.count(DAY)
    assert not caught.value.transient
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as http:
        async with Infin8Session(CREDENTIALS, base_url=url, http_session=http) as session:
            assert await session.count(DAY) == 0


async def test_plain_http_beyond_this_machine_is_warned_of_once(caplog):
    for url, warned in [
        ("http://platform.example", 1),
        ("https://platform.example", 0),
        ("http://[::1]:1", 0),
        ("http://localhost", 0),
    ]:
        caplog.clear()
        async with Infin8Session(CREDENTIALS, base_url=url):
            pass
        assert [record.levelno for record in caplog.records] == [logging.WARNING] * warned
        assert "s3cret-key" not in caplog.text


def shown(error: BaseException) -> str:
    """All that a crash reporter shows: the messages, and the local variables of every frame of ours."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = ["".join(report.format_exception_only())]
    while report is not None:
        text += [
            f"{name} = {value}"
            for frame in report.stack
            if "infin8_async/" in frame.filename.replace("\\", "/") and "/testing/" not in frame.filename
            for name, value in (frame.locals or {}).items()
        ]
        report = report.__cause__
    return "\n".join(text)


@pytest.mark.parametrize(
    "fault",
    [
        {"code": 1008, "msg": "wrong number format 13812345678, key sandbox-key"},
        {"status": 500, "body": b"sandbox-key 13812345678"},
        {"body": b'{"code":1,"msg":"","data":{"data":[{"id":1,"callnumber":"13812345678","billsec":"13812345678x"}],'
                 b'"page":1,"per_page":1,"total":1}}'},
        {"body": b'{"code":"x","msg":"","data":{"data":[{"id":1,"callnumber":"13812345678"}],"page":1,"total":1}}'},
        {"cut": True},
    ],
)  # fmt: skip
async def test_neither_key_nor_number_is_in_what_a_crash_reporter_shows(infin8_sandbox, fault, caplog):
    caplog.set_level(logging.DEBUG)
    infin8_sandbox.add_call(callnumber="13812345678")
    infin8_sandbox.fail(None, **fault)
    query = CdrQuery.day(date(2020, 6, 10), callnumber="13812345678")
    async with session_of(infin8_sandbox, retry=RetryPolicy(2, 0, 0)) as session:
        for use in (session.cdrs(query).collect(), anext(session.cdrs(query).arrow()), session.page(query)):
            with pytest.raises(Infin8Error) as caught:
                await use
            everything = shown(caught.value) + caplog.text + repr(caught.value)
            assert "13812345678" not in everything
            assert "sandbox-key" not in everything


async def test_each_request_retry_and_slow_down_is_one_line_in_the_log(infin8_sandbox, caplog):
    caplog.set_level(logging.DEBUG, "infin8_async")
    infin8_sandbox.fail(2, status=503)
    async with session_of(infin8_sandbox) as session:
        await session.count(DAY)
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "infin8_async"]
    assert lines == [
        ("DEBUG", "page 1: HTTP 503, 0 bytes"),
        ("INFO", "the platform is in trouble: at most 4 of 8 requests at once, 0.000 s apart"),
        ("WARNING", "page 1: try 2 of 5, after: unexpected answer (HTTP 503, page 1): Service Unavailable"),
        ("DEBUG", "page 1: HTTP 503, 0 bytes"),
        ("INFO", "the platform is in trouble: at most 2 of 8 requests at once, 0.000 s apart"),
        ("WARNING", "page 1: try 3 of 5, after: unexpected answer (HTTP 503, page 1): Service Unavailable"),
        lines[-1],
    ]
    assert lines[-1][1].startswith("page 1: HTTP 200, ")
