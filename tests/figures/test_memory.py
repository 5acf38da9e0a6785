"""What is remembered of very many calls: little, and enough."""

import pickle
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from attrs import evolve
from calls import at
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import cases

from infin8_async import CallDirection, Cdr
from infin8_async.figures import Peak, Share, figures
from infin8_async.figures._callbacks import Contacts
from infin8_async.figures._hours import Hours
from infin8_async.figures._traffic import Changes, traffic

MIDNIGHT = at("0:00:00")


async def many(number: int) -> AsyncIterator[Cdr]:
    """Make calls of one day: 97 customers ring in vain, and each is called back after an hour."""
    for call in range(number):
        start = MIDNIGHT + timedelta(seconds=call * 82_000 // number)
        customer = f"138{call % 97 * 64:08}"  # so that all of them are looked through together
        yield Cdr(id=call, context=CallDirection.INCOMING, disnumber=customer, starttime=start)
        back = start + timedelta(hours=1)
        yield Cdr(
            id=-call,
            context=CallDirection.OUTGOING,
            callnumber=customer,
            starttime=back,
            answertime=back,
            endtime=back + timedelta(minutes=1),
            billsec=60,
        )


LOTS = 90_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lots():
    return await figures(many(LOTS))


async def test_what_is_remembered_does_not_grow_with_the_number_of_calls(lots):
    for number, made in ((5_000, await figures(many(5_000))), (LOTS, lots)):
        assert made.unreturned == Share(0, number)
        assert len(pickle.dumps(made)) < 700_000  # of 90,000 calls, two numbers each would be twice that


async def test_a_day_of_more_calls_than_seconds_is_exact(lots):
    begun = sorted(3600 + call * 82_000 // LOTS for call in range(LOTS))
    at_once = {second: bisect_right(begun, second) - bisect_right(begun, second - 60) for second in begun}
    first = max(at_once, key=lambda second: (at_once[second], -second))
    assert lots.most_at_once == Peak(at_once[first], MIDNIGHT + timedelta(seconds=first))
    assert sum(round(erlangs * 3600) for erlangs in lots.erlangs.values()) == LOTS * 60


@settings(max_examples=cases(5, 2))
@given(st.lists(st.tuples(st.integers(-200_000, 200_000), st.integers(1, 100_000)), min_size=1, max_size=20))
def test_days_too_busy_for_a_number_a_change_give_the_same_traffic(talks):
    starts, ends = [start for start, _ in talks], [start + length for start, length in talks]
    hours = Hours(ZoneInfo("Asia/Kolkata"))  # its hours straddle midnight in UTC
    few, lots, again = Changes(), Changes(), Changes()
    few.add(starts, ends)
    times = 100_000 // len(talks)
    for changes in (lots, again):
        changes.add(starts * times, ends * times)
    again.merge(lots)
    again.merge(few)
    assert lots.busy
    one = traffic(few, hours)
    for changes, factor in ((lots, times), (again, 2 * times + 1)):
        many = traffic(changes, hours)
        assert many.peak == evolve(one.peak, calls=factor * one.peak.calls)
        assert many.seconds == {hour: factor * seconds for hour, seconds in one.seconds.items()}
        assert many.at_once == {hour: factor * calls for hour, calls in one.at_once.items()}


@pytest.mark.parametrize("seed", range(cases(3, 1)))
def test_contacts_of_no_use_are_dropped_and_change_nothing(seed):
    chance = Random(seed)
    # All in one place, as above.
    calls = [(chance.randrange(0, 100) * 64, chance.randrange(86_400), chance.random() < 0.3) for _ in range(24_000)]
    parts = [Contacts(10), Contacts(10)]
    for start in range(0, len(calls), 500):
        portion = calls[start : start + 500]
        cdrs = [Cdr(id=1, disnumber=f"139{number:08}") for number, _, _ in portion]
        seconds, answered = [second for _, second, _ in portion], [talked for _, _, talked in portion]
        parts[start > 15_000].add(cdrs, seconds, [True] * len(cdrs), answered)
    parts[0].merge(parts[1])
    latest: dict[int, int] = {}
    for number, second, talked in calls:
        if talked:
            latest[number] = max(second, latest.get(number, 0))
    missed = Counter(number for number, second, talked in calls if not talked and second >= latest[number])
    assert {int(number[3:]): calls for number, calls, _ in parts[0].callbacks()} == missed
    assert parts[0].unreturned() == missed.total()
    assert sum(map(len, parts[0].sorted)) < len(calls)
