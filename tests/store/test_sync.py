"""What `sync` asks, reads and claims, whatever the platform compares, for any user."""

import asyncio
from datetime import datetime, timedelta
from functools import cache
from itertools import count, product
from math import ceil, log2
from random import Random

import pytest
from attrs import evolve
from databases import run_sql, sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platform_of_calls import ME, START, Platform, call
from profiles import cases, some

from infin8_async import BEIJING, CdrQuery, Credentials, IncompleteResultError
from infin8_async.store import CdrStore, SaveResult, SyncProgress

DAY = 86_400
YEAR = CdrQuery(START, START + timedelta(days=365) - timedelta(seconds=1))
WEEK = CdrQuery(START, START + timedelta(days=7) - timedelta(seconds=1))
NUMBERS = count()
PLATFORMS = [
    (time, bounds) for time, bounds in product(("starttime", "answertime", "endtime"), ("[]", "[)", "(]", "()"))
]


@pytest.fixture
async def store(tmp_path):
    async with CdrStore(f"sqlite:///{tmp_path / 'calls.db'}") as store:
        yield store


async def held(store):
    return {cdr.id: cdr async for cdr in store}


A_DAY = cases(20, 5)
"""How many calls a day of a year has."""


@cache
def year(calls_a_day=A_DAY):
    chance = Random(1)
    return [
        call(day * calls_a_day + number, day * DAY + chance.randrange(3600, DAY - 7200), chance.randrange(600))
        for day in range(365)
        for number in range(calls_a_day)
    ]


