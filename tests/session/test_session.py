"""The session and its streams over a real socket."""

import asyncio
import gc
import logging
import os
import random
from contextlib import aclosing
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp.client_reqrep import ClientResponse
from aioresponses import CallbackResult, aioresponses
from profiles import cases

from infin8_async import (
    BEIJING,
    AuthenticationError,
    CallMethod,
    CdrQuery,
    Credentials,
    IncompleteResultError,
    Infin8Session,
    NumberFormatError,
    ParameterError,
    PermissionDeniedError,
    ResponseError,
    RetryPolicy,
    SystemFailureError,
    TransportError,
)
from infin8_async.testing import Sandbox, SandboxRequest

DAY = CdrQuery.day(date(2020, 6, 10))
AT_ONCE = RetryPolicy(wait_initial=0, wait_max=0)
ONCE = RetryPolicy(attempts=1)


def session_of(sandbox: Sandbox, **options) -> Infin8Session:
    return Infin8Session(
        sandbox.credentials, **{"base_url": sandbox.base_url, "retry": AT_ONCE, "per_page": 100, **options}
    )


@pytest.fixture(autouse=True)
async def nothing_is_left_behind():
    """After every test: no task but its own, and nothing that the loop had to complain of."""
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    gc.collect()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= {asyncio.current_task()}
    assert not complaints


