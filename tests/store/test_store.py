"""Calls in a database, each exactly once: on SQLite, and on the PostgreSQL of `INFIN8_TEST_POSTGRES` if it is set."""

import asyncio
import sys
import threading
from datetime import datetime, timedelta

import pytest
from attrs import evolve
from databases import sql
from profiles import cases

from infin8_async import (
    BEIJING,
    CallDirection,
    CallMethod,
    Cdr,
    CdrQuery,
    CheckpointError,
    IncompleteResultError,
    Infin8Session,
    PlatformError,
    RetryPolicy,
    StoreError,
)
from infin8_async.store import CdrStore, SaveResult, SyncProgress
from infin8_async.testing import Sandbox

START = datetime(2020, 6, 10, tzinfo=BEIJING)
WEEK = CdrQuery(START, START + timedelta(days=7) - timedelta(seconds=1))
CALL = Cdr(
    id=2**62,
    extnumber="8001",
    disnumber="+8613800000000",
    callnumber="00123",
    context=CallDirection.INCOMING,
    callmethod="99",
    starttime=START,
    endtime=START + timedelta(seconds=5),
    duration=5,
    userid="ü'\"\n\\",
    extra={"recording": {"url": "x", "tries": [1, None]}},
)


async def held(store) -> dict[int, Cdr]:
    return {cdr.id: cdr async for cdr in store}


def session_of(sandbox, **options):
    return Infin8Session(
        sandbox.credentials,
        base_url=sandbox.base_url,
        retry=RetryPolicy(attempts=2, wait_initial=0, wait_max=0),
        **options,
    )


async def platform_rows(sandbox) -> dict[int, Cdr]:
    """All there is on the platform, by the plainest way."""
    everything = CdrQuery("2000-01-01 00:00:00", "2099-01-01 00:00:00")
    async with session_of(sandbox, concurrency=1) as session:
        return {cdr.id: cdr for number in range(1, 20) for cdr in (await session.page(everything, number)).cdrs}


class TestSave:
    async def test_says_what_was_inserted_updated_and_unchanged(self, url):
        cdrs = [Cdr(id=number, starttime=START, billsec=number) for number in range(1, 2501)]
        async with CdrStore(url) as store:
            assert await store.save(cdrs) == SaveResult(inserted=2500)
            assert await store.save(cdrs) == SaveResult(unchanged=2500)
            changed = [evolve(cdr, billsec=cdr.billsec + 1) if cdr.id % 100 == 0 else cdr for cdr in cdrs]
            assert await store.save([*changed, Cdr(id=9999)]) == SaveResult(1, 25, 2475)
            assert await store.save([]) == SaveResult()
            assert await held(store) == {cdr.id: cdr for cdr in [*changed, Cdr(id=9999)]}

    async def test_a_call_comes_back_equal_with_its_types(self, url):
        async with CdrStore(url) as store:
            await store.save([CALL, Cdr(id=1, context="new kind", callmethod=CallMethod.DOUBLE)])
            there = await held(store)
        assert there[CALL.id] == CALL
        assert isinstance(there[CALL.id].context, CallDirection)
        assert isinstance(there[1].callmethod, CallMethod)
        assert there[1].context == "new kind"
        assert there[CALL.id].starttime.utcoffset() == timedelta(hours=8)

    @pytest.mark.any_database
    async def test_where_an_id_comes_twice_the_last_one_counts(self, url):
        async with CdrStore(url) as store:
            assert await store.save([CALL, evolve(CALL, billsec=7)]) == SaveResult(inserted=1)
            assert (await held(store))[CALL.id].billsec == 7

    async def test_accounts_are_kept_apart(self, url):
        async with CdrStore(url) as store:
            await store.save([CALL], account="a")
            await store.save([evolve(CALL, billsec=1)], account="b")
            assert [cdr.billsec async for cdr in store.cdrs(account="a")] == [0]
            assert [cdr.billsec async for cdr in store.cdrs(account="b")] == [1]

    async def test_two_at_once_do_not_disturb_each_other(self, url):
        cdrs = [Cdr(id=number, starttime=START) for number in range(500)]
        async with CdrStore(url) as one, CdrStore(url) as other:
            await asyncio.gather(one.save(cdrs), other.save(cdrs[::-1]))
            assert len(await held(one)) == 500

    async def test_columns_have_proper_types(self, url):
        async with CdrStore(url) as store:
            await store.save([CALL])
        (row,) = await sql(url, "SELECT id, duration, starttime, answertime, callnumber, extra FROM cdrs")
        dialled = {"sqlite": "2020-06-10 00:00:00", "mysql": START.replace(tzinfo=None)}.get(
            url.partition(":")[0], START
        )
        assert row[:5] == (2**62, 5, dialled, None, "00123")
        assert "recording" in str(row[5])


