"""Following while this machine's clock is wrong."""

import asyncio
from collections import Counter
from email.utils import format_datetime

import clock
import pytest
from feed.centre import INTERVAL, Centre, at, calls, now
from profiles import cases

from infin8_async import CdrQuery
from infin8_async._wire.clock import PlatformClock

LATE = 2 * INTERVAL.total_seconds()
CALLS = calls(5, cases(10, 4) / 100, 3600, mean=120)


def follow(host, *, dates=True):
    """
    Follow for an hour.

    Args:
        host: This machine's clock: how many seconds it is fast, at a second of the true time.

        dates: Whether the platform's answers have a `Date`.

    Returns:
        How often each call came, and the longest time from its appearing to its coming.
    """
    platform = PlatformClock(lambda: at(seconds() + host(seconds())))

    def heard():
        platform.hear({"Date": format_datetime(now())} if dates else {})

    async def main():
        got, waits = Counter(), []
        appear = {call.id: call.appears for call in CALLS}
        async with Centre(list(CALLS), now=platform.now, heard=heard).follow(CdrQuery(at(-1))) as feed:
            async for cdr in feed:
                got[cdr.id] += 1
                waits.append(seconds() - appear[cdr.id])
                if len(got) == len(CALLS):
                    break
        return got, max(waits)

    return clock.run(main())


def seconds():
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("minutes", "warning"),
    [(-10, "600 s slow"), (-1, "60 s slow"), (1, "60 s fast"), (10, "600 s fast"), (0.1, None)],
)
def test_each_call_comes_once_and_in_time_and_one_warning_says_how_wrong_the_clock_is(minutes, warning, caplog):
    got, longest = follow(lambda _: 60 * minutes)
    assert set(got.values()) == {1}
    assert longest < LATE
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == (warning is not None)
    assert warning is None or warning in warnings[0]


@pytest.mark.parametrize("jump", [0, 900])
def test_the_clock_may_jump_an_hour_ahead_for_a_minute(jump, caplog):
    """At the first poll, or later."""
    got, longest = follow(lambda second: 3600 if jump <= second < jump + 60 else 0)
    assert set(got.values()) == {1}
    assert longest < LATE
    assert [record.getMessage()[:36] for record in caplog.records] == ["this machine's clock is 3600 s fast:"]


@pytest.mark.parametrize("minutes", [-10, -1, 1, 10])
def test_without_a_date_in_the_answers_a_slow_clock_delays_calls_and_loses_none(minutes):
    got, longest = follow(lambda _: 60 * minutes, dates=False)
    assert set(got.values()) == {1}
    assert longest < LATE + max(0, -60 * minutes)