class TestReading:
    async def test_the_calls_come_typed_each_once_and_in_the_platforms_order(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            stream = session.cdrs(DAY)
            assert stream.total is None
            cdrs = [cdr async for cdr in stream]
        assert [cdr.id for cdr in cdrs] == infin8_sandbox.ids()
        assert stream.total == stream.report.expected == stream.report.received == 1000
        assert (stream.report.requests, stream.report.retries) == (11, 0)  # its pages and one count
        assert (stream.report.complete, stream.report.certified) == (True, True)
        assert {type(cdr.callmethod) for cdr in cdrs} == {CallMethod}

    @pytest.mark.parametrize("order", ["newest", "oldest", "id"])
    async def test_any_order_of_the_platform_is_kept_whatever_the_latency_of_each_page(self, order):
        chance = random.Random(1)
        async with Sandbox(300, order=order, latency=lambda _: chance.random() / 50) as sandbox:
            async with session_of(sandbox, per_page=7) as session:
                assert [cdr.id async for cdr in session.cdrs(DAY)] == sandbox.ids()

    async def test_page_1_goes_first_and_alone_then_the_rest_by_a_sliding_window(self):
        hold = asyncio.Event()

        async def hold_the_second_page(request: SandboxRequest) -> None:
            if request.page == 1:
                assert sandbox.in_flight == 1
            if request.page == 2:
                await hold.wait()

        async with (
            Sandbox(1000, on_request=hold_the_second_page) as sandbox,
            session_of(sandbox, concurrency=4) as session,
        ):
            pages = session.cdrs(DAY).pages()
            async with aclosing(pages):
                await anext(pages)
                # Page 2 is held back; 3, 4 and 5 arrive meanwhile, and then nothing more: their places are taken.
                await sandbox.wait_for_requests(5)
                hold.set()
                await anext(pages)
                await sandbox.wait_for_requests(6)
                assert [page.page async for page in pages] == list(range(3, 11))
            assert sandbox.most_in_flight <= 4

    async def test_a_cap_that_the_platform_only_echoes_still_yields_every_row(self):
        async with Sandbox(1234, max_per_page=100) as sandbox, session_of(sandbox, per_page=1000) as session:
            stream = session.cdrs(DAY)
            assert [cdr.id async for cdr in stream] == sandbox.ids()
            assert stream.report.requests == 14  # its pages and one count

    async def test_filters_reach_the_platform(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            query = CdrQuery.day(date(2020, 6, 10), context="callin", callmethod=6)
            cdrs = await session.cdrs(query).collect()
            assert [cdr.id for cdr in cdrs] == infin8_sandbox.ids(context="callin", callmethod="6")
            assert await session.count(query) == len(cdrs)

    async def test_a_query_without_an_end_ends_when_the_pull_begins(self):
        today = datetime.now(BEIJING).date()
        async with Sandbox(400, start=today, days=1) as sandbox, session_of(sandbox) as session:
            await session.cdrs(CdrQuery(f"{today} 00:00:00")).collect()
            ends = {request.form["endtime"] for request in sandbox.requests}
        assert len(ends) == 1
        assert abs(datetime.fromisoformat(ends.pop()).replace(tzinfo=BEIJING) - datetime.now(BEIJING)) < timedelta(
            minutes=1
        )

    @pytest.mark.parametrize(("minutes", "requests"), [(-10, 2), (-1, 2), (0, 1), (1, 1), (10, 1)])
    @pytest.mark.parametrize("ask", ["cdrs", "count", "page"])
    async def test_if_the_first_answer_shows_that_this_machine_is_slow_it_asks_again_with_the_right_end(
        self, infin8_sandbox, minutes, requests, ask
    ):
        platform = datetime.now(BEIJING) - timedelta(minutes=minutes)
        body = b'{"code": 1, "msg": "", "data": {"data": [{"id": 1}], "page": 1, "per_page": 1000, "total": 1}}'
        infin8_sandbox.fail(None, status=200, headers={"Date": format_datetime(platform)}, body=body)
        query = CdrQuery(platform - timedelta(hours=1))
        async with session_of(infin8_sandbox) as session:
            for _ in range(2):
                result = getattr(session, ask)(query)
                await (result.collect() if ask == "cdrs" else result)
        ends = [datetime.fromisoformat(request.form["endtime"]) for request in infin8_sandbox.requests]
        assert len(ends) == requests + 1
        right = ends[1:] if minutes else ends
        assert max(abs(end.replace(tzinfo=BEIJING) - platform) for end in right) < timedelta(seconds=30)

    async def test_pages_are_the_same_pull_and_numbered_as_they_are_handed_on(self, infin8_sandbox):
        async with session_of(infin8_sandbox, per_page=300) as session:
            pages = [page async for page in session.cdrs(DAY).pages()]
        assert [(page.page, len(page.cdrs), page.per_page, page.total) for page in pages] == [
            (1, 300, 300, 1000), (2, 300, 300, 1000), (3, 300, 300, 1000), (4, 100, 300, 1000),
        ]  # fmt: skip
        assert [cdr.id for page in pages for cdr in page.cdrs] == infin8_sandbox.ids()

    async def test_iterating_again_goes_on_where_it_stopped_by_row_page_or_list(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            stream = session.cdrs(DAY)
            first = [await anext(stream) for _ in range(30)]
            some = await stream.collect(limit=40)
            assert stream.report.received == 70
            assert await stream.collect(limit=0) == []
            async for cdr in stream:
                first_of_rest = cdr
                break
            async for page in stream.pages():
                assert len(page.cdrs) == 29
                break
            rest = await stream.collect()
            assert [cdr.id for cdr in [*first, *some, first_of_rest, *page.cdrs, *rest]] == infin8_sandbox.ids()
            assert await stream.collect() == []

    async def test_an_empty_window_is_empty_certified_and_one_request(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            stream = session.cdrs(CdrQuery.day(date(1999, 1, 1)))
            assert await stream.collect() == []
            assert (stream.total, stream.report.certified, stream.report.requests) == (0, True, 1)

    async def test_nothing_is_requested_before_the_first_call_is_asked_for(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            async with session.cdrs(DAY):
                pass
        assert infin8_sandbox.requests == []

    async def test_one_page_is_what_the_platform_cuts(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            page = await session.page(DAY, 3, per_page=10)
            assert ([cdr.id for cdr in page.cdrs], page.page, page.per_page, page.total) == (
                infin8_sandbox.ids()[20:30], 3, 10, 1000,
            )  # fmt: skip
            assert (await session.page(DAY, 99)).cdrs == ()

    @pytest.mark.parametrize("seed", range(cases(20)))
    async def test_calls_that_arrive_over_the_wire_hide_none(self, seed):
        chance = random.Random(seed)
        async with Sandbox(500, days=1, latency=lambda _: chance.random() / 200) as sandbox:
            there = set(sandbox.ids())
            sandbox.on_request = lambda _: sandbox.add_call() if chance.random() < 0.5 else None
            async with session_of(sandbox, per_page=10, concurrency=chance.randint(2, 12)) as session:
                stream = session.cdrs(CdrQuery("2020-06-10 00:00:00", "2020-06-12 00:00:00"))
                read = [cdr.id async for cdr in stream]
        assert len(read) == len(set(read))
        assert there <= set(read)
        assert stream.report.complete

    async def test_an_order_without_stability_is_repaired_over_the_wire(self):
        async with Sandbox(300, ties="shuffled") as sandbox, session_of(sandbox, per_page=10) as session:
            for _ in range(60):
                sandbox.add_call(starttime="2020-06-10 12:00:00")
            stream = session.cdrs(DAY)
            assert {cdr.id async for cdr in stream} == set(sandbox.ids())
            assert stream.report.certified


class TestBounds:
    @pytest.mark.parametrize("concurrency", [1, 3])
    async def test_a_slow_reader_never_has_more_than_concurrency_pages_waiting(self, infin8_sandbox, concurrency):
        async with session_of(infin8_sandbox, concurrency=concurrency) as session:
            stream = session.cdrs(DAY)
            for handed in range(1, 1000):
                await anext(stream)
                allowed = -(-handed // 100) + concurrency
                if handed % 100 == 1:
                    await infin8_sandbox.wait_for_requests(min(10, allowed))
                    assert len(infin8_sandbox.requests) <= allowed

    async def test_the_sessions_concurrency_is_shared_by_its_streams(self):
        async with Sandbox(1000, latency=0.001) as sandbox, session_of(sandbox, concurrency=3, per_page=50) as session:
            await asyncio.gather(*(session.cdrs(DAY).collect() for _ in range(5)))
            assert sandbox.most_in_flight == 3

    async def test_a_maximum_rate_spaces_requests_evenly(self, infin8_sandbox):
        async with session_of(infin8_sandbox, max_rate=100.0) as session:
            await session.cdrs(DAY).collect()
        at = [request.at for request in infin8_sandbox.requests]
        assert at[-1] - at[0] >= 9 / 100 * 0.9


class TestStopping:
    async def test_after_a_break_no_new_request_starts_and_the_sessions_exit_ends_those_in_flight(self):
        hold = asyncio.Event()

        async def hold_all_but_the_first(request: SandboxRequest) -> None:
            if request.page > 1:
                await hold.wait()

        async with Sandbox(1000, on_request=hold_all_but_the_first) as sandbox:
            async with session_of(sandbox, concurrency=4) as session:
                stream = session.cdrs(DAY)
                async for _ in stream:
                    break
                await sandbox.wait_for_requests(5)
            assert len(sandbox.requests) == 5
            with pytest.raises(RuntimeError, match="closed"):
                await stream.collect()

    async def test_a_stream_that_nobody_holds_any_more_requests_nothing_more(self):
        async with Sandbox(1000) as sandbox, session_of(sandbox) as session:
            async for _ in session.cdrs(DAY):
                break
            gc.collect()
            await session.count(DAY)
            assert len(sandbox.requests) == 2

    async def test_leaving_the_block_ends_every_request_at_once(self):
        async with Sandbox(1000) as sandbox, session_of(sandbox, concurrency=4) as session:
            sandbox.fail(None, page=3, hang=True)
            async with session.cdrs(DAY) as stream:
                await anext(stream)
                await sandbox.wait_for_requests(5)
                before = asyncio.all_tasks()
            assert len(asyncio.all_tasks()) < len(before)
            with pytest.raises(RuntimeError, match="was closed"):
                await anext(stream)

    async def test_cancelling_the_reader_ends_every_request_and_the_stream(self):
        async with Sandbox(1000) as sandbox, session_of(sandbox, concurrency=4) as session:
            sandbox.fail(None, page=1, hang=True)
            stream = session.cdrs(DAY)
            reader = asyncio.create_task(stream.collect())
            await sandbox.wait_for_requests(1)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            with pytest.raises(RuntimeError, match="ended with CancelledError"):
                await stream.collect()
            sandbox.recover()
            assert await session.count(DAY) == 1000

    async def test_closing_the_session_under_a_reader_tells_the_reader(self):
        async with Sandbox(1000) as sandbox:
            sandbox.fail(None, page=2, hang=True)
            session = session_of(sandbox)
            async with session:
                reader = asyncio.create_task(session.cdrs(DAY).collect())
                await sandbox.wait_for_requests(2)
            with pytest.raises(RuntimeError, match="closed"):
                await reader

    async def test_a_callers_own_session_is_used_and_never_closed(self, infin8_sandbox):
        async with aiohttp.ClientSession(headers={"X-Who": "me"}) as http:
            async with session_of(infin8_sandbox, http_session=http) as session:
                async for _ in session.cdrs(DAY):
                    break
            assert not http.closed
            async with session_of(infin8_sandbox, http_session=http) as session:
                assert await session.count(DAY) == 1000


class TestFailures:
    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"status": 503}, ResponseError),
            ({"status": 429}, ResponseError),
            ({"status": 404}, ResponseError),
            ({"body": b"<html>busy</html>"}, ResponseError),
            (
                {"body": b'{"code":1,"msg":"ok","data":{"data":[{"id":""}],"page":4,"per_page":100,"total":1000}}'},
                ResponseError,
            ),
            ({"code": 1000}, SystemFailureError),
            ({"code": 1001}, ParameterError),
            ({"code": 1006}, PermissionDeniedError),
            ({"code": 1008}, NumberFormatError),
            ({"cut": True}, TransportError),
            ({"reset": True}, TransportError),
        ],
    )
    async def test_an_error_on_page_n_comes_after_every_row_of_the_pages_before_it(self, infin8_sandbox, fault, error):
        infin8_sandbox.fail(None, page=4, **fault)
        rows = []
        async with session_of(infin8_sandbox, retry=RetryPolicy(2, 0, 0)) as session:
            stream = session.cdrs(DAY)
            with pytest.raises(error) as caught:
                async for cdr in stream:
                    rows.append(cdr.id)
            with pytest.raises(RuntimeError, match=f"ended with {type(caught.value).__name__}"):
                await anext(stream)
        assert rows == infin8_sandbox.ids()[:300]
        assert not stream.report.complete
        if error is ResponseError:
            assert caught.value.page == 4

    @pytest.mark.parametrize(
        "fault",
        [{"status": 503}, {"status": 408}, {"body": b""}, {"code": 1000}, {"cut": True}, {"reset": True},
         {"status": 429, "headers": {"Retry-After": "0"}}],
    )  # fmt: skip
    async def test_a_passing_fault_costs_a_retry_and_no_row(self, infin8_sandbox, fault):
        infin8_sandbox.fail(3, **fault)
        async with session_of(infin8_sandbox) as session:
            stream = session.cdrs(DAY)
            assert [cdr.id async for cdr in stream] == infin8_sandbox.ids()
        assert (stream.report.retries, stream.report.requests, stream.report.certified) == (3, 14, True)

    async def test_a_refusal_is_asked_once(self, infin8_sandbox):
        wrong = Credentials("sandbox-app", "wr0ng-key", username="sandbox")
        async with Infin8Session(wrong, base_url=infin8_sandbox.base_url) as session:
            with pytest.raises(AuthenticationError) as caught:
                await session.count(DAY)
        assert caught.value.code == 1005
        assert len(infin8_sandbox.requests) == 1

    @pytest.mark.parametrize("fault", [{"hang": True}, {"drip": 0.04}])
    async def test_the_timeout_covers_a_request_to_the_last_byte(self, infin8_sandbox, fault):
        infin8_sandbox.fail(None, **fault)
        async with session_of(infin8_sandbox, timeout=0.1, retry=ONCE) as session:
            with pytest.raises(TransportError, match=r"0\.1 s"):
                await session.page(DAY)

    async def test_nobody_listening_is_a_transport_error(self, unused_tcp_port):
        session = Infin8Session(
            Credentials("a", "k", username="u"), base_url=f"http://127.0.0.1:{unused_tcp_port}", retry=ONCE
        )
        async with session:
            with pytest.raises(TransportError, match="Cannot connect"):
                await session.count(DAY)

    async def test_a_platform_that_promises_too_much_is_not_believed(self, infin8_sandbox):
        infin8_sandbox.fail(
            None, page=1, body=b'{"code":1,"msg":"","data":{"data":[{"id":7}],"page":1,"per_page":1,"total":9}}'
        )
        async with session_of(infin8_sandbox) as session:
            stream = session.cdrs(CdrQuery.day(date(1999, 1, 1)))
            with pytest.raises(IncompleteResultError) as caught:
                await stream.collect()
        assert (caught.value.expected, caught.value.received) == (9, 1)

    async def test_neither_key_nor_numbers_reach_a_log(self, infin8_sandbox, caplog):
        caplog.set_level(logging.DEBUG)
        number = next(infin8_sandbox.rows())["callnumber"]
        infin8_sandbox.fail(1, code=1000, msg=f"sandbox-key {number}")
        async with session_of(infin8_sandbox) as session:
            await session.cdrs(CdrQuery.day(date(2020, 6, 10), callnumber=str(number))).collect()
        assert "page 1" in caplog.text
        assert "sandbox-key" not in caplog.text
        assert str(number) not in caplog.text


class TestNotebooks:
    async def test_a_session_is_opened_and_closed_without_a_block(self, infin8_sandbox):
        session = await session_of(infin8_sandbox).open()
        assert await session.count(DAY) == len(infin8_sandbox.ids())
        with pytest.raises(RuntimeError, match="open already"):
            await session.open()
        await session.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await session.open()

    async def test_a_session_shows_its_state_and_no_secret_of_its_address(self):
        async with Sandbox(10) as sandbox:
            address = sandbox.base_url.replace("//", "//me:s3cret@") + "/13812345678"
            session = Infin8Session(sandbox.credentials, base_url=address)
            assert repr(session) == f"<Infin8Session {sandbox.base_url}: not open, 0 requests sent>"
            async with session_of(sandbox) as session:
                await session.count(DAY)
                assert repr(session) == f"<Infin8Session {sandbox.base_url}: open, 1 requests sent>"
            assert repr(session) == f"<Infin8Session {sandbox.base_url}: closed, 1 requests sent>"

    async def test_a_stream_shows_how_far_it_is_and_no_number(self, infin8_sandbox):
        for _ in range(3):
            infin8_sandbox.add_call(starttime="2020-06-10 12:00:00", disnumber="13812345678")
        window = "<CdrStream from 2020-06-10 00:00:00 to 2020-06-10 23:59:59:"
        query = CdrQuery.day(date(2020, 6, 10), disnumber="13812345678")
        async with session_of(infin8_sandbox) as session:
            stream = session.cdrs(query)
            assert repr(stream) == f"{window} 0 calls, open>"
            await anext(stream)
            assert repr(stream) == f"{window} 1 of 3 calls, open>"
            await stream.collect()
            assert repr(stream) == f"{window} 3 of 3 calls, was read to its end>"
            async with session.cdrs(query) as stream:
                await anext(stream)
            assert repr(stream) == f"{window} 1 of 3 calls, was closed>"
            infin8_sandbox.fail(1, hang=True)
            stream = session.cdrs(query)
            reader = asyncio.create_task(stream.collect())
            await infin8_sandbox.wait_for_requests(3)
            assert repr(stream) == f"{window} 0 calls, being read>"
        await asyncio.gather(reader, return_exceptions=True)
        assert repr(stream) == f"{window} 0 calls, ended with RuntimeError>"


class TestMisuse:
    async def test_a_session_that_is_not_open(self):
        session = Infin8Session(Credentials("a", "k", username="u"))
        for use in (session.count, session.page):
            with pytest.raises(RuntimeError, match="async with"):
                await use(DAY)
        with pytest.raises(RuntimeError, match="async with"):
            session.cdrs(DAY)
        await session.aclose()

    async def test_a_session_that_is_closed_stays_closed(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            with pytest.raises(RuntimeError, match="open already"):
                await session.__aenter__()
            stream = session.cdrs(DAY)
        for use in (session.count(DAY), session.__aenter__(), stream.collect()):
            with pytest.raises(RuntimeError, match="closed"):
                await use

    async def test_a_session_on_another_loop(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:

            def elsewhere() -> None:
                asyncio.run(session.count(DAY))

            with pytest.raises(RuntimeError, match="another event loop"):
                await asyncio.to_thread(elsewhere)

    async def test_two_readers_on_one_stream(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            stream = session.cdrs(DAY)
            first = asyncio.create_task(stream.collect())
            await infin8_sandbox.wait_for_requests(1)
            with pytest.raises(RuntimeError, match="two readers"):
                await anext(stream)
            assert len(await first) == 1000

    async def test_for_instead_of_async_for(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            with pytest.raises(TypeError, match="async for"):
                list(session.cdrs(DAY))

    @pytest.mark.parametrize(
        "options",
        [{"concurrency": 0}, {"concurrency": 2.5}, {"per_page": 0}, {"timeout": 0}, {"timeout": -1.0}, {"max_rate": 0},
         {"timeout": float("inf")}, {"concurrency": True}, {"base_url": "ftp://x"}, {"base_url": "platform"}],
    )  # fmt: skip
    def test_numbers_that_make_no_sense(self, options):
        with pytest.raises(ValueError, match=next(iter(options))):
            Infin8Session(Credentials("a", "k", username="u"), **options)

    async def test_arguments_that_make_no_sense(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            with pytest.raises(ValueError, match="integrity"):
                session.cdrs(DAY, integrity="hope")
            with pytest.raises(ValueError, match="limit"):
                await session.cdrs(DAY).collect(limit=-1)
            for arguments in ({"number": 0}, {"per_page": 0}):
                with pytest.raises(ValueError, match=next(iter(arguments))):
                    await session.page(DAY, **arguments)


async def test_the_environment_makes_a_session(infin8_sandbox, monkeypatch):
    credentials = infin8_sandbox.credentials
    monkeypatch.setenv("INFIN8_APPID", credentials.appid)
    monkeypatch.setenv("INFIN8_ACCESSKEY", credentials.accesskey)
    monkeypatch.setenv("INFIN8_USERNAME", credentials.username)
    monkeypatch.setenv("INFIN8_BASE_URL", infin8_sandbox.base_url)
    async with Infin8Session.from_env(concurrency=2) as session:
        assert await session.count(DAY) == 1000
    assert os.environ["INFIN8_BASE_URL"]


async def test_the_default_address_is_the_platforms_and_the_form_its_own():
    posted = {}

    class Response(ClientResponse):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, stream_writer=SimpleNamespace(output_size=0), **kwargs)

    def answer(url, *, data, **kwargs) -> CallbackResult:
        posted.update(data)
        return CallbackResult(payload={"code": 1, "msg": "ok", "data": []}, response_class=Response)

    with aioresponses() as mock:
        mock.post("http://platform.infin8linx.com/api/cdrs", callback=answer)
        async with Infin8Session(Credentials("a", "k", username="u")) as session:
            assert await session.count(DAY) == 0
    assert posted == {
        "appid": "a", "accesskey": "k", "username": "u", "starttime": "2020-06-10 00:00:00",
        "endtime": "2020-06-10 23:59:59", "page": "1", "per_page": "1",
    }  # fmt: skip
