from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from simulation import DAY

from infin8_async import Cdr, CdrQuery
from infin8_async._pull.divide import direction, divide
from infin8_async._pull.rows import Rows

SECOND = timedelta(seconds=1)


@given(st.integers(0, 10_000_000), st.integers(1, 100), st.booleans(), st.booleans(), st.data())
def test_every_second_of_a_window_is_in_a_part_whichever_bounds_are_included(length, parts, start_in, end_in, data):
    query = CdrQuery(DAY, DAY + SECOND * length, context="callin")
    second = DAY + SECOND * data.draw(st.integers(0, length))

    def holds(window):
        start, end = window.ends
        return (start < second or (start_in and start == second)) and (second < end or (end_in and second == end))

    assert any(map(holds, divide(query, parts))) == holds(query)


@given(st.integers(0, 10_000_000), st.integers(1, 100))
def test_parts_follow_in_time_keep_the_filters_and_are_shorter_than_the_whole(length, parts):
    query = CdrQuery(DAY, DAY + SECOND * length, context="callin")
    divided = divide(query, parts)
    assert divided == [query] or all(part.endtime - part.starttime < SECOND * length for part in divided)
    assert (divided[0].starttime, divided[-1].endtime) == query.ends
    assert [part.starttime for part in divided] == sorted({part.starttime for part in divided})
    assert len(divided) <= parts
    assert {part.context for part in divided} == {query.context}


def test_three_seconds_can_be_halved_and_two_cannot():
    assert len(divide(CdrQuery(DAY, DAY + 3 * SECOND), 2)) == 2
    assert len(divide(CdrQuery(DAY, DAY + 2 * SECOND), 2)) == 1


def test_the_direction_is_that_of_the_dial_times_and_none_where_they_show_none():
    def way(*seconds):
        cdrs = [Cdr(id=1, starttime=None if s is None else DAY + s * SECOND) for s in seconds]
        return direction(Rows(cdrs).times("starttime"))

    assert way(1, 1, 2, 3) == 1
    assert way(3, 2, 2, 1) == -1
    assert way(1, 3, 2) == way(3, 1, 2) == way(1, 1) == way(1, None, 2) == way() == 0
