"""Whether the database says what the platform says."""

from datetime import date, timedelta
from itertools import product
from random import Random

import pytest
from attrs import evolve
from databases import sql
from platform_of_calls import START, Platform, call
from profiles import some

from infin8_async import CdrQuery, Credentials
from infin8_async.store import AuditReport, CdrStore

DAY = 86_400
WEEK = CdrQuery(START, START + timedelta(days=7) - timedelta(seconds=1))
TIMES = ("starttime", "answertime", "endtime")
PLATFORMS = list(product(TIMES, ("[]", "[)", "(]", "()")))
# The bounds are the same to every database.
EVERYWHERE = [("sqlite", *platform) for platform in PLATFORMS] + list(product(("postgresql", "mysql"), TIMES, ("[]",)))


def calls(number=500):
    chance = Random(3)
    return [
        call(n, chance.randrange(60, 7 * DAY - 60), chance.randrange(60), chance.random() < 0.7) for n in range(number)
    ]


@pytest.mark.any_database
async def test_one_count_is_all_if_everything_agrees(url):
    platform = Platform.of(calls())
    async with CdrStore(url) as store:
        await store.sync(platform, WEEK)
        platform.requests()
        report = await store.audit(platform, WEEK)
    assert report == AuditReport(held=500, counted=500)
    assert report.agrees
    assert platform.requests() == (1, 0)


@pytest.mark.parametrize(("url", "compares", "bounds"), some(EVERYWHERE, 6), indirect=["url"])
async def test_whatever_the_platform_compares_an_audit_agrees_after_a_sync_and_finds_each_loss(url, compares, bounds):
    chance = Random(f"{compares}{bounds}")
    borders = [
        call(1000 + 100 * day + n, day * DAY + offset, lasted, answered=chance.random() < 0.7)
        for day in range(8)
        for n, (offset, lasted) in enumerate(product((-1800, -2, -1, 0, 1, 2), (0, 1, 3600)))
    ]
    platform = Platform.of(calls(200) + borders, compares=compares, bounds=bounds)
    async with CdrStore(url) as store:
        await store.sync(platform, WEEK)
        assert (await store.audit(platform, WEEK)).agrees
        assert (await store.audit(platform, WEEK, deep=True)).agrees
        lost = chance.choice(platform.answer(WEEK, "all"))
        await sql(url, f"DELETE FROM cdrs WHERE id = {lost.id}")
        report = await store.audit(platform, WEEK)
        assert not report.agrees
        assert report.counted - report.held == 1
        report = await store.audit(platform, WEEK, deep=True)
        assert not report.agrees
        assert {number for day in report.days for number in day.missing} == {lost.id}


@pytest.mark.any_database
async def test_it_says_which_days_differ_and_by_how_much_and_writes_nothing(url):
    platform = Platform.of(calls())
    async with CdrStore(url) as store:
        await store.sync(platform, WEEK)
        platform.calls[1000] = call(1000, 2 * DAY + 40_000)
        platform.calls[1001] = call(1001, 5 * DAY + 40_000)
        tables = [await sql(url, f"SELECT * FROM {table}") for table in ("cdrs", "cdr_windows")]
        platform.requests()
        report = await store.audit(platform, WEEK)
        assert (report.held, report.counted, report.agrees) == (500, 502, False)
        assert [day.day for day in report.days] == [date(2020, 6, 12), date(2020, 6, 15)]
        assert all(day.counted - day.held == 1 for day in report.days)
        assert platform.requests()[1] == 0
        assert [await sql(url, f"SELECT * FROM {table}") for table in ("cdrs", "cdr_windows")] == tables


async def test_deep_says_exactly_which_calls_are_missing_changed_and_vanished(url):
    platform = Platform.of(calls())
    async with CdrStore(url) as store:
        await store.sync(platform, WEEK)
        platform.change(17, billsec=12_345)
        del platform.calls[99]
        platform.calls[1000] = call(1000, 2 * DAY + 40_000)
        assert (await store.audit(platform, WEEK)).agrees  # as many are held as are counted
        report = await store.audit(platform, WEEK, deep=True)
        found = {
            name: [number for day in report.days for number in getattr(day, name)]
            for name in ("missing", "changed", "vanished")
        }
        assert found == {"missing": [1000], "changed": [17], "vanished": [99]}
        assert (report.held, report.counted, report.agrees) == (500, 500, False)
        await store.sync(platform, WEEK, deep=True)
        assert (await store.audit(platform, WEEK, deep=True)).agrees


@pytest.mark.any_database
async def test_a_filter_and_an_account_are_kept_to(url):
    platform = Platform.of(evolve(cdr, extnumber="8001" if cdr.id % 2 else "8002") for cdr in calls())
    async with CdrStore(url) as store:
        await store.sync(platform, WEEK)
        await store.save([call(10**6, 1000)], account="another")
        report = await store.audit(platform, evolve(WEEK, extnumber="8001"))
    assert report == AuditReport(held=250, counted=250)


@pytest.mark.any_database
async def test_a_call_that_came_back_is_missing_until_it_is_synced(url):
    platform = Platform.of(calls())
    async with CdrStore(url) as store:
        await store.sync(platform, WEEK)
        gone = platform.calls.pop(7)
        await store.sync(platform, WEEK)
        assert (await store.audit(platform, WEEK, deep=True)).agrees
        platform.calls[7] = gone
        report = await store.audit(platform, WEEK, deep=True)
        assert [day.missing for day in report.days] == [(7,)]
        await store.sync(platform, WEEK)
        assert (await store.audit(platform, WEEK, deep=True)).agrees


@pytest.mark.parametrize(("compares", "bounds"), some(PLATFORMS, 4))
async def test_a_call_over_midnight_that_is_gone_is_found_without_deep(tmp_path, compares, bounds):
    platform = Platform.of([call(n, n * DAY - 30, 60) for n in range(1, 7)], compares=compares, bounds=bounds)
    async with CdrStore(f"sqlite:///{tmp_path / 'calls.db'}") as store:
        await store.sync(platform, WEEK)
        assert (await store.audit(platform, WEEK)).agrees
        del platform.calls[3]
        report = await store.audit(platform, WEEK)
        assert (report.agrees, report.held - report.counted) == (False, 1)
        assert {number for day in (await store.audit(platform, WEEK, deep=True)).days for number in day.vanished} == {3}


@pytest.mark.any_database
async def test_calls_that_only_another_user_sees_are_no_difference(url):
    mine = Platform.of(calls(), sees=lambda cdr: cdr.id < 300)
    others = Platform.of(calls(), sees=lambda cdr: cdr.id >= 200, credentials=Credentials("app", "key", username="you"))
    async with CdrStore(url) as store:
        await store.sync(mine, WEEK)
        await store.sync(others, WEEK)
        for platform in (mine, others):
            assert (await store.audit(platform, WEEK)).agrees
            assert (await store.audit(platform, WEEK, deep=True)).agrees
        await sql(url, "DELETE FROM cdrs WHERE id = 250")
        for platform in (mine, others):
            assert not (await store.audit(platform, WEEK)).agrees
