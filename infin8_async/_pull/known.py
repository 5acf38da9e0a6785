"""What the answers so far have shown: which calls there are, and which of their times the platform compares."""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Final

from ..models import Cdr, CdrQuery
from .divide import SECOND

_BOUNDS: Final = ("[]", "[)", "(]", "()")
_NEAR: Final = 100  # calls on either side of the middle one, among which a gap is looked for
_TIMES: Final = ("starttime", "answertime", "endtime")


class TimeRule:
    """
    Which time of a call the platform compares with a window, and whether the window's ends belong to it.

    The platform documents neither, so every combination is possible until a call in an answer contradicts it.

    Attributes:
        possible: The times that may be the one, each with the bounds that are possible for it.
    """

    def __init__(self) -> None:
        self.possible: dict[str, tuple[str, ...]] = dict.fromkeys(_TIMES, _BOUNDS)

    def observe(self, window: CdrQuery, cdrs: Sequence[Cdr]) -> None:
        """Rule out what the calls in an answer to *window* contradict."""
        start, end = window.ends
        for name in list(self.possible) if cdrs else ():
            known = [time for cdr in cdrs if (time := getattr(cdr, name)) is not None]
            if len(known) < len(cdrs) or not start <= min(known) <= max(known) <= end:
                del self.possible[name]
            else:
                self.possible[name] = tuple(
                    bounds
                    for bounds in self.possible[name]
                    if (bounds[0] == "[" or min(known) > start) and (bounds[1] == "]" or max(known) < end)
                )


class Known:
    """
    The calls seen in the answers to one window and to pieces of it.

    Args:
        rule: Shared by all windows of a pull.

        elsewhere: Ids of calls that the reader has already, from a neighbouring window.

    Attributes:
        rule: What is known of the times that the platform compares.

        ids: The ids of the calls.
    """

    def __init__(self, rule: TimeRule, elsewhere: Container[int] = ()) -> None:
        self.ids: set[int] = set()
        self.rule = rule
        self._elsewhere = elsewhere
        self._in_order: list[int] = []
        self._times: dict[str, list[datetime | None]] = {name: [] for name in rule.possible}
        self._sorted: dict[str, list[datetime]] = {}

    def admit(self, cdrs: Sequence[Cdr], *, window: CdrQuery | None = None) -> list[Cdr]:
        """
        Take note of the rows of an answer.

        Args:
            cdrs: The rows.

            window: What was asked for, to learn from it which times the platform compares.

        Returns:
            Those that the reader does not have yet, in their order.
        """
        ids = [cdr.id for cdr in cdrs]
        new = cdrs
        if not self.ids.isdisjoint(ids) or len(set(ids)) < len(ids):
            new, ids = [], []
            for cdr in cdrs:
                if cdr.id not in self.ids:
                    new.append(cdr)
                    ids.append(cdr.id)
                    self.ids.add(cdr.id)
        self.ids.update(ids)
        self._in_order += ids
        self._sorted.clear()
        if window is not None:
            self.rule.observe(window, cdrs)
        for name, times in list(self._times.items()):
            values = [getattr(cdr, name) for cdr in new]
            if None in values:  # a time that is missing can't be compared
                self.rule.possible.pop(name, None)
            if name in self.rule.possible:
                times.extend(values)
            else:
                del self._times[name]
        return [cdr for cdr in new if cdr.id not in self._elsewhere] if self._elsewhere else list(new)

    def count(self, window: CdrQuery) -> tuple[int, int]:
        """
        Count the known calls in a piece of the window.

        Returns:
            The fewest and the most there can be, as far as it is known which times the platform compares.
        """
        start, end = window.ends
        counts = [
            max(
                0,
                (bisect_right if bounds[1] == "]" else bisect_left)(times, end)
                - (bisect_left if bounds[0] == "[" else bisect_right)(times, start),
            )
            for name, possible in self.rule.possible.items()
            for times in [self._in_time_order(name)]
            for bounds in possible
        ]
        return (min(counts), max(counts)) if counts else (0, len(self.ids))

    def middle(self, window: CdrQuery) -> datetime:
        """
        A second that has about as many known calls of the window before it as after it.

        If there is one, it lies in a gap between two calls: then it does not matter which bounds the platform includes.
        """
        start, end = window.ends
        for name in self.rule.possible:
            times = self._in_time_order(name)
            first, last = bisect_left(times, start), bisect_right(times, end)
            middle = (first + last) // 2
            for place in sorted(
                range(max(first, middle - _NEAR), min(last - 1, middle + _NEAR)), key=lambda place: abs(place - middle)
            ):
                if times[place + 1] - times[place] >= 3 * SECOND:
                    return times[place] + SECOND
            if first < last:
                return times[middle]
        return start + (end - start) / 2

    def ids_in(self, window: CdrQuery) -> frozenset[int]:
        """The ids of all known calls that another window may hold as well."""
        if not self.rule.possible:
            return frozenset(self.ids)
        start, end = window.ends
        return frozenset(
            call
            for name in self.rule.possible
            for call, time in zip(self._in_order, self._times[name], strict=True)
            if time is None or start <= time <= end
        )

    def _in_time_order(self, name: str) -> list[datetime]:
        if name not in self._sorted:
            self._sorted[name] = sorted(time for time in self._times[name] if time is not None)
        return self._sorted[name]
