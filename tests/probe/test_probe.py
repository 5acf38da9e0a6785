"""The probe against sandboxes of every behaviour, by a clock that jumps."""

import gzip
import json
import random
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.utils import formatdate

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from clock import run
from platforms import (
    BEHAVIOURS,
    DAY,
    MORNING,
    differences,
    expected,
    filled,
    probed,
    sandbox_like,
    session_of,
    together,
)
from profiles import THOROUGH, cases

from infin8_async import (
    BEIJING,
    AuthenticationError,
    CdrQuery,
    Credentials,
    Infin8Session,
    ParameterError,
    ResponseError,
    RetryPolicy,
)
from infin8_async.probe import NOT_FOUND_OUT, Finding, probe
from infin8_async.testing import Quirks, Sandbox

AT_ONCE = 1e6
"""A rate for the clock of this machine: large bodies take time to pass from socket to socket."""

SOME = list(together(2 if THOROUGH else 1, random.Random(0)))
ANY = [
    {name: random.Random(f"{seed} {name}").choice(values) for name, values in BEHAVIOURS.items()} for seed in range(30)
]


def short(values) -> str:
    return "-".join(str(value) for value in values.values())[:60]


@pytest.mark.parametrize("values", SOME + THOROUGH * ANY, ids=short)
def test_each_behaviour_is_named_whatever_it_comes_with(values):
    report = run(probed(sandbox_like(values, seed=len(str(values)))))
    assert differences(report, expected(values)) == {}


@pytest.mark.parametrize("values", SOME[: cases(13, 2)], ids=short)
def test_a_sandbox_like_a_report_gets_the_same_report(values):
    first = run(probed(sandbox_like(values)))
    again = run(probed(filled(Sandbox.like(first, 0))))
    # What was not found out is as usual there, and may show.
    assert differences(again, {name: {it.value} for name, it in first.findings.items() if it.found}) == {}


async def test_a_page_without_a_cap_is_none_seen():
    report = await probed(Sandbox(5100, max_per_page=10_000), rate=AT_ONCE)
    assert report.findings["page_cap"].value == "none seen"
    assert report.findings["largest_page"].value == NOT_FOUND_OUT
    async with Sandbox.like(report, 5100) as sandbox, session_of(sandbox) as session:
        assert len((await session.page(DAY, per_page=6000)).cdrs) == 5100


def test_an_echo_that_never_changes_is_a_silent_cap():
    report = run(probed(filled(Sandbox(0, max_per_page=100, quirks=Quirks(echo="default")))))
    assert (report.findings["largest_page"].value, report.findings["page_cap"].value) == ("100", "silent")


@pytest.mark.parametrize(("count_age", "value"), [(0.0, "agree"), (45.0, "lag")])
def test_new_calls_show_whether_counts_lag(count_age, value):
    def ring(request):
        if len(sandbox.requests) % 2:
            sandbox.add_call()

    sandbox = filled(Sandbox(0, count_age=count_age, on_request=ring))
    report = run(probed(sandbox))
    assert report.findings["counts"].value == value
    # Calls that come meanwhile mislead nobody.
    found = {name: {value} for name, value in {"order": "newest", "time_compared": "starttime", "bounds": "[]"}.items()}
    assert differences(report, found) == {}


def test_of_a_query_without_an_end_calls_count_that_are_dialled_meanwhile():
    def ring(request):
        sandbox.add_call(starttime=f"{datetime.now(BEIJING) + timedelta(minutes=5):%Y-%m-%d %H:%M:%S}")

    async def main():
        async with sandbox, session_of(sandbox) as session:
            return await probe(session, query=CdrQuery("2020-06-10 00:00:00"))

    sandbox = filled(Sandbox(0, on_request=ring))
    assert run(main()).findings["counts"].value == "agree"


def test_counts_of_a_list_that_stands_still_show_nothing():
    assert run(probed(filled(Sandbox(0, count_age=45.0)))).findings["counts"].value == NOT_FOUND_OUT


@pytest.mark.parametrize("calls", [0, 1, 5])
def test_an_account_without_calls_shows_little_and_nothing_wrong(calls):
    report = run(probed(filled(Sandbox(0), calls=calls)))
    shown = {name for name, it in report.findings.items() if it.found}
    assert shown.isdisjoint({"order", "ties", "bounds", "time_compared", "largest_page", "page_cap", "counts"})


