"""What users write, as a type checker sees it. Checked, not run."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import assert_type

import aiohttp

from infin8_async import (
    Budget,
    CallDirection,
    CallMethod,
    Cdr,
    CdrFeed,
    CdrPage,
    CdrQuery,
    CdrStream,
    Credentials,
    HangupDirection,
    Infin8Session,
    Leg,
    PlatformError,
    RetryPolicy,
    StreamReport,
)
from infin8_async.export import to_csv
from infin8_async.probe import Finding, ProbeReport, probe, rate_test, watch
from infin8_async.store import AuditReport, CdrStore, SaveResult, SyncReport
from infin8_async.testing import Sandbox


async def read(session: Infin8Session) -> None:
    query = CdrQuery("2020-06-10 00:00:00", datetime.now(UTC), context="callout", callmethod=2, extnumber=None)
    async with session.cdrs(query, integrity="raise") as stream:
        assert_type(stream, CdrStream)
        async for cdr in stream:
            assert_type(cdr, Cdr)
            assert_type(cdr.starttime, datetime | None)
            assert_type(cdr.context, CallDirection | str)
            assert_type(cdr.hangup, HangupDirection | str)
            assert_type(cdr.callmethod, CallMethod | str)
            assert_type(cdr.extra, Mapping[str, object])
            assert_type(cdr.talk_time, timedelta)
            assert_type(cdr.a_leg, Leg | None)
        async for page in stream.pages():
            assert_type(page, CdrPage)
            assert_type(page.cdrs, tuple[Cdr, ...])
    assert_type(stream.report, StreamReport)
    assert_type(stream.total, int | None)
    assert_type(await session.cdrs(query).collect(10), list[Cdr])
    assert_type(await session.count(CdrQuery.last(timedelta(hours=1), callmethod=CallMethod.DOUBLE)), int)
    assert_type(await session.plan(query, calls=10_000), list[CdrQuery])
    assert_type(await session.page(CdrQuery.day(date(2020, 6, 10)), 2, per_page=50), CdrPage)


async def look(session: Infin8Session) -> None:
    report = await probe(session, query=CdrQuery.last(timedelta(days=1)), most_requests=60, rate=1)
    assert_type(report, ProbeReport)
    assert_type(report.findings, Mapping[str, Finding])
    assert_type(report.findings["order"].value, str)
    assert_type(report.advice, Sequence[str])
    assert_type(await rate_test(session, report), ProbeReport)
    assert_type(await watch(session, report, duration=timedelta(minutes=30)), ProbeReport)
    assert_type(Sandbox.like(report, calls=500), Sandbox)


class Nowhere:
    async def load(self) -> str | None:
        return None

    async def save(self, state: str) -> None:
        assert_type(state, str)


def accepted(now: datetime) -> list[CdrQuery]:
    return [
        CdrQuery(now, now),
        CdrQuery("2020-06-10 00:00:00", "2020-06-11 00:00:00", context="callin", callmethod=2),
        CdrQuery(now, None, context=CallDirection.OUTGOING, callmethod=CallMethod.API, userid="u"),
        CdrQuery(now, context=None, callmethod="2"),
        CdrQuery.day(now.date(), context="callout", callmethod=CallMethod.DOUBLE, memberid="m"),
    ]


async def follow(session: Infin8Session, query: CdrQuery, path: Path) -> None:
    async with session.follow(query, checkpoint=path, interval=timedelta(seconds=5)) as feed:
        assert_type(feed, CdrFeed)
        async for cdr in feed:
            assert_type(cdr, Cdr)
        async for cdrs in feed.batches():
            assert_type(cdrs, Sequence[Cdr])
    session.follow(query, checkpoint=Nowhere())
    assert_type(feed.report.lateness, timedelta | None)


async def keep(session: Infin8Session, query: CdrQuery) -> int:
    async with CdrStore("sqlite:///calls.db") as store:
        assert_type(await store.save([Cdr(id=1)]), SaveResult)
        assert_type(await store.sync(session, query, deep=True), SyncReport)
        assert_type(await store.audit(session, query, deep=True), AuditReport)
        async for cdr in store:
            assert_type(cdr, Cdr)
        return await to_csv(store, "calls.csv")


async def configure(http: aiohttp.ClientSession) -> AsyncIterator[Infin8Session]:
    credentials = Credentials("app", "key", ip="pbx.example")
    options = {"INFIN8_APPID": "app"}
    yield Infin8Session(credentials, concurrency=4, max_rate=5, retry=RetryPolicy(attempts=2), http_session=http)
    yield Infin8Session(Credentials.from_env(options), base_url="https://platform.example", timeout=5)
    budget = Budget(concurrency=4, max_rate=20)
    yield Infin8Session(credentials, budget=budget, trust_env=True)
    async with Infin8Session.from_env(per_page=100, budget=budget) as session:
        yield session


async def fail(session: Infin8Session) -> tuple[int, str]:
    async with Sandbox(10, order="oldest") as sandbox:
        assert_type(sandbox.credentials, Credentials)
    try:
        await session.count(CdrQuery("2020-06-10 00:00:00"))
    except PlatformError as error:
        return error.code, error.msg
    return 1, ""


def mistakes(session: Infin8Session, query: CdrQuery, cdr: Cdr) -> None:
    session.cdrs(query, integrity="hope")  # type: ignore[arg-type]  # not one of the three
    Infin8Session.from_env(speed=3)  # type: ignore[call-arg]  # no such option
    CdrQuery.day(date(2020, 6, 10), number="1")  # type: ignore[call-arg]  # no such filter
    cdr.billsec = 3  # type: ignore[misc]  # records are frozen
    CdrQuery(5)  # type: ignore[arg-type]  # neither a datetime nor a string
    CdrQuery("2020-06-10 00:00:00", 5)  # type: ignore[arg-type]  # the same
    CdrQuery("2020-06-10 00:00:00", context="calin")  # type: ignore[arg-type]  # not one of the two
    CdrQuery("2020-06-10 00:00:00", callmethod=7)  # type: ignore[arg-type]  # not one of the seven
    CdrQuery("2020-06-10 00:00:00", extnumber=8001)  # type: ignore[arg-type]  # a number is text: it may begin with 0
    CdrQuery.last(timedelta(hours=1), context="calin")  # type: ignore[arg-type]  # not one of the two
    Credentials("a", 5)  # type: ignore[arg-type]  # a key is text
    Credentials("a", "b", username=5)  # type: ignore[arg-type]  # a name is text