class TestCountingIsASearch:
    async def test_a_year_that_has_not_changed_costs_one_count(self, store):
        platform = Platform.of(year())
        report = await store.sync(platform, YEAR)
        assert (report.days, report.unchanged, report.certified) == (365, 0, 365)
        assert report.saved == SaveResult(inserted=365 * A_DAY)
        platform.requests()
        report = await store.sync(platform, YEAR)
        assert (report.unchanged, report.certified, report.saved) == (365, 0, SaveResult())
        assert platform.requests() == (1, 0)

    async def test_days_of_few_calls_are_read_many_at_once(self, store):
        platform = Platform.of(year())
        await store.sync(platform, YEAR)
        counts, pulls = platform.requests()
        assert counts == 1
        assert pulls <= 2 * 365 * A_DAY / 800

    @pytest.mark.parametrize("day", some([0, 100, 182, 364], 2))
    async def test_one_changed_day_of_a_year_costs_two_counts_for_each_halving_and_that_day(self, store, day):
        platform = Platform.of(year())
        await store.sync(platform, YEAR)
        platform.requests()
        platform.calls[10**6] = late = call(10**6, day * DAY + 50_000)
        report = await store.sync(platform, YEAR)
        assert (report.unchanged, report.certified, report.saved.inserted) == (364, 1, 1)
        assert (await held(store))[10**6] == late
        counts, pulls = platform.requests()
        assert counts <= 1 + 2 * ceil(log2(365))
        assert pulls == 1

    async def test_a_window_that_moves_on_asks_only_for_what_is_new(self, store):
        platform = Platform.of(year())
        month = CdrQuery(START + timedelta(hours=9), START + timedelta(days=30, hours=9))
        await store.sync(platform, month)
        platform.requests()
        later = CdrQuery(START + timedelta(days=1, hours=9), START + timedelta(days=31, hours=9))
        report = await store.sync(platform, later)
        assert report.unchanged == 29
        counts, pulls = platform.requests()
        assert (counts, pulls) == (2, 1)

    async def test_of_today_only_the_last_hours_are_read_again(self, store):
        now = datetime.now(BEIJING)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if now - midnight < timedelta(hours=3):
            midnight -= timedelta(days=1)  # a day that is over has no last hours
            now = midnight + timedelta(hours=20)
        elapsed = int((now - START).total_seconds())
        platform = Platform.of(call(n, elapsed - n * 60) for n in range(1, int((now - midnight).total_seconds()) // 60))
        await store.sync(platform, CdrQuery(midnight, now))
        platform.asked.clear()
        platform.calls[10**6] = call(10**6, elapsed - 30)
        await store.sync(platform, CdrQuery(midnight, now + timedelta(seconds=30)))
        assert 10**6 in await held(store)
        starts = [query.starttime for kind, query in platform.asked if kind == "pull"]
        if now > datetime.now(BEIJING) - timedelta(hours=1):
            assert min(starts) > now - timedelta(hours=2, minutes=1)


@pytest.mark.parametrize(("compares", "bounds"), some(PLATFORMS, 4))
async def test_whatever_the_platform_compares_everything_lands_and_the_second_sync_is_one_count(
    store, compares, bounds
):
    chance = Random(f"{compares}{bounds}")
    # Calls at every border, over every border, of all lengths.
    calls = [call(n, chance.choice((0, chance.randrange(7 * DAY))), chance.randrange(3000)) for n in range(300)]
    calls += [
        call(1000 + 100 * day + n, day * DAY + offset, lasted, answered=chance.random() < 0.7)
        for day in range(1, 7)
        for n, (offset, lasted) in enumerate(product((-3600, -61, -2, -1, 0, 1, 2), (0, 1, 60, 3600)))
    ]
    platform = Platform.of(calls, compares=compares, bounds=bounds)
    await store.sync(platform, WEEK)
    assert await held(store) == {cdr.id: cdr for cdr in platform.answer(WEEK, "all")}
    platform.requests()
    report = await store.sync(platform, WEEK)
    assert (report.unchanged, report.saved) == (7, SaveResult())
    assert platform.requests() == (1, 0)


@settings(max_examples=cases(100, 10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.sampled_from(PLATFORMS),
    seed=st.integers(0, 10**6),
    windows=st.lists(st.tuples(st.integers(0, 5 * DAY), st.integers(1, 3 * DAY)), min_size=1, max_size=4),
    deep=st.booleans(),
)
async def test_a_sync_never_leaves_out_what_the_platform_gives_for_its_window(tmp_path, where, seed, windows, deep):
    """Overlapping windows one after the other, while calls appear and go."""
    chance = Random(seed)
    compares, bounds = where
    platform = Platform.of([], compares=compares, bounds=bounds, size=7)
    new = iter(range(1, 10**6))

    def appear(calls):
        for _ in range(calls):
            offset = chance.choice((chance.randrange(6 * DAY), chance.randrange(7) * DAY + chance.randrange(-2, 3)))
            number = next(new)
            platform.calls[number] = call(number, offset, chance.randrange(5000), answered=chance.random() < 0.7)

    appear(40)
    file = tmp_path / f"{next(NUMBERS)}.db"
    async with CdrStore(f"sqlite:///{file}") as store:
        for start, length in windows:
            query = CdrQuery(START + timedelta(seconds=start), START + timedelta(seconds=start + length))
            await store.sync(platform, query, deep=deep)
            expected = {cdr.id: cdr for cdr in platform.answer(query, "all")}
            there = await held(store)
            assert {number: there.get(number) for number in expected} == expected
            marked = await sql(f"sqlite:///{file}", "SELECT id FROM cdrs WHERE vanished IS NOT NULL")
            assert not {number for (number,) in marked} & platform.calls.keys()
            appear(3)
            if deep:  # one that went and one that came may leave a count as it was
                del platform.calls[chance.choice(sorted(platform.calls))]


class TestWhoAsks:
    async def test_two_users_of_one_application_each_get_what_they_see(self, store):
        calls = [call(n, 1000 + n) for n in range(36)]
        one = Platform.of(calls, sees=lambda cdr: cdr.id < 25)
        two = Platform.of(calls, sees=lambda cdr: cdr.id >= 11, credentials=Credentials("app", "key", username="you"))
        await store.sync(one, WEEK)
        await store.sync(two, WEEK)
        assert len(await held(store)) == 36

    async def test_what_another_user_sees_has_not_vanished(self, tmp_path, store):
        calls = [call(n, 1000 + n) for n in range(36)]
        one = Platform.of(calls, sees=lambda cdr: cdr.id < 25)
        two = Platform.of(calls, sees=lambda cdr: cdr.id >= 11, credentials=Credentials("app", "key", ip="192.0.2.1"))
        await store.sync(one, WEEK)
        await store.sync(two, WEEK)
        report = await store.sync(one, WEEK, deep=True)
        assert report.vanished == 0


class TestVanished:
    @pytest.mark.any_database
    async def test_calls_that_are_gone_are_marked_stay_and_come_back(self, tmp_path, url):
        platform = Platform.of(call(n, n * 3600) for n in range(1, 100))
        marked = "SELECT id FROM cdrs WHERE vanished IS NOT NULL"
        async with CdrStore(url) as store:
            await store.sync(platform, WEEK)
            gone = platform.calls.pop(50)
            report = await store.sync(platform, WEEK)
            assert (report.vanished, report.unchanged, report.certified) == (1, 6, 1)
            assert await sql(url, marked) == [(50,)]
            assert (await held(store))[50] == gone
            platform.calls[50] = gone
            report = await store.sync(platform, WEEK)
            assert report.saved.updated == 1
            assert await sql(url, marked) == []

    @pytest.mark.any_database
    async def test_deep_finds_what_the_count_does_not_show(self, url):
        platform = Platform.of(call(n, n * 3600) for n in range(1, 100))
        async with CdrStore(url) as store:
            await store.sync(platform, WEEK)
            platform.change(10, billsec=999)
            platform.calls.pop(60)
            platform.calls[1000] = call(1000, 60 * 3600 + 5)
            assert (await store.sync(platform, WEEK)).saved == SaveResult()
            report = await store.sync(platform, WEEK, deep=True)
            assert (report.saved.inserted, report.saved.updated, report.vanished, report.certified) == (1, 1, 1, 7)
            assert {number: cdr for number, cdr in (await held(store)).items() if number != 60} == platform.calls
            assert await sql(url, "SELECT id FROM cdrs WHERE vanished IS NOT NULL") == [(60,)]

    async def test_a_call_that_no_longer_passes_the_filter_has_changed_not_vanished(self, store):
        platform = Platform.of([call(1, 1000, extnumber="8001"), call(2, 2000, extnumber="8001")])
        query = evolve(WEEK, extnumber="8001")
        await store.sync(platform, query)
        platform.change(1, extnumber="8002")
        report = await store.sync(platform, query)
        assert (report.vanished, report.saved.updated) == (0, 1)
        assert (await held(store))[1].extnumber == "8002"

    @pytest.mark.parametrize("compares", ["starttime", "endtime"])
    async def test_a_call_over_midnight_is_not_taken_for_one_that_is_gone(self, store, tmp_path, compares):
        platform = Platform.of([call(n, n * DAY - 30, 60) for n in range(1, 7)], compares=compares)
        await store.sync(platform, WEEK)
        report = await store.sync(platform, WEEK, deep=True)
        assert report.vanished == 0
        del platform.calls[3]
        report = await store.sync(platform, WEEK, deep=True)
        assert report.vanished == 1

    async def test_a_call_that_appears_while_a_day_is_read_has_not_vanished(self, store):
        platform = Platform.of([call(n, n * 60) for n in range(1, 100)])
        await store.sync(platform, CdrQuery.day(START.date()))
        platform.calls[1000] = call(1000, 5)

        late = call(1001, 1001)

        def after_the_pull(platform):
            # It appears at the platform, and another process lands it, once the day has been read.
            if [kind for kind, _ in platform.asked].count("pull") == 1:
                platform.calls[late.id] = late

        platform.asked.clear()
        platform.before_answer = after_the_pull
        await store.save([late], account="app")
        report = await store.sync(platform, CdrQuery.day(START.date()))
        assert report.vanished == 0


class TestProgress:
    async def test_it_speaks_of_one_day_after_the_other_and_of_the_whole(self, store):
        seen: list[SyncProgress] = []
        await store.sync(Platform.of(year()), YEAR, progress=seen.append)
        assert [at.number for at in seen] == sorted(at.number for at in seen)
        assert {at.number for at in seen} == set(range(1, 366))
        assert all(at.received <= at.total for at in seen)
        assert (seen[-1].done, seen[-1].days) == (365, 365)
        assert sum({at.number: at.received for at in seen}.values()) == 365 * A_DAY
        assert max(at.calls for at in seen) == 365 * A_DAY

    async def test_an_error_of_the_callers_is_the_callers(self, store):
        def fail(_):
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space"):
            await store.sync(Platform.of(year(1)), WEEK, progress=fail)


async def test_a_day_of_many_calls_is_committed_in_parts_and_claimed_at_the_end(store, tmp_path):
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    calls = cases(20_000, 11_000)
    platform = Platform.of(call(n, n) for n in range(1, calls + 1))
    seen = []

    def look(at):
        seen.append((sql_now("SELECT count(*) FROM cdrs"), sql_now("SELECT count(*) FROM cdr_windows")))

    def sql_now(statement):
        return run_sql(url, statement)[0][0]

    await store.sync(platform, CdrQuery.day(START.date()), progress=look)
    landed = [rows for rows, _ in seen]
    assert len(set(landed)) > 3
    assert all(lines == 0 for _, lines in seen[:-1])
    assert seen[-1] == (calls, 1)


@pytest.mark.parametrize(
    "query",
    [
        CdrQuery("2020-06-10 00:00:00", "9999-12-31 23:59:59"),
        CdrQuery("9999-12-31 00:00:00", "9999-12-31 23:59:59"),
        CdrQuery("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
    ],
)
async def test_a_window_may_begin_and_end_at_any_time_there_is(store, query):
    platform = Platform.of([call(1, 1000)])
    report = await store.sync(platform, query)
    assert report.days < 10_000
    assert report.saved.inserted == len(platform.answer(query, "all"))


async def test_a_day_that_cant_be_complete_does_not_stop_the_others(store):
    platform = Platform.of(call(n, n * 3600) for n in range(1, 160))
    pull = platform.cdrs

    def cdrs(query):
        stream = pull(query)
        if query.starttime <= START + timedelta(days=2, hours=5) <= query.ends[1]:
            pages = stream.pages

            async def broken():
                async for page in pages():
                    yield page
                raise IncompleteResultError(100, 99)

            stream.pages = broken
            stream.report.complete = stream.report.certified = False
        return stream

    platform = _Patched(platform, cdrs)
    with pytest.raises(IncompleteResultError):
        await store.sync(platform, WEEK)
    assert len(await held(store)) == len(platform.answer(WEEK, "all"))
    platform.cdrs = pull
    report = await store.sync(platform, WEEK)
    assert (report.unchanged, report.certified) == (6, 1)


class _Patched:
    def __init__(self, platform, cdrs):
        self.credentials, self.count, self.answer, self.cdrs = ME, platform.count, platform.answer, cdrs


async def test_nothing_goes_on_after_a_cancelled_sync(store):
    platform = Platform.of(year())
    reached = asyncio.Event()
    forever = asyncio.Event()

    class Slow(_Patched):
        async def count(self, query):
            reached.set()
            await forever.wait()

    slow = Slow(platform, platform.cdrs)
    slow.__dict__.pop("count")
    syncing = asyncio.ensure_future(store.sync(slow, YEAR))
    await reached.wait()
    syncing.cancel()
    await asyncio.wait([syncing])
    assert syncing.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