async def test_calls_are_read_by_window_and_filter_in_the_order_of_dial_times(url, infin8_sandbox):
    async with CdrStore(url) as store, session_of(infin8_sandbox) as session:
        await store.sync(session, WEEK)
        query = CdrQuery("2020-06-10 09:00:00", "2020-06-10 12:00:00", context="callin", callmethod="6")
        expected = await session.cdrs(query).collect()
        found = [cdr async for cdr in store.cdrs(query)]
    assert found == sorted(expected, key=lambda cdr: (cdr.starttime, cdr.id))
    assert found


class TestSync:
    @pytest.mark.infin8_sandbox(calls=cases(700, 280), days=7)
    async def test_lands_every_call_and_a_second_run_costs_one_count_and_writes_nothing(self, url, infin8_sandbox):
        seen: list[SyncProgress] = []
        async with CdrStore(url) as store, session_of(infin8_sandbox, per_page=30) as session:
            report = await store.sync(session, WEEK, progress=seen.append)
            assert (report.days, report.unchanged, report.certified) == (7, 0, 7)
            assert report.saved.inserted == cases(700, 280)
            assert await held(store) == await platform_rows(infin8_sandbox)
            assert [progress.number for progress in seen] == sorted(progress.number for progress in seen)
            assert all(progress.received <= progress.total for progress in seen)
            ledger = await sql(url, "SELECT * FROM cdr_windows")
            before = len(infin8_sandbox.requests)
            report = await store.sync(session, WEEK)
            assert (report.days, report.unchanged, report.certified) == (7, 7, 0)
            assert report.saved == SaveResult()
            assert len(infin8_sandbox.requests) == before + 1
            assert await sql(url, "SELECT * FROM cdr_windows") == ledger

    @pytest.mark.infin8_sandbox(calls=70, days=7)
    @pytest.mark.any_database
    async def test_a_day_that_has_grown_is_pulled_again(self, url, infin8_sandbox):
        async with CdrStore(url) as store, session_of(infin8_sandbox) as session:
            await store.sync(session, WEEK)
            late = infin8_sandbox.add_call(starttime="2020-06-12 12:00:00")
            report = await store.sync(session, WEEK)
            assert report.unchanged == 6
            assert report.saved.inserted == 1
            assert late in await held(store)

    @pytest.mark.parametrize("bounds", ["[]", "[)", "(]", "()"])
    async def test_nothing_is_left_out_at_midnight_whichever_bounds_count(self, tmp_path, bounds):
        async with (
            Sandbox(0, bounds=bounds) as sandbox,
            CdrStore(f"sqlite:///{tmp_path / 'calls.db'}") as store,
            session_of(sandbox) as session,
        ):
            for time in ("10 23:59:58", "10 23:59:59", "11 00:00:00", "11 00:00:01", "12 00:00:00"):
                sandbox.add_call(starttime=f"2020-06-{time}")
            report = await store.sync(session, WEEK)
            assert sorted(await held(store)) == sorted(sandbox.ids())
            assert report.certified == 7

    @pytest.mark.any_database
    async def test_a_window_within_one_that_is_certified_needs_no_pull(self, url, infin8_sandbox):
        async with CdrStore(url) as store, session_of(infin8_sandbox) as session:
            await store.sync(session, CdrQuery.day(START.date()))
            report = await store.sync(session, CdrQuery("2020-06-10 09:00:00", "2020-06-10 10:00:00"))
            assert report.unchanged == 1
            await store.sync(session, CdrQuery("2020-06-10 00:00:00", "2020-06-11 00:00:00"))
            assert len(await sql(url, "SELECT * FROM cdr_windows")) == 1

    @pytest.mark.any_database
    async def test_filters_have_ledgers_of_their_own(self, url, infin8_sandbox):
        async with CdrStore(url) as store, session_of(infin8_sandbox) as session:
            await store.sync(session, CdrQuery.day(START.date(), context="callin"))
            report = await store.sync(session, CdrQuery.day(START.date()))
            assert report.unchanged == 0
            assert len(await held(store)) == len(infin8_sandbox)

    @pytest.mark.infin8_sandbox(calls=6300, days=7)
    @pytest.mark.any_database
    async def test_a_failure_leaves_whole_days_and_the_next_run_goes_on(self, url, infin8_sandbox):
        async with CdrStore(url) as store, session_of(infin8_sandbox, per_page=500, concurrency=1) as session:

            def fail_on_the_third_day(request):
                if request.form["starttime"].startswith("2020-06-11 23:59:59") and request.page == 2:
                    infin8_sandbox.fail(code=1006)

            infin8_sandbox.on_request = fail_on_the_third_day
            with pytest.raises(PlatformError):
                await store.sync(session, WEEK)
            infin8_sandbox.on_request = None
            infin8_sandbox.recover()
            ledger = await sql(url, "SELECT calls FROM cdr_windows WHERE certified")
            assert len(ledger) == 2
            assert len(await held(store)) == len(infin8_sandbox.ids(endtime="2020-06-12 00:00:00"))
            report = await store.sync(session, WEEK)
            assert (report.unchanged, report.certified) == (2, 5)
            assert await held(store) == await platform_rows(infin8_sandbox)

    @pytest.mark.any_database
    async def test_a_day_that_cant_be_complete_is_saved_uncertified_and_the_others_as_well(
        self, url, infin8_sandbox, monkeypatch
    ):
        cdrs = infin8_sandbox.rows

        async with CdrStore(url) as store, session_of(infin8_sandbox) as session:
            pull = session.cdrs

            def short(query):
                stream = pull(query)
                if query.starttime == START:
                    pages = stream.pages

                    async def broken():
                        async for page in pages():
                            yield page
                        raise IncompleteResultError(len(infin8_sandbox) + 1, len(infin8_sandbox))

                    stream.pages = broken
                    stream._scan.certified = False
                return stream

            monkeypatch.setattr(session, "cdrs", short)
            with pytest.raises(IncompleteResultError):
                await store.sync(session, WEEK)
            assert len(await held(store)) == len(list(cdrs()))
            assert len(await sql(url, "SELECT * FROM cdr_windows")) == 7


