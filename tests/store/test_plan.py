"""What is decided before anything is asked: days, cuts, covers; and in which order things are done at once."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from platform_of_calls import START, Platform, call

from infin8_async import BEIJING, CdrQuery
from infin8_async.store._plan import cut, days_of
from infin8_async.store._together import in_order, together

SECOND = timedelta(seconds=1)
NOW = datetime(2020, 7, 1, 12, tzinfo=BEIJING)
DAY = 86_400


@given(st.integers(0, 40 * DAY), st.integers(0, 40 * DAY))
def test_days_leave_no_second_out_and_end_at_midnights(start, length):
    query = CdrQuery(START + start * SECOND, START + (start + length) * SECOND)
    days = [day.window for day in days_of(query, NOW)]
    assert (days[0].starttime, days[-1].endtime) == query.ends
    for day, following in pairwise(days):
        assert following.starttime == day.endtime - SECOND
        assert (day.endtime.hour, day.endtime.minute, day.endtime.second) == (0, 0, 0)
        assert day.endtime <= NOW + timedelta(days=1)
    assert [day.number for day in days_of(query, NOW)] == list(range(1, len(days) + 1))


offsets = st.integers(0, 4 * DAY) | st.builds(lambda day, off: day * DAY + off, st.integers(1, 3), st.integers(-3, 3))


@given(
    calls=st.lists(st.tuples(offsets, st.integers(0, 90) | st.integers(0, 2 * DAY), st.booleans()), max_size=12),
    compares=st.sampled_from(["starttime", "answertime", "endtime"]),
    bounds=st.sampled_from(["[]", "[)", "(]", "()"]),
)
def test_what_is_cut_out_is_what_the_platform_gives_for_that_window_whatever_it_compares(calls, compares, bounds):
    query = CdrQuery(START, START + timedelta(days=4))
    windows = [day.window for day in days_of(query, NOW)]
    made = [call(number, start, lasted, answered) for number, (start, lasted, answered) in enumerate(calls)]
    platform = Platform.of(made, compares=compares, bounds=bounds)
    parts = cut(platform.answer(query, "pull"), windows)
    for window, part in zip(windows, parts, strict=True):
        if part is not None:
            assert part == platform.answer(window, "pull")


def test_a_call_without_a_dial_time_makes_every_cut_uncertain():
    windows = [day.window for day in days_of(CdrQuery(START, START + timedelta(days=3)), NOW)]
    assert cut([evolve(call(1, 1000), starttime=None)], windows) == [None, None, None]


@pytest.mark.parametrize("at_once", [1, 2, 5])
async def test_if_one_fails_those_before_it_are_done_and_those_after_it_are_not(at_once):
    done, cancelled = [], []
    go = asyncio.Event()

    async def job(number):
        try:
            if number == 2:
                go.set()
                raise ValueError(number)
            if number < 2:
                await (go.wait() if at_once > 2 else asyncio.sleep(0))
            else:
                await asyncio.Event().wait()
            done.append(number)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    with pytest.raises(ValueError, match="2"):
        await in_order((partial(job, number) for number in range(10)), at_once=at_once)
    assert sorted(done) == [0, 1]
    assert set(cancelled) <= {3, 4}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_first_error_ends_all_others():
    async def one(number):
        if number == 1:
            raise ValueError
        await asyncio.Event().wait()

    with pytest.raises(ValueError):
        await together(one(number) for number in range(3))
    assert asyncio.all_tasks() == {asyncio.current_task()}
