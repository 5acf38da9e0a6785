"""What a feed remembers, and how many calls it expects the platform to count."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infin8_async import BEIJING, Cdr, CdrQuery
from infin8_async._feed.memory import Memory

DAY = datetime(2020, 6, 10, tzinfo=BEIJING)


def at(second):
    return DAY + timedelta(seconds=second)


def window(first, last):
    return CdrQuery(at(first), at(last))


def call(number, start, end=None, answer=None):
    return Cdr(
        id=number, starttime=at(start), endtime=at(start if end is None else end),
        answertime=None if answer is None else at(answer),
    )  # fmt: skip


def read(memory, wanted, cdrs, *, whole=True):
    reading = memory.begin(wanted)
    new = memory.admit(reading, cdrs)
    if whole:
        memory.finish(reading)
    return [cdr.id for cdr in new]


def test_a_call_is_new_once():
    memory = Memory(DAY)
    assert read(memory, window(0, 100), [call(1, 5), call(2, 6), call(1, 5)]) == [1, 2]
    assert read(memory, window(0, 100), [call(1, 5), call(2, 6), call(3, 7)]) == [3]
    assert memory.count(window(0, 100)) == (3, 3)
    assert memory.agrees(window(0, 100), 3)
    assert not memory.agrees(window(0, 100), 4)


def test_what_is_found_counts_as_taken_when_the_reader_has_it():
    memory = Memory(DAY)
    read(memory, window(0, 100), [call(1, 5), call(2, 6)])
    assert memory.taken() == []
    memory.take([2])
    assert memory.taken() == [2]


def test_at_a_border_the_number_is_a_range_until_an_answer_has_shown_the_bounds():
    memory = Memory(DAY)
    read(memory, window(0, 100), [call(1, 10), call(2, 20), call(3, 30)])
    assert memory.count(window(10, 20)) == (0, 2)
    read(memory, window(10, 20), [call(1, 10)])
    assert memory.count(window(20, 30)) == (1, 1)


@pytest.mark.parametrize(("compares", "given_ids"), [("starttime", [2]), ("endtime", [1])])
def test_a_window_with_calls_in_progress_at_its_end_shows_which_time_is_compared(compares, given_ids):
    memory = Memory(DAY)
    known = {1: call(1, 10, 45), 2: call(2, 45, 80)}
    read(memory, window(0, 100), known.values())
    assert memory.count(window(40, 50)) == (1, 1)
    assert memory.count(window(0, 40)) == (0, 1)
    read(memory, window(40, 50), [known[number] for number in given_ids])
    assert memory.count(window(0, 40)) == ((1, 1) if compares == "starttime" else (0, 0))


def test_a_call_that_is_gone_is_not_counted_and_not_new_when_it_returns():
    memory = Memory(DAY)
    read(memory, window(0, 100), [call(1, 10), call(2, 20)])
    read(memory, window(0, 100), [call(1, 10)])
    assert memory.count(window(0, 100)) == (1, 1)
    assert read(memory, window(0, 100), [call(1, 10), call(2, 20)]) == []
    assert memory.count(window(0, 100)) == (2, 2)


def test_an_answer_that_may_not_be_whole_makes_nothing_gone():
    memory = Memory(DAY)
    read(memory, window(0, 100), [call(1, 10), call(2, 20)])
    read(memory, window(0, 100), [call(1, 10)], whole=False)
    assert memory.count(window(0, 100)) == (2, 2)


def test_a_call_whose_times_change_is_counted_where_it_is_now():
    memory = Memory(DAY)
    read(memory, window(0, 100), [call(1, 10)])
    assert read(memory, window(0, 100), [call(1, 50)]) == []
    assert memory.count(window(40, 60)) == (1, 1)
    assert memory.count(window(0, 20)) == (0, 0)


def test_moving_on_forgets_calls_that_cant_come_again_and_keeps_those_in_progress():
    memory = Memory(DAY)
    read(memory, window(0, 100), [call(1, 10), call(2, 20, 60), call(3, 70)])
    memory.take([1, 2, 3])
    memory.move(at(50))
    assert sorted(memory.taken()) == [2, 3]
    assert read(memory, window(50, 100), [call(1, 10)]) == []


def test_what_an_earlier_feed_took_is_not_new_and_is_counted_when_it_is_seen():
    memory = Memory(DAY)
    memory.resume(at(5), [1, 2], now=at(100))
    assert memory.count(window(5, 100)) == (0, 0)
    assert read(memory, window(5, 100), [call(1, 10), call(3, 30), call(4, 2)]) == [3]
    assert sorted(memory.taken()) == [1, 2, 4]
    assert memory.count(window(5, 100)) == (3, 3)


def test_a_platform_that_goes_by_none_of_the_times_leaves_only_the_whole():
    memory = Memory(at(50))
    assert not memory.blind
    assert read(memory, window(50, 100), [call(1, 10), call(2, 200), call(3, 60)]) == [1, 2, 3]
    assert memory.blind
    assert memory.agrees(window(50, 300), 3)
    assert read(memory, window(50, 100), [call(3, 60)]) == []
    assert memory.blind
    assert memory.agrees(window(50, 300), 1)


@given(
    calls=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=30),
    compares=st.sampled_from(["starttime", "endtime"]),
    bounds=st.sampled_from(["[]", "[)", "(]", "()"]),
    windows=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted), min_size=1, max_size=8),
)
def test_the_range_always_holds_the_platforms_count(calls, compares, bounds, windows):
    """Of calls that are known, none of them removed, whatever has been learned so far."""
    everything = [call(number, start, start + length) for number, (start, length) in enumerate(calls)]

    def answer(first, last):
        lower = first if bounds[0] == "[" else first + 1
        upper = last if bounds[1] == "]" else last - 1
        return [cdr for cdr in everything if at(lower) <= getattr(cdr, compares) <= at(upper)]

    memory = Memory(at(-1))
    read(memory, window(-1, 50), answer(-1, 50))
    for first, last in windows:
        fewest, most = memory.count(window(first, last))
        assert fewest <= len(answer(first, last)) <= most
        assert read(memory, window(first, last), answer(first, last)) == []
        assert fewest <= memory.count(window(first, last))[0] <= memory.count(window(first, last))[1] <= most
