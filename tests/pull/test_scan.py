"""The pull against a platform in memory: what moves, ties, vanishes or lies while pages are read."""

import asyncio
import random
from datetime import timedelta

import msgspec
import pytest
from clock import run, simulated
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import cases
from simulation import DAY, LAST_SECOND, WINDOW, Platform, read

from infin8_async import IncompleteResultError

ROWS = st.integers(0, 70).flatmap(lambda n: st.lists(st.integers(1, LAST_SECOND - 1), min_size=n, max_size=n))
PLATFORMS = st.builds(
    lambda seconds, **kwargs: Platform([(second, call) for call, second in enumerate(seconds, 1)], **kwargs),
    ROWS,
    size=st.integers(1, 15),
    newest_first=st.booleans(),
    bounds=st.sampled_from(["[]", "[)", "(]", "()"]),
    seed=st.integers(0, 2**32),
    most_turns=st.integers(0, 12),
    deep=st.just(50),
)
CONCURRENCY = st.integers(1, 12)


def ids(rows) -> list[int]:
    return [call for _, call in rows]


def as_served(platform: Platform) -> list[int]:
    return ids(sorted(platform.rows, reverse=platform.newest_first))


def calls_arriving(chance: random.Random, often: float, at_most: int, seconds=None):
    """Before an answer is cut a call may appear: at either end of the list, or anywhere in it."""
    left = at_most

    def arrive(platform: Platform) -> None:
        nonlocal left
        while left and chance.random() < often:
            left -= 1
            second = chance.choice(seconds) if seconds else chance.randint(1, LAST_SECOND - 1)
            platform.insert(second, 10_000 + left)

    return arrive


