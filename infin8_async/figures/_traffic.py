"""How many talk at once."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate, repeat
from operator import mul
from typing import Final

from attrs import frozen

from ._hours import Hours

_DAY: Final = 86_400
_CODES: Final = 2 * _DAY  # changes that a day can have
_PENDING: Final = 20_000  # changes that are kept as they come, before they are sorted into days
_LONG_AGO: Final = -(2**63)
_NOTHING: Final = array("i", bytes(4 * (_DAY + 1)))


@frozen
class Peak:
    """
    The most calls at once.

    Attributes:
        calls: How many.

        at: When this was first reached, in the zone asked for; None if nobody talked.
    """

    calls: int
    at: datetime | None


class Changes:
    """
    When calls began and ended to talk, to the second: enough to say how many talked at any moment.

    That is 8 bytes for each call, and for one day never more than 700 kB.
    """

    def __init__(self) -> None:
        # A change is twice its second, and 1 more if it is a beginning. Sorted, ends come before beginnings.
        self.pending = array("q")
        self.days: dict[int, array[int]] = {}  # with the second of the day
        self.busy: dict[int, array[int]] = {}  # days on which one number a second takes less room

    def add(self, starts: Iterable[int], ends: Iterable[int]) -> None:
        """Add calls that talked from one second up to another."""
        self.pending.extend([2 * second + 1 for second in starts])
        self.pending.extend([2 * second for second in ends])
        if len(self.pending) > _PENDING:
            self._tidy()

    def merge(self, other: "Changes") -> None:
        """Add all calls of another one."""
        self.pending.extend(other.pending)
        for day, changes in other.days.items():
            self.days.setdefault(day, array("I")).extend(changes)
        for day, levels in other.busy.items():
            self.busy[day] = array("i", map(int.__add__, self.busy.get(day, _NOTHING), levels))
        self._tidy()

    def by_day(self) -> Iterator[tuple[int, Sequence[int]]]:
        """In order of time, each day's first second and its changes, each being twice its second of the day, + 1."""
        self._tidy()
        for day in sorted({*self.days, *self.busy}):
            yield day * _DAY, sorted(self.days[day]) if day in self.days else [*self._busy(day)]

    def _tidy(self) -> None:
        """Sort changes into their days."""
        changes = sorted(self.pending)
        self.pending = array("q")
        start = 0
        while start < len(changes):
            day = (changes[start] - 1) // _CODES  # who stops talking at midnight does so on the day before
            end = bisect_right(changes, (day + 1) * _CODES, start)
            self.days.setdefault(day, array("I")).extend([change - day * _CODES for change in changes[start:end]])
            start = end
        for day in [day for day, changes in self.days.items() if len(changes) > _DAY or day in self.busy]:
            busy = self.busy.setdefault(day, _NOTHING[:])
            for change in self.days.pop(day):
                busy[change >> 1] += 1 if change & 1 else -1

    def _busy(self, day: int) -> Iterator[int]:
        """The changes of a busy day in their order, without those that cancel each other out."""
        for second, change in enumerate(self.busy[day]):
            yield from repeat(2 * second + (change > 0), abs(change))


@frozen
class Traffic:
    """
    How many talked at once, read off `Changes`.

    Attributes:
        peak: The most at any moment.

        seconds: Seconds talked in each hour; they add up to the time talked.

        at_once: The most at any moment of each hour.
    """

    peak: Peak
    seconds: dict[datetime, int]
    at_once: dict[datetime, int]


def traffic(changes: Changes, hours: Hours) -> Traffic:
    """Go through all changes, hour by hour."""
    by_hour: dict[datetime, list[int]] = {}  # the seconds talked, and the most at once
    peak = when = level = 0
    until = _LONG_AGO
    for midnight, codes in changes.by_day():
        times = [midnight + (code >> 1) for code in codes]
        steps = [1 if code & 1 else -1 for code in codes]
        levels = [*accumulate(steps, initial=level)]
        here = 0
        while here < len(codes):
            begin = until if level else times[here]
            until = min(hours.until(begin), midnight + _DAY)
            # Who stops talking as the hour ends does so in this hour.
            after = bisect_right(codes, 2 * (until - midnight), here)
            tally = by_hour.setdefault(hours.of(begin), [0, 0])
            # Everyone is taken to go on until the hour ends, and who stops before, to take the rest of it back.
            rest = sum(map(mul, steps[here:after], times[here:after]))
            tally[0] += until * levels[after] - begin * level - rest
            most = max(levels[here : after + 1])
            tally[1] = max(tally[1], most)
            if most > peak:
                peak, when = most, times[levels.index(most, here) - 1]
            here, level = after, levels[after]
    return Traffic(
        Peak(peak, hours.time(when) if peak else None),
        {hour: seconds for hour, (seconds, _) in by_hour.items() if seconds},
        {hour: most for hour, (_, most) in by_hour.items() if most},
    )
