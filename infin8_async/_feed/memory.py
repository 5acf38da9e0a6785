"""What a feed remembers: the calls it knows, and how many the platform should count. Decides, never awaits."""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import filterfalse
from typing import Final

from attrs import define, field

from .._pull.known import TimeRule
from .._pull.rows import Rows
from ..models import BEIJING, Cdr, CdrQuery

_NAMES: Final = ("starttime", "answertime", "endtime")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=BEIJING)
_SECOND: Final = timedelta(seconds=1)
_NEARBY: Final = 60  # seconds to look for one at which a window can be cut without doubt
_FOREVER: Final = 2**62

Times = tuple[int | None, int | None, int | None, int]
"""The three times of a call that the platform may compare, and the latest of all its times, in seconds."""


@define
class Reading:
    """
    A window that is being read.

    Attributes:
        window: Which.

        expected: How many known calls it holds by each rule that was possible when the reading began.

        known: How many calls have come that were known.

        ids: All calls that have come.
    """

    window: CdrQuery
    expected: dict[tuple[str, str], int]
    known: int = 0
    ids: set[int] = field(factory=set)


class Memory:
    """
    The calls that a feed knows, from the start of its window on.

    The platform does not document which time of a call it compares with a window, nor whether a window's ends belong
    to it. So a number of known calls is a range, until the answers have shown it.

    Args:
        start: Everything before it has been taken.

    Attributes:
        start: Where the window begins.
    """

    def __init__(self, start: datetime) -> None:
        self.start = start
        self._rule = TimeRule()
        self._calls: dict[int, Times] = {}
        self._uncounted: set[int] = set()  # they are known, but the platform did not give them lately
        self._untaken: set[int] = set()
        self._times = {name: array("q") for name in _NAMES}  # of the others, sorted
        self._moved = False  # from then on calls before the start have been taken

    def resume(self, start: datetime, taken: Collection[int], *, now: datetime) -> None:
        """Go on where an earlier feed was: it had taken everything before *start*, and some calls after it."""
        self.start, self._moved = start, True
        self._calls = dict.fromkeys(taken, (None, None, None, _seconds(now)))
        self._uncounted = set(taken)

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def blind(self) -> bool:
        """Whether the platform compares none of the times that are known: only the whole window tells anything."""
        return not any(True for _ in self._possible())

    def begin(self, window: CdrQuery) -> Reading:
        """Begin to read a window."""
        first, last = map(_seconds, window.ends)
        expected = {(name, bounds): self._count(name, bounds, first, last) for name, bounds in self._possible()}
        return Reading(window, expected)

    def admit(self, reading: Reading, cdrs: Sequence[Cdr]) -> list[Cdr]:
        """
        Take note of calls in an answer.

        Returns:
            Those that are new. They are known from now on, and have yet to be taken.
        """
        self._observe(reading.window, cdrs)
        new: list[Cdr] = []
        for cdr in cdrs:
            if cdr.id in reading.ids:
                continue
            reading.ids.add(cdr.id)
            times, before = _times(cdr, default=reading.window.ends[1]), self._calls.get(cdr.id)
            if before is None:
                # One from before the start has been taken and forgotten: the platform does not go by its times.
                if not self._moved or times[-1] >= _seconds(self.start):
                    self._untaken.add(cdr.id)
                    new.append(cdr)
            elif cdr.id not in self._uncounted:
                reading.known += 1
                if before == times:
                    continue
                self._discount(before)
            self._uncounted.discard(cdr.id)
            self._calls[cdr.id] = times
            for name, time in zip(_NAMES, times, strict=False):
                if time is None:  # it can't be compared
                    self._times.pop(name, None)
                elif name in self._times:
                    insort(self._times[name], time)
        return new

    def finish(self, reading: Reading) -> None:
        """Take note that a window has been read whole: learn from known calls that it did or did not hold."""
        right = {rule for rule in self._possible() if reading.expected.get(rule) == reading.known}
        if right:
            for name, possible in self._rule.possible.items():
                self._rule.possible[name] = tuple(bounds for bounds in possible if (name, bounds) in right)
        elif reading.known < min(reading.expected.values(), default=len(self._calls)):
            self._remove_others(reading)

    def take(self, ids: Iterable[int]) -> None:
        """Take note that the reader has calls for good."""
        self._untaken.difference_update(ids)

    def taken(self) -> list[int]:
        """The ids of all calls that have been taken."""
        return list(filterfalse(self._untaken.__contains__, self._calls))

    def move(self, start: datetime) -> None:
        """Begin the window later, and forget calls that can't come again."""
        self.start, self._moved = start, True
        first, blind = _seconds(start), self.blind
        for call in [call for call, times in self._calls.items() if times[-1] < first]:
            if call not in self._untaken and (call in self._uncounted or not blind):
                del self._calls[call]
                self._uncounted.discard(call)
        for known in self._times.values():
            del known[: bisect_left(known, first)]

    def count(self, window: CdrQuery) -> tuple[int, int]:
        """The fewest and the most known calls that the platform should count in a window."""
        return self._range(*map(_seconds, window.ends))

    def agrees(self, window: CdrQuery, counted: int) -> bool:
        """Whether the platform's count of a window certainly matches the known calls."""
        return self.excess(window, counted) == 0

    def excess(self, window: CdrQuery, counted: int) -> int | None:
        """How many more calls the platform counts in a window than are known; None if that is in doubt."""
        fewest, most = self.count(window)
        return counted - most if fewest == most else None

    def newest(self, calls: int) -> datetime:
        """The time from which on there are that many known calls; the start if there are fewer."""
        for name, _ in self._possible():
            times = self._times[name]
            return self.start if len(times) < calls else _time(times[-calls])
        return self.start

    def piece_before(self, end: datetime, calls: int) -> datetime:
        """The start of a window that ends at *end* and has that many known calls."""
        starts = [
            times[max(0, bisect_left(times, _seconds(end)) - calls)] if times else _seconds(self.start)
            for times in (self._times[name] for name, _ in self._possible())
        ]
        return min(end, max(self.start, _time(min(starts, default=0))))

    def time_of(self, window: CdrQuery, number: int) -> datetime:
        """The time of the known call of this number in a window; the window's end if it has fewer."""
        first, end = window.ends
        for name, _ in self._possible():
            times = self._times[name]
            at = bisect_left(times, _seconds(first)) + number
            return min(_time(times[at]), end) if at < len(times) else end
        return end

    def middle(self, window: CdrQuery) -> datetime:
        """The second that has as many known calls of a window before it as after it."""
        first, last = map(_seconds, window.ends)
        for name, _ in self._possible():
            times = self._times[name]
            lower, upper = bisect_left(times, first), bisect_right(times, last)
            if lower < upper:
                return _time(times[(lower + upper) // 2])
        return window.ends[0] + (window.ends[1] - window.ends[0]) / 2

    def end_near(self, time: datetime) -> datetime:
        """A second, at most a minute before *time*, with which a window from the start can end without doubt."""
        first = _seconds(self.start)
        return self._without_doubt(time, lambda second: self._range(first, second))

    def start_near(self, time: datetime) -> datetime:
        """A second, at most a minute before *time*, with which a window can begin without doubt."""
        return self._without_doubt(time, lambda second: self._range(second, _FOREVER))

    def earliest(self, cdr: Cdr) -> datetime | None:
        """The earliest time of a call that the platform may compare."""
        return min((getattr(cdr, name) for name, _ in self._possible()), default=None)

    def _without_doubt(self, time: datetime, count: Callable[[int], tuple[int, int]]) -> datetime:
        for second in range(_seconds(time), _seconds(time) - _NEARBY, -1):
            fewest, most = count(second)
            if fewest == most:
                return max(self.start, _time(second))
        return max(self.start, time)

    def _possible(self) -> Iterable[tuple[str, str]]:
        return ((name, b) for name, possible in self._rule.possible.items() if name in self._times for b in possible)

    def _observe(self, window: CdrQuery, cdrs: Sequence[Cdr]) -> None:
        was_blind = self.blind
        self._rule.observe(window, Rows(cdrs))
        if self.blind and not was_blind:
            # A call that was removed at the wrong moment may have ruled out the right one: start over.
            self._rule = TimeRule()
            self._rule.observe(window, Rows(cdrs))

    def _count(self, name: str, bounds: str, first: int, last: int) -> int:
        times = self._times[name]
        upper = bisect_right(times, last) if bounds[1] == "]" else bisect_left(times, last)
        lower = bisect_left(times, first) if bounds[0] == "[" else bisect_right(times, first)
        return max(0, upper - lower)

    def _range(self, first: int, last: int) -> tuple[int, int]:
        counts = [self._count(name, bounds, first, last) for name, bounds in self._possible()]
        if not counts:
            counts = [len(self._calls) - len(self._uncounted)]
        return min(counts), max(counts)

    def _discount(self, times: Times) -> None:
        for name, time in zip(_NAMES, times, strict=False):
            if time is not None and (known := self._times.get(name)):
                at = bisect_left(known, time)
                if at < len(known) and known[at] == time:
                    del known[at]

    def _remove_others(self, reading: Reading) -> None:
        """Count no longer on calls that a window must hold, and does not."""
        first, last = map(_seconds, reading.window.ends)
        places = [_NAMES.index(name) for name in {name for name, _ in self._possible()}]
        for call, times in self._calls.items():
            if call in reading.ids or call in self._uncounted:
                continue
            if all((time := times[place]) is not None and first < time < last for place in places):
                self._uncounted.add(call)
                self._discount(times)


def _times(cdr: Cdr, *, default: datetime) -> Times:
    """The times of a call. If it has none, the default is the latest."""
    every = (cdr.starttime, cdr.answertime, cdr.endtime, cdr.astarttime, cdr.aanswertime, cdr.aendtime)
    known = [None if time is None else _seconds(time) for time in every]
    latest = max((time for time in known if time is not None), default=_seconds(default))
    return known[0], known[1], known[2], latest


def _seconds(time: datetime) -> int:
    return (time - _EPOCH) // _SECOND


def _time(seconds: int) -> datetime:
    return _EPOCH + _SECOND * seconds