class TestFollow:
    async def test_lands_new_calls_with_their_mark(self, url, infin8_sandbox):
        now = datetime.now(BEIJING)
        ended = f"{now - timedelta(seconds=30):%Y-%m-%d %H:%M:%S}"
        query = CdrQuery(now - timedelta(minutes=5))
        got: list[int] = []
        more = asyncio.Event()

        async def landed(cdrs):
            got.extend(cdr.id for cdr in cdrs)
            more.set()

        async with CdrStore(url) as store, session_of(infin8_sandbox) as session:
            for _ in range(2):
                expected = infin8_sandbox.add_call(starttime=ended, endtime=ended)
                more.clear()
                following = asyncio.ensure_future(
                    store.follow(session, query, interval=timedelta(milliseconds=10), landed=landed)
                )
                waiting = asyncio.ensure_future(more.wait())
                await asyncio.wait([waiting, following], return_when=asyncio.FIRST_COMPLETED)
                assert waiting.done(), following.result()
                following.cancel()
                await asyncio.wait([following])
                assert got[-1] == expected
            assert sorted(await held(store)) == sorted(got)
            assert len(set(got)) == len(got) == 2

    @pytest.mark.any_database
    async def test_ends_with_its_query_and_says_what_it_saved(self, url, infin8_sandbox):
        async with CdrStore(url) as store, session_of(infin8_sandbox, per_page=100) as session:
            assert (await store.follow(session, WEEK)).inserted == len(infin8_sandbox)
            assert await held(store) == await platform_rows(infin8_sandbox)
            assert await store.follow(session, WEEK) == SaveResult()

    @pytest.mark.any_database
    async def test_a_damaged_mark_is_a_clear_error(self, url, infin8_sandbox):
        async with CdrStore(url) as store, session_of(infin8_sandbox) as session:
            await store.follow(session, WEEK)
            await sql(url, "UPDATE cdr_checkpoints SET state = '{'")
            with pytest.raises(CheckpointError, match="damaged"):
                await store.follow(session, WEEK)


class TestErrors:
    @pytest.mark.parametrize("url", ["oracle://host/db", "calls.db", "", "sqlite+pysqlite:///x"])
    def test_other_databases_are_refused_without_telling_the_address(self, url):
        with pytest.raises(ValueError, match="sqlite:///"):
            CdrStore(url)

    async def test_a_database_that_is_not_there_is_a_store_error_without_the_password(self, unused_tcp_port):
        with pytest.raises(StoreError) as caught:
            async with CdrStore(f"postgresql://user:hidden@127.0.0.1:{unused_tcp_port}/calls"):
                pass
        assert "hidden" not in str(caught.value)

    async def test_a_file_that_cant_be_opened_is_a_store_error(self, tmp_path):
        with pytest.raises(StoreError, match="unable to open"):
            async with CdrStore(f"sqlite:///{tmp_path / 'nowhere' / 'calls.db'}"):
                pass

    def test_a_loop_that_ends_right_after_that_leaves_no_thread_that_complains(self, tmp_path):
        async def opens():
            async with CdrStore(f"sqlite:///{tmp_path / 'nowhere' / 'calls.db'}"):
                pass

        before = threading.active_count()
        for _ in range(20):  # pytest fails a test in which a thread ends with an exception
            with pytest.raises(StoreError):
                asyncio.run(opens())
            assert threading.active_count() <= before

    async def test_what_the_database_refuses_shows_no_number(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with CdrStore(url) as store:
            await sql(url, "DROP TABLE cdrs")
            with pytest.raises(StoreError) as caught:
                await store.save([CALL])
        assert "13800000000" not in f"{caught.value!s}{caught.value!r}{caught.value.__cause__}"

    def test_a_missing_driver_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "asyncpg", None)
        with pytest.raises(ImportError, match=r"infin8-async\[postgres\]"):
            CdrStore("postgresql://host/calls")