@settings(max_examples=cases(300, 15))
@given(PLATFORMS, CONCURRENCY)
def test_a_quiet_window_comes_whole_in_order_certified_and_at_the_cost_of_its_pages(platform, concurrency):
    scan = platform.scan(concurrency)
    cdrs, error = run(read(scan))
    pages = max(1, -(-len(platform.rows) // platform.size))
    proof = len(platform.rows) >= platform.size
    assert error is None
    assert [(cdr.starttime, cdr.id) for cdr in cdrs] == sorted(
        ((cdr.starttime, cdr.id) for cdr in cdrs), reverse=platform.newest_first
    )
    assert {cdr.id for cdr in cdrs} == set(ids(platform.rows))
    assert (scan.complete, scan.certified, scan.duplicates, scan.recovered) == (True, True, 0, 0)
    assert scan.received == scan.expected == scan.total == len(platform.rows) == len(cdrs)
    assert len(platform.requests) == pages + proof or len(platform.rows) > 50


@settings(max_examples=cases(1500, 60))
@given(PLATFORMS, CONCURRENCY, st.floats(0, 0.9), st.integers(1, 80), st.booleans())
def test_calls_that_arrive_meanwhile_never_hide_or_double_one(platform, concurrency, often, at_most, at_the_ends):
    there = set(ids(platform.rows))
    ends = [1, LAST_SECOND - 1] if at_the_ends else None
    platform.before_answer = calls_arriving(random.Random(platform.seed), often, at_most, ends)
    scan = platform.scan(concurrency)
    cdrs, error = run(read(scan))
    read_ids = [cdr.id for cdr in cdrs]
    assert error is None
    assert scan.complete
    assert there <= set(read_ids)
    assert len(read_ids) == len(set(read_ids)) == scan.received
    assert scan.certified == (len(read_ids) == scan.total)


@settings(max_examples=cases(300, 15))
@given(PLATFORMS, CONCURRENCY, st.integers(2, 40))
def test_rows_that_tie_in_an_order_of_no_stability_are_all_found(platform, concurrency, seconds):
    platform.rows = [(40_000 + second % seconds, call) for second, call in platform.rows]
    platform.shuffled_ties = True
    platform.size = max(platform.size, 4)
    scan = platform.scan(concurrency)
    cdrs, error = run(read(scan))
    assert error is None
    assert sorted(cdr.id for cdr in cdrs) == sorted(ids(platform.rows))
    assert scan.complete
    assert scan.certified


@settings(max_examples=cases(300, 15))
@given(PLATFORMS, CONCURRENCY, st.floats(0.01, 0.5))
def test_removals_meanwhile_hide_nothing_that_remains(platform, concurrency, often):
    chance = random.Random(platform.seed)
    removals = 6  # a list that goes on shrinking in every round of a repair could never be proved whole

    def remove(platform: Platform) -> None:
        nonlocal removals
        if platform.rows and removals and chance.random() < often:
            removals -= 1
            platform.rows.remove(chance.choice(platform.rows))

    platform.before_answer = remove
    scan = platform.scan(concurrency)
    cdrs, error = run(read(scan))
    read_ids = [cdr.id for cdr in cdrs]
    assert error is None
    assert set(ids(platform.rows)) <= set(read_ids)
    assert len(read_ids) == len(set(read_ids))


def platform_of(rows: int, size: int = 10, **kwargs) -> Platform:
    return Platform([(second * LAST_SECOND // max(1, rows), second) for second in range(rows)], size=size, **kwargs)


async def test_a_row_that_shifts_to_a_later_page_is_dropped_there_and_counted():
    platform = platform_of(30)
    platform.before_answer = lambda platform: platform.insert(LAST_SECOND, 1000 + len(platform.requests))
    scan = platform.scan(concurrency=1)
    cdrs, _ = await read(scan)
    assert {cdr.id for cdr in cdrs} >= set(range(30))
    assert scan.duplicates > 0
    assert (scan.complete, scan.certified) == (True, False)


async def test_pages_cut_before_their_predecessor_hide_no_call():
    platform = platform_of(60)
    cut = set()

    async def fetch(query, page, rows):
        # Page 2 is cut last of all that are under way, and a call has appeared by then.
        while page == 2 and len(cut) < 4 and 2 not in cut:
            await asyncio.sleep(0)
        if page == 2 and 2 not in cut:
            platform.insert(LAST_SECOND, 999)
        cut.add(page)
        return platform.answer(query, page, rows or platform.size)

    platform.start = lambda *asked: asyncio.create_task(fetch(*asked))
    scan = platform.scan(concurrency=8)
    cdrs, error = await read(scan)
    assert error is None
    assert {cdr.id for cdr in cdrs} >= set(range(60))
    assert len({cdr.id for cdr in cdrs}) == len(cdrs)
    assert scan.recovered > 0


class TestLies:
    """Whatever the platform answers, a pull ends, and never in silence."""

    async def ends_incomplete(self, platform, integrity="repair"):
        scan = platform.scan(integrity=integrity)
        cdrs, error = await asyncio.wait_for(read(scan), 100)
        assert isinstance(error, IncompleteResultError)
        assert not scan.complete
        assert len({cdr.id for cdr in cdrs}) == len(cdrs) == scan.received == error.received
        assert len(platform.requests) < 5000
        return cdrs, error

    @pytest.mark.parametrize("claimed", [41, 400])
    @pytest.mark.parametrize("integrity", ["repair", "raise"])
    @simulated
    async def test_a_total_larger_than_the_list_ends_in_an_error_after_all_rows(self, claimed, integrity):
        platform = platform_of(40)
        answer = platform.answer
        platform.answer = lambda *args: with_total(answer(*args), claimed)
        cdrs, error = await self.ends_incomplete(platform, integrity)
        assert {cdr.id for cdr in cdrs} == set(range(40))
        assert error.expected == claimed

    @simulated
    async def test_an_absurd_total_ends_in_an_error_too(self):
        platform = platform_of(40)
        answer = platform.answer
        platform.answer = lambda *args: with_total(answer(*args), 10**15)
        _, error = await self.ends_incomplete(platform)
        assert error.expected == 10**15

    @simulated
    async def test_an_empty_page_before_the_promised_end_is_no_end(self):
        platform = platform_of(40)
        answer = platform.answer
        platform.answer = lambda query, page, size: answer(query, page + 1000 * (page > 2 and size > 1), size)
        platform.answer = renumbered(platform.answer)
        cdrs, error = await read(platform.scan())
        assert error is None
        assert {cdr.id for cdr in cdrs} == set(range(40))

    @pytest.mark.parametrize("claimed", [400, 10**12])
    @simulated
    async def test_the_same_page_for_ever_ends_in_an_error(self, claimed):
        platform = platform_of(40)
        answer = platform.answer
        platform.answer = renumbered(lambda query, page, size: with_total(answer(WINDOW, 1, size), claimed))
        await self.ends_incomplete(platform)

    @simulated
    async def test_a_count_that_is_always_one_too_many_is_an_error(self):
        platform = platform_of(35)
        answer = platform.answer

        def hide_one(query, page, size):
            page = answer(query, page, size)
            return with_total(page, page.total + 1)

        platform.answer = hide_one
        await self.ends_incomplete(platform)

    @simulated
    async def test_with_integrity_off_an_empty_page_is_the_end(self):
        platform = platform_of(40)
        answer = platform.answer
        platform.answer = lambda *args: with_total(answer(*args), 10**9 if args[2] > 1 else 40)
        platform.newest_first = False
        scan = platform.scan(integrity="off", query=type(WINDOW)(DAY, DAY))
        platform.rows = [(0, call) for call in range(40)]
        cdrs, error = await read(scan)
        assert error is None
        assert sorted(cdr.id for cdr in cdrs) == list(range(40))
        assert len(platform.requests) <= 5 + 4


def as_text(second):
    return f"{DAY + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}"


def with_total(page, total):
    return type(page)(page.page, page.per_page, total, page.status, page._rows)


def renumbered(answer):
    def answered(query, number, size):
        page = answer(query, number, size)
        return type(page)(number, page.per_page, page.total, page.status, page._rows)

    return answered


async def test_raise_does_not_repair_and_raises_after_what_the_pages_held():
    platform = platform_of(60, shuffled_ties=True, seed=3)
    platform.rows = [(second // 20_000, call) for second, call in platform.rows]
    scan = platform.scan(integrity="raise")
    cdrs, error = await read(scan)
    assert isinstance(error, IncompleteResultError)
    assert (error.expected, error.received) == (60, len(cdrs))
    assert len(platform.requests) < 6 + 4


async def test_raise_ends_a_divided_pull_at_the_part_that_misses_rows():
    platform = platform_of(2_000, size=20, deep=500)
    answer = platform.answer

    def promise_more(query, page, size):
        page = answer(query, page, size)
        return page if query == WINDOW else with_total(page, page.total + 1)

    platform.answer = promise_more
    cdrs, error = await read(platform.scan(integrity="raise"))
    assert error is not None
    assert error.received == len(cdrs) < 1_000


class TestDeepWindows:
    @pytest.mark.parametrize("bounds", ["[]", "[)", "(]", "()"])
    @pytest.mark.parametrize("newest_first", [True, False])
    async def test_they_are_read_in_parts_in_the_platforms_order_and_nothing_is_lost_at_a_border(
        self, bounds, newest_first
    ):
        platform = platform_of(1_500, size=2, deep=250, bounds=bounds, newest_first=newest_first)
        scan = platform.scan(concurrency=16)
        cdrs, error = await read(scan)
        inside = [row for row in platform.rows if bounds[0] == "[" or row[0] > 0]
        assert error is None
        assert [cdr.id for cdr in cdrs] == ids(sorted(inside, reverse=newest_first))
        assert (scan.complete, scan.certified, scan.duplicates) == (True, True, 0)
        assert max(page for _, page in platform.requests) * 2 <= 250
        assert len(platform.requests) <= 750 * 1.1

    async def test_the_ids_remembered_are_those_of_one_part_and_its_border(self):
        platform = platform_of(1_500, size=2, deep=250)
        scan = platform.scan()
        most = 0
        async for _ in scan.pages():
            most = max(most, len(scan._window.proof.known.ids))
        assert most <= 250 + 10

    async def test_the_next_part_is_under_way_while_the_last_pages_of_this_one_are_read(self):
        platform = platform_of(1_500, size=5, deep=250)
        scan = platform.scan(concurrency=8)
        async for _ in scan.pages():
            part = scan._parts[0]
            if len(scan._parts) > 1 and part.planned == part.last:
                assert scan._parts[1].planned > 0

    async def test_rows_that_show_no_direction_are_not_divided(self):
        platform = platform_of(2_000, size=20, deep=250, by_id=True)
        seconds = random.Random(1).sample(range(LAST_SECOND), 2_000)
        platform.rows = list(zip(seconds, range(2_000), strict=True))
        scan = platform.scan()
        cdrs, error = await read(scan)
        assert error is None
        assert [cdr.id for cdr in cdrs] == list(range(2_000))
        assert len(platform.requests) == 100 + 1

    async def test_a_platform_that_goes_by_another_time_than_the_dial_time_is_read_right_too(self):
        platform = platform_of(1_500, size=2, deep=250)
        ended = {call: min(second + 200, LAST_SECOND) for second, call in platform.rows}
        dialled = {call: second for second, call in platform.rows}
        by_end = Platform([(second, call) for call, second in ended.items()], size=2, deep=250)

        def answer(query, page, size):
            rows = by_end.answer(query, page, size)
            renamed = [
                {"id": row["id"], "starttime": as_text(dialled[row["id"]])} for row in msgspec.json.decode(rows._rows)
            ]
            return type(rows)(page, size, rows.total, 200, msgspec.Raw(msgspec.json.encode(renamed)))

        platform.answer = answer
        scan = platform.scan()
        cdrs, error = await read(scan)
        assert error is None
        assert sorted(cdr.id for cdr in cdrs) == sorted(dialled)
        assert len(cdrs) == len(dialled)
        assert scan.certified

    async def test_a_platform_that_does_not_go_by_time_is_read_as_one(self):
        platform = platform_of(2_000, size=20, deep=250)
        answer = platform.answer
        platform.answer = lambda query, page, size: answer(WINDOW, page, size)
        cdrs, error = await read(platform.scan())
        assert error is None
        assert [cdr.id for cdr in cdrs] == list(range(1_999, -1, -1))
        assert len(platform.requests) <= 100 + 5

    async def test_a_crowded_second_is_read_in_one_piece(self):
        platform = platform_of(100, size=5, deep=250)
        platform.rows += [(50_000, call) for call in range(100, 600)]
        cdrs, error = await read(platform.scan())
        assert error is None
        assert sorted(cdr.id for cdr in cdrs) == list(range(600))

    async def test_rows_removed_from_parts_already_read_do_not_make_the_pull_incomplete(self):
        platform = platform_of(2_000, size=20, deep=250)
        scan = platform.scan()
        read_rows = 0
        async for cdrs in scan.pages():
            read_rows += len(cdrs)
            if read_rows == 1000:
                platform.rows.remove(platform.rows[-1])
        assert (scan.complete, scan.certified, scan.total) == (True, False, 1999)

    async def test_rows_that_no_part_holds_are_an_error(self):
        platform = platform_of(2_000, size=20, deep=250)
        answer = platform.answer

        def hide_from_parts(query, page, size):
            page = answer(query, page, size)
            return with_total(page, page.total + 7) if query == WINDOW else page

        platform.answer = hide_from_parts
        _, error = await read(platform.scan())
        assert (error.expected, error.received) == (2007, 2000)


async def test_a_reader_never_has_more_than_concurrency_pages_ahead():
    platform = platform_of(2_000, size=20, deep=1_000)
    scan = platform.scan(concurrency=5)
    handed, dividing, proving = 0, 1, 4
    async for _ in scan.pages():
        handed += 1
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(platform.requests) <= handed + 5 + dividing + proving
    await scan.aclose()