class Chance:
    """A platform whose every answer is made up on the spot."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    @asynccontextmanager
    async def served(self):
        app = web.Application()
        app.router.add_post("/api/cdrs", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield "http://{}:{}".format(*runner.addresses[0][:2])
        finally:
            await runner.cleanup()

    def row(self) -> dict[str, object]:
        times = [f"{MORNING + timedelta(seconds=self.chance.randrange(9000)):%Y-%m-%d %H:%M:%S}" for _ in range(3)]
        numbers = {"duration": self.chance.randrange(999), "billsec": self.chance.randrange(999)}
        return (
            {"id": self.chance.randrange(300)}
            | dict(zip(("starttime", "answertime", "endtime"), times, strict=True))
            | numbers
        )

    async def answer(self, request: web.Request) -> web.Response:
        chance = self.chance
        if (await request.post())["page"] != "1" and chance.random() < 0.3:
            return web.json_response({"code": 1001, "msg": "Parameter error", "data": []})
        rows = [self.row() for _ in range(chance.choice([0, 3, 10, 50, 200]))]
        data = {"data": rows, "page": 1, "per_page": chance.randrange(1, 2000), "total": chance.randrange(3000)}
        body, headers = json.dumps({"code": 1, "msg": "", "data": data}).encode(), {"Content-Type": "application/json"}
        if chance.random() < 0.5:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        headers["Date"] = formatdate(1.6e9 + chance.randrange(10**6), usegmt=True)
        response = web.Response(body=body, headers=headers)
        if chance.random() < 0.5:
            response.force_close()
        return response


class Forgetful(Chance):
    """A platform that leaves out some calls of a window each time."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.calls = [self.row() | {"id": number} for number in range(300)]

    async def answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        held = [row for row in self.calls if str(form["starttime"]) <= str(row["starttime"]) <= str(form["endtime"])]
        rows = [row for row in held if self.chance.random() < 0.6][: int(str(form["per_page"]))]
        data = {"data": rows, "page": 1, "per_page": 1000, "total": len(rows) + self.chance.randrange(3)}
        return web.json_response({"code": 1, "msg": "", "data": data})


MEASURED = {"latency", "latency_deep", "https", "unknown_fields", "unknown_values"}
"""What can be said of any platform, even of one that answers at random."""


async def probed_by_chance(platform: Chance) -> dict[str, Finding]:
    async with (
        platform.served() as url,
        Infin8Session(Credentials("app", "key", username="u"), base_url=url) as session,
    ):
        report = await probe(session, query=DAY)
    return {name: finding for name, finding in report.findings.items() if finding.found and name not in MEASURED}


@pytest.mark.parametrize("seed", range(cases(20)))
def test_of_a_platform_that_answers_at_random_nothing_is_found_out(seed):
    assert run(probed_by_chance(Chance(seed))) == {}


@pytest.mark.parametrize("seed", range(cases(10)))
def test_of_a_platform_that_forgets_calls_at_random_no_list_is_found_out(seed):
    assert run(probed_by_chance(Forgetful(seed))).keys() == {"clock_skew", "keep_alive", "compression"}


@pytest.mark.parametrize("most_requests", [1, 2, 9, 33])
def test_never_more_requests_than_promised_and_what_is_left_says_so(most_requests):
    sandbox = filled(Sandbox(0))
    report = run(probed(sandbox, most_requests=most_requests))
    assert len(sandbox.requests) == most_requests if most_requests < 29 else len(sandbox.requests) < 33
    if most_requests < 29:
        assert f"stopped after {most_requests} requests" in report.findings["https"].evidence


def test_a_request_that_fails_is_asked_again_once_and_both_are_counted():
    sandbox = filled(Sandbox(0))
    plain = run(probed(filled(Sandbox(0)))).requests
    sandbox.fail(2, page=2, status=503)
    sandbox.fail(status=502)
    report = run(probed(sandbox))
    assert report.requests == plain + 2
    assert report.findings["order"].value == "newest"


@pytest.mark.parametrize("after", [1, 2, 12])
def test_it_stops_at_the_first_429_and_keeps_what_it_knows(after):
    def limit(request):
        if len(sandbox.requests) == after:
            sandbox.fail(None, status=429)

    sandbox = filled(Sandbox(0, on_request=limit))
    report = run(probed(sandbox))
    assert len(sandbox.requests) == report.requests == after
    assert f"request {after} was refused with status 429, at 2 a second" in report.findings["https"].evidence
    assert (report.findings["order"].value == "newest") == (after > 2)


@pytest.mark.parametrize(("fault", "error"), [({"code": 1005}, AuthenticationError), ({"status": 500}, ResponseError)])
def test_if_not_even_the_first_request_is_answered_its_error_is_raised(fault, error):
    sandbox = filled(Sandbox(0))
    sandbox.fail(None, **fault)
    with pytest.raises(error):
        run(probed(sandbox))
    assert len(sandbox.requests) <= 2


