"""Plans: what they cover and hold, whichever bounds and whichever time the platform compares, and what they cost."""

import asyncio
import random
from bisect import bisect_left, bisect_right
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import cases
from simulation import DAY

from infin8_async import CdrQuery, Infin8Session, PermissionDeniedError
from infin8_async._pull.portions import portions
from infin8_async.testing import Sandbox

SECOND = timedelta(seconds=1)
BOUNDS = ("[]", "[)", "(]", "()")


class Counting:
    """Counts calls, given as seconds after `DAY`, as a platform with these bounds does."""

    def __init__(self, seconds, bounds="[]"):
        self.seconds = sorted(seconds)
        self.bounds = bounds
        self.asked = 0

    def ends(self, query):
        first, last = ((time - DAY) // SECOND for time in query.ends)
        return (
            (bisect_left if self.bounds[0] == "[" else bisect_right)(self.seconds, first),
            (bisect_right if self.bounds[1] == "]" else bisect_left)(self.seconds, last),
        )

    def held(self, query):
        first, last = self.ends(query)
        return set(range(first, last))

    async def count(self, query):
        self.asked += 1
        await asyncio.sleep(0)
        return len(self.held(query))

    def plan(self, query, calls):
        return asyncio.run(portions(query, calls, self.count))


def window(seconds):
    return CdrQuery(DAY, DAY + seconds * SECOND, context="callin")


crowded = st.lists(st.integers(0, 100) | st.sampled_from((7, 50, 51)), max_size=60)


@given(crowded | st.lists(st.integers(0, 3_000_000)), st.sampled_from(BOUNDS), st.integers(1, 12), st.data())
def test_a_plan_covers_the_window_in_order_and_none_of_it_holds_too_much(seconds, bounds, calls, data):
    query = window(data.draw(st.integers(0, 100) | st.just(3_000_000)))
    platform = Counting(seconds, bounds)
    plan = platform.plan(query, calls)
    assert (plan[0].starttime, plan[-1].endtime) == query.ends
    assert {part.context for part in plan} == {query.context}
    assert set().union(*map(platform.held, plan)) == platform.held(query)
    for older, newer in pairwise(plan):
        assert older.starttime < newer.starttime
        assert older.endtime - newer.starttime in ((timedelta(), SECOND) if bounds == "()" else (timedelta(),))
    for part in plan:
        shortest = 2 * SECOND if bounds == "()" else SECOND
        assert len(platform.held(part)) <= 1.25 * calls or part.endtime - part.starttime <= shortest


@pytest.mark.parametrize("bounds", BOUNDS)
def test_a_crowded_second_is_never_cut_and_its_neighbours_stay_small(bounds):
    platform = Counting([500] * 50_000 + list(range(1000)), bounds)
    plan = platform.plan(window(1000), 100)
    large = [part for part in plan if len(platform.held(part)) > 125]
    assert 1 <= len(large) <= 3
    assert all(part.endtime - part.starttime <= 2 * SECOND for part in large)
    assert set().union(*map(platform.held, plan)) == platform.held(window(1000))


@pytest.mark.parametrize("calls", [0, 1, 62_500])
def test_a_window_that_need_not_be_divided_costs_one_count(calls):
    platform = Counting([5] * calls)
    assert platform.plan(window(1000), 50_000) == [window(1000)]
    assert platform.asked == 1


def test_a_window_of_a_second_is_one_whatever_it_holds():
    platform = Counting([0, 1] * 500)
    assert platform.plan(window(1), 10) == [window(1)]
    assert platform.plan(window(0), 10) == [window(0)]


@pytest.mark.parametrize(("calls", "windows", "counts"), [(50_000, 20, 22), (5_000, 230, 500)])
def test_a_plan_costs_one_to_three_counts_a_window(calls, windows, counts):
    chance = random.Random(1)
    platform = Counting(
        chance.randrange(30) * 86_400 + int(chance.triangular(6, 22, 11) * 3600)  # busy days, quiet nights
        for _ in range(cases(1_000_000))
    )
    plan = platform.plan(window(30 * 86_400), cases(calls))
    assert len(plan) <= windows
    assert platform.asked <= counts


def test_a_platform_that_does_not_filter_by_time_is_not_divided():
    asked = []

    async def count(query):
        asked.append(query)
        return 1000

    assert asyncio.run(portions(window(1000), 100, count)) == [window(1000)]
    assert len(asked) <= 11


def test_calls_that_come_while_it_counts_are_covered():
    platform = Counting(range(0, 1000, 10), "()")

    async def count(query):
        platform.seconds = sorted([*platform.seconds, 999 - platform.asked])
        return await platform.count(query)

    plan = asyncio.run(portions(window(1000), 10, count))
    assert set().union(*map(platform.held, plan)) == platform.held(window(1000))


async def test_the_sessions_plan_is_counted_at_once_under_its_concurrency():
    async with Sandbox(600, days=3, latency=0.002) as sandbox:
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url, concurrency=3) as session:
            query = CdrQuery("2020-06-10 00:00:00", "2020-06-12 23:59:59")
            plan = await session.plan(query, calls=100)
            ids = [{cdr.id async for cdr in session.cdrs(part)} for part in plan]
            assert set().union(*ids) == set(sandbox.ids())
            assert max(map(len, ids)) <= 125
            assert sandbox.most_in_flight == 3
            assert {request.per_page for request in sandbox.requests[:10]} == {1}
            for calls in (0, 1.5, True):
                with pytest.raises(ValueError, match="calls"):
                    await session.plan(query, calls=calls)
            [open_end] = await session.plan(CdrQuery("2020-06-10 00:00:00"))
            assert open_end.endtime is not None


async def test_a_refusal_ends_all_counts():
    async with Sandbox(500) as sandbox:
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url, concurrency=4) as session:

            def refuse_one(_):
                if len(sandbox.requests) == 2:
                    sandbox.fail(code=1006)
                    sandbox.fail(None, hang=True)

            sandbox.on_request = refuse_one
            with pytest.raises(PermissionDeniedError):
                await session.plan(CdrQuery.day(DAY.date()), calls=10)
            async with asyncio.timeout(5):
                while sandbox.in_flight:
                    await asyncio.sleep(0)
            assert len(sandbox.requests) <= 1 + 4 + 1  # of the 50 counts of that round
