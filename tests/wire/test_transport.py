"""One request over real sockets: connections, headers, retries and what is said about them."""

import asyncio
import logging
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import date

import aiohttp
import pytest
import stamina
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from profiles import cases

from infin8_async import CdrQuery, Credentials, Infin8Error, Infin8Session, ResponseError, RetryPolicy, TransportError
from infin8_async._wire.protocol import read_page
from infin8_async._wire.transport import Tally
from infin8_async.testing import Sandbox

DAY = CdrQuery.day(date(2020, 6, 10))
CREDENTIALS = Credentials("app", "s3cret-key", username="u")
EMPTY = b'{"code": 1, "msg": "", "data": []}'
PATIENT = RetryPolicy(wait_initial=60, wait_max=60)
AT_ONCE = RetryPolicy(attempts=2, wait_initial=0, wait_max=0)


def answer(body: bytes = EMPTY, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


@asynccontextmanager
async def server(respond):
    """Run a bare server; `respond(connection, request)`, both counted from 1, gives bytes, or None to hang up."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        connection, request = connections, 0
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.split(b":")[1]))
                request += 1
                bytes_ = respond(connection, request)
                if bytes_ is None:
                    return
                writer.write(bytes_)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


class TestClosedConnections:
    async def test_one_that_the_server_closes_as_we_send_is_made_good_at_once_on_a_new_one(self):
        async with server(lambda connection, request: answer() if request == 1 else None) as url:
            async with asyncio.timeout(10), Infin8Session(CREDENTIALS, base_url=url, retry=PATIENT) as session:
                await session.count(DAY)
                tally = Tally()
                await session._connection._transport.fetch(DAY, 1, 1, tally)
                assert (tally.requests, tally.retries) == (2, 1)

    async def test_they_are_no_sign_of_trouble(self):
        async with server(lambda connection, request: answer() if request == 1 else None) as url:
            async with asyncio.timeout(10), Infin8Session(CREDENTIALS, base_url=url, retry=PATIENT) as session:
                for _ in range(4):
                    await asyncio.gather(*(session.count(DAY) for _ in range(8)))
                assert session._connection._transport._pace._places == 8

    async def test_a_server_that_closes_every_one_is_in_trouble(self):
        async with server(lambda connection, request: None) as url:
            async with Infin8Session(CREDENTIALS, base_url=url, retry=RetryPolicy(3, 0, 0)) as session:
                tally = Tally()
                with pytest.raises(TransportError):
                    await session._connection._transport.fetch(DAY, 1, 1, tally)
                assert (tally.requests, tally.retries) == (3, 2)
                assert session._connection._transport._pace._places < 8

    async def test_without_retries_it_is_an_error(self):
        async with server(lambda connection, request: None) as url:
            async with Infin8Session(CREDENTIALS, base_url=url, retry=RetryPolicy(attempts=1)) as session:
                with pytest.raises(TransportError) as caught:
                    await session.count(DAY)
        assert caught.value.transient


@pytest.mark.parametrize("limits", [{"limit": 2}, {"limit_per_host": 2}])
async def test_requests_wait_for_a_callers_few_connections_before_their_time_runs(limits):
    queued = []
    tracing = aiohttp.TraceConfig()

    async def queue(*args) -> None:
        queued.append(args)

    tracing.on_connection_queued_start.append(queue)
    async with (
        Sandbox(100, latency=0.005) as sandbox,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(**limits), trace_configs=[tracing]) as http,
        Infin8Session(sandbox.credentials, base_url=sandbox.base_url, per_page=5, http_session=http) as session,
    ):
        assert len(await session.cdrs(DAY).collect()) == 100
    assert sandbox.most_in_flight == 2
    assert not queued


async def test_a_request_that_succeeds_costs_nothing_of_stamina(monkeypatch):
    monkeypatch.setitem(sys.modules, "stamina", None)  # the import of it fails
    async with server(lambda connection, request: answer()) as url, Infin8Session(CREDENTIALS, base_url=url) as session:
        assert await session.count(DAY) == 0


async def test_a_retry_after_of_an_hour_is_raised_again_at_once_without_a_request(infin8_sandbox):
    infin8_sandbox.fail(1, status=429, headers={"Retry-After": "3600"})
    async with (
        asyncio.timeout(10),
        Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session,
    ):
        for use in (session.count(DAY), session.count(DAY), session.page(DAY), session.cdrs(DAY).collect()):
            with pytest.raises(ResponseError) as caught:
                await use
            assert caught.value.status == 429
            assert 3590 < caught.value.retry_after <= 3600
    assert len(infin8_sandbox.requests) == 1


HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Thu", "Foo", ""]),
    st.integers(-1, 10**30),
    st.sampled_from(["Jan", "Feb", "Dec", "13"]),
    st.integers(0, 10**30),
    *[st.integers(-99, 10**5)] * 3,
    st.one_of(st.sampled_from(["GMT", "-0000", ""]), st.integers().map("{:+}".format)),
)


@given(st.one_of(HEADER, DATES, st.integers(0).map(str)), st.sampled_from([200, 302, 404, 429, 503, 999]))
@example("Thu, 01 Jan 2026 00:00:00 +99999999999999999999", 503)
@example("9" * 400, 429)
@example("http://[", 302)
@example("http://s3cret-key/13812345678", 302)
def test_whatever_a_header_holds_only_our_errors_come_out_and_nothing_secret(value, status):
    headers = dict.fromkeys(("Retry-After", "Location", "Content-Type"), value)
    with pytest.raises(Infin8Error) as caught:
        read_page(status, headers, b"<html>", page=1, per_page=1, secret="s3cret-key")
    assert "s3cret-key" not in str(caught.value)
    assert "13812345678" not in str(caught.value)
    assert len(str(caught.value)) < 500


FUZZED = st.sampled_from(
    ["Retry-After", "Location", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Content-Length", "Connection",
     "Set-Cookie", "Upgrade", "Date", "Trailer"]
)  # fmt: skip
VALUES = st.one_of(
    HEADER,
    DATES,
    st.sampled_from(["gzip", "br", "zstd", "deflate", "chunked", "gzip, chunked", "-1", "close", "9" * 30]),
)


@settings(max_examples=cases(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(FUZZED, VALUES), max_size=4),
    st.sampled_from(["200 OK", "204 x", "304 x", "301 x", "418 x", "429 x", "503 x", "600 x", "99 x", "x", ""]),
    st.sampled_from([EMPTY, b"", b"\x1f\x8b", b"5\r\nabc"]),
)
@example([("Content-Type", "\x80Â\x80")], "200 OK", EMPTY)
def test_whatever_headers_a_server_sends_only_our_errors_come_out(headers, status, body):
    head = [f"{name}: {value}".encode("latin-1") for name, value in headers]

    async def ask() -> None:
        async with server(lambda connection, request: answer(body, *head, status=status.encode())) as url:
            async with Infin8Session(CREDENTIALS, base_url=url, timeout=0.2, retry=RetryPolicy(1)) as session:
                try:
                    await session.count(DAY)
                except Infin8Error as error:
                    assert "s3cret-key" not in str(error)  # no error is fine, too

    asyncio.run(ask())


PROGRAM = """
import asyncio
from datetime import date
from infin8_async import CdrQuery, Infin8Session, RetryPolicy
from infin8_async.testing import Sandbox

async def main():
    async with Sandbox() as sandbox:
        sandbox.fail(1, status=503)
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url, retry=RetryPolicy(2, 0, 0)) as session:
            await session.count(CdrQuery.day(date(2020, 6, 10)))