def test_numbers_that_make_no_sense_are_refused():
    for options in ({"most_requests": 0}, {"rate": 0.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            run(probed(Sandbox(0), **options))


async def test_without_a_query_it_takes_as_many_days_as_hold_enough_calls():
    today = datetime.now(BEIJING).date()
    asked = []
    for calls, days in ((200, 20), (4000, 1)):
        async with Sandbox(calls, start=today - timedelta(days=days), days=days + 1) as sandbox:
            async with session_of(sandbox) as session:
                await probe(session, rate=AT_ONCE)
        asked.append([request.form["starttime"] for request in sandbox.requests[:3]])
    few, many = asked
    assert few == sorted(set(few), reverse=True)
    assert many[0] < many[1]  # a day has enough, and a part of it is looked at next


class TestPrivacy:
    SECRETS = ("13800138000", "8001", "wang", "k3y-s3cret", "app-7", "203.0.113.9", "memberid-5", "Zhang")

    def test_no_number_name_key_or_account_is_in_a_report(self):
        number, extension, user, key, app, address, member, name = self.SECRETS
        sandbox = Sandbox(0, credentials=Credentials(app, key, username=user, ip=address))
        for second in range(300):
            dialled = f"{MORNING + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}"
            whose = {"userid": user, "memberid": member, "clientip": address, "downloadip": address}
            numbers = dict.fromkeys(("disnumber", "callnumber", "anumber", "context"), number)
            names = dict.fromkeys(("hangupdirection", "callmethod"), name)
            sandbox.add_call(starttime=dialled, extnumber=extension, **whose, **numbers, **names)
        sandbox.fail(2, page=0, code=1001, msg=f"{user} ({app}, {key}, {address}) may not see {number}")
        report = run(probed(sandbox))
        text = json.dumps(report.to_dict()) + repr(report)
        assert [secret for secret in self.SECRETS if secret in text] == []
        assert report.findings["unknown_values"].value == "context, callmethod, hangupdirection"


class Ports(AbstractResolver):
    """Leads the ports of http and https to others, on this machine."""

    def __init__(self, ports: dict[int, int]) -> None:
        self.ports = ports

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self.ports[port], family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def by_https(authority: trustme.CA):
    """The port of a platform with no calls that speaks TLS."""

    async def answer(_):
        return web.json_response({"code": 1, "msg": "", "data": {"data": [], "page": 1, "per_page": 1, "total": 0}})

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("platform.test").configure_cert(context)
    app = web.Application()
    app.router.add_post("/api/cdrs", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class TestHttps:
    @pytest.mark.parametrize(
        ("speaks_tls", "trusted", "value"),
        [(False, True, "does not answer"), (True, True, "answers"), (True, False, "bad certificate")],
    )
    async def test_the_same_host_is_asked_by_https_and_the_certificate_is_verified(self, speaks_tls, trusted, value):
        authority = trustme.CA()
        context = ssl.create_default_context()
        if trusted:
            authority.configure_trust(context)
        async with Sandbox(0) as sandbox, by_https(authority) as port:
            plain = int(sandbox.base_url.rpartition(":")[2])
            ports = Ports({80: plain, 443: port if speaks_tls else plain})
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=ports, ssl=context)) as http,
                Infin8Session(sandbox.credentials, base_url="http://platform.test", http_session=http) as session,
            ):
                report = await probe(session, query=DAY, rate=AT_ONCE)
        assert report.findings["https"].value == value
        assert any("https" in line for line in report.advice) == (value == "answers")


class TestAsk:
    async def test_it_sends_one_request_and_gives_what_came_with_the_page(self):
        async with Sandbox(50) as sandbox, session_of(sandbox) as session:
            page, answer = await session.ask(DAY, 2, per_page=20)
            assert [cdr.id for cdr in page.cdrs] == sandbox.ids()[20:40]
            assert answer.headers["Content-Type"].startswith("application/json")
            assert answer.seconds > 0
            sandbox.fail(status=503)
            with pytest.raises(ResponseError):
                await session.ask(DAY, 1, per_page=20)
            with pytest.raises(ParameterError):
                await session.ask(DAY, 0, per_page=20)
            assert len(sandbox.requests) == 3

    @pytest.mark.parametrize(("status", "slowed"), [(503, False), (429, True)])
    async def test_only_a_refusal_for_too_many_requests_slows_the_session_down(self, status, slowed):
        async with Sandbox(50) as sandbox, session_of(sandbox, retry=RetryPolicy(attempts=1)) as session:
            sandbox.fail(status=status)
            with pytest.raises(ResponseError):
                await session.ask(DAY, 1, per_page=20)
            assert (session._connection._transport._pace._interval > 0) == slowed
