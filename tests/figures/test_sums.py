"""What holds for figures of all calls there can be."""

import asyncio
from collections import Counter
from datetime import UTC, timedelta, timezone
from functools import reduce
from operator import add
from zoneinfo import ZoneInfo

import pytest
from calls import cdrs
from hypothesis import given
from hypothesis import strategies as st

from infin8_async import BEIJING
from infin8_async.figures import figures
from infin8_async.figures._hours import Hours
from infin8_async.figures._traffic import Changes, traffic

zones = st.sampled_from(
    [BEIJING, UTC, *map(ZoneInfo, ("Europe/Berlin", "America/Mexico_City", "Asia/Kathmandu", "Australia/Lord_Howe"))]
) | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
some_calls = st.lists(cdrs(), max_size=30)


@pytest.fixture(scope="module")
def made():
    """Make figures, on one loop for all cases."""
    with asyncio.Runner() as runner:
        yield lambda calls, **options: runner.run(figures(calls, **options))


@given(some_calls, st.data(), zones)
def test_parts_add_up_however_calls_are_divided(made, calls, data, zone):
    part = data.draw(st.lists(st.integers(0, 2), min_size=len(calls), max_size=len(calls)))
    parts = [made([cdr for cdr, of in zip(calls, part, strict=True) if of == number], zone=zone) for number in range(3)]
    whole = made(calls, zone=zone)
    assert (parts[0] + parts[1]) + parts[2] == whole
    assert parts[0] + (parts[1] + parts[2]) == whole
    assert (parts[2] + parts[1] + parts[0]).callbacks() == whole.callbacks()


@given(some_calls, st.data(), zones)
def test_order_does_not_matter(made, calls, data, zone):
    shuffled = made(data.draw(st.permutations(calls)), zone=zone, by="extnumber")
    whole = made(calls, zone=zone, by="extnumber")
    assert shuffled == whole
    assert shuffled.callbacks() == whole.callbacks()


@given(some_calls, zones)
def test_hours_and_days_sum_to_the_whole(made, calls, zone):
    whole = made(calls, zone=zone)
    dialled = [cdr for cdr in calls if cdr.starttime is not None]
    for tallies in (whole.by_hour, whole.by_weekday_hour, whole.by_day):
        assert sum(tally.calls for tally in tallies.values()) == len(dialled)
        assert sum(tally.answered for tally in tallies.values()) == sum(cdr.answered for cdr in dialled)
        talked = sum((tally.talk_time for tally in tallies.values()), timedelta())
        assert talked == sum((timedelta(seconds=max(0, cdr.billsec)) for cdr in dialled), timedelta())


@given(some_calls, zones)
def test_the_hours_traffic_is_the_talk_time(made, calls, zone):
    calls = [cdr for cdr in calls if cdr.starttime or cdr.answertime or cdr.endtime]  # the others are in no hour
    whole = made(calls, zone=zone)
    assert sum(round(erlangs * 3600) for erlangs in whole.erlangs.values()) == whole.talk_time.total_seconds()
    assert max(whole.at_once.values(), default=0) == whole.most_at_once.calls
    assert whole.at_once.keys() == whole.erlangs.keys()
    assert all(erlangs <= whole.at_once[hour] for hour, erlangs in whole.erlangs.items())


@given(some_calls)
def test_the_most_at_once_is_what_counting_second_by_second_finds(made, calls):
    talks = [
        (cdr.answertime, cdr.answertime + cdr.talk_time) for cdr in calls if cdr.answertime is not None
    ]  # an answer is where a talk begins
    without = [cdr for cdr in calls if cdr.answertime is not None or cdr.billsec <= 0]
    peak = made(without).most_at_once
    at = {time: sum(start <= time < end for start, end in talks) for time, _ in talks}
    assert peak.calls == max(at.values(), default=0)
    assert peak.at == min((time for time, calls in at.items() if calls and calls == peak.calls), default=None)


@given(st.lists(st.tuples(st.integers(-9_000, 9_000), st.integers(1, 9_000)), max_size=12), zones)
def test_traffic_is_what_each_second_of_each_talk_adds_up_to(talks, zone):
    changes, hours = Changes(), Hours(zone)
    changes.add([start for start, _ in talks], [start + length for start, length in talks])
    at_once = Counter(second for start, length in talks for second in range(start, start + length))
    seconds, most = Counter(), Counter()
    for second, calls in at_once.items():
        hour = hours.of(second)
        seconds[hour] += calls
        most[hour] = max(calls, most[hour])
    found = traffic(changes, hours)
    assert (found.seconds, found.at_once) == (seconds, most)


@given(some_calls, zones)
def test_each_group_is_as_if_there_were_no_others(made, calls, zone):
    whole = made(calls, zone=zone, by="extnumber")
    assert whole.groups.keys() == {cdr.extnumber for cdr in calls}
    for key, group in whole.groups.items():
        assert group == made([cdr for cdr in calls if cdr.extnumber == key], zone=zone)
    assert reduce(add, whole.groups.values(), made([], zone=zone)) == made(calls, zone=zone)


def last_ten(number):
    return "".join(filter(str.isdigit, number))[-10:]


@given(some_calls)
def test_unreturned_is_what_comparing_every_call_with_every_other_finds(made, calls):
    def number(cdr):
        return last_ten(cdr.disnumber if cdr.context == "callin" else cdr.callnumber)

    def is_returned(missed):
        return any(
            cdr.answered and number(missed) and number(cdr) == number(missed)
            and missed.starttime is not None and cdr.starttime is not None and cdr.starttime > missed.starttime
            for cdr in calls
        )  # fmt: skip

    missed = [cdr for cdr in calls if cdr.context == "callin" and not cdr.answered]
    whole = made(calls)
    assert (whole.unreturned.part, whole.unreturned.whole) == (sum(not is_returned(cdr) for cdr in missed), len(missed))
    named = [cdr for cdr in missed if number(cdr) and cdr.starttime is not None and not is_returned(cdr)]
    assert sum(who.calls for who in whole.callbacks()) == len(named)
    assert {last_ten(who.number) for who in whole.callbacks()} == {number(cdr) for cdr in named}