asyncio.run(main())
"""


def test_a_retry_prints_one_line_of_ours_where_no_logging_is_configured():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    assert ran.stderr.splitlines() == [
        "page 1: try 2 of 2, after: unexpected answer (HTTP 503, page 1): Service Unavailable"
    ]


class TestInstrumentation:
    @pytest.fixture(autouse=True)
    def default_hooks(self):
        yield
        stamina.instrumentation.set_on_retry_hooks(None)

    async def retry_once(self, sandbox) -> None:
        sandbox.fail(1, status=503)
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url, retry=AT_ONCE) as session:
            await session.count(DAY)

    async def test_one_retry_is_one_line(self, infin8_sandbox, caplog):
        await self.retry_once(infin8_sandbox)
        assert [record.name for record in caplog.records] == ["infin8_async"]

    async def test_hooks_that_users_set_see_each_retry_and_no_arguments(self, infin8_sandbox):
        seen = []
        stamina.instrumentation.set_on_retry_hooks([seen.append])
        await self.retry_once(infin8_sandbox)
        assert [(details.retry_num, type(details.caused_by)) for details in seen] == [(1, ResponseError)]
        assert seen[0].name.startswith("infin8_async.")
        assert (seen[0].args, seen[0].kwargs) == ((), {})

    async def test_staminas_logger_works_once_it_is_set_up(self, infin8_sandbox, caplog):
        caplog.set_level(logging.WARNING, "stamina")
        stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.LoggingOnRetryHook])
        await self.retry_once(infin8_sandbox)
        assert sorted(record.name for record in caplog.records) == ["infin8_async", "stamina"]

    def test_other_peoples_retries_are_logged_as_ever(self, caplog):
        for attempt in stamina.retry_context(on=ValueError, wait_initial=0, wait_jitter=0, attempts=2):
            with attempt:
                if attempt.num == 1:
                    raise ValueError
        assert [record.name for record in caplog.records] == ["stamina"]
