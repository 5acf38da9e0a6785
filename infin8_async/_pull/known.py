"""What the answers so far have shown: which calls there are, and which of their times the platform compares."""

from bisect import bisect_left, bisect_right
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from ..models import CdrQuery, platform_text
from .divide import SECOND
from .rows import Rows, time_of

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

    def observe(self, window: CdrQuery, calls: Rows) -> None:
        """Rule out what the calls in an answer to *window* contradict."""
        start, end = map(platform_text, window.ends)
        for name in list(self.possible) if calls else ():
            times = calls.times(name)
            if times is None or not start <= (first := min(times)) <= (last := max(times)) <= end:
                del self.possible[name]
            else:
                self.possible[name] = tuple(
                    bounds
                    for bounds in self.possible[name]
                    if (bounds[0] == "[" or first > start) and (bounds[1] == "]" or last < end)
                )


class Known:
    """
    The calls seen in the answers to one window and to pieces of it: their ids and, as texts, their times.

    Args:
        rule: Shared by all windows of a pull.

        elsewhere: Ids of calls that the reader has already, from a neighbouring window.

    Attributes:
        rule: What is known of the times that the platform compares.

        ids: The ids of the calls.
    """

    def __init__(self, rule: TimeRule, elsewhere: AbstractSet[int] = frozenset()) -> None:
        self.ids: set[int] = set()
        self.rule = rule
        self._elsewhere = elsewhere
        self._in_order: list[int] = []
        self._times: dict[str, list[str]] = {name: [] for name in rule.possible}
        self._sorted: dict[str, list[str]] = {}

    def admit(self, calls: Rows, *, window: CdrQuery | None = None) -> Rows:
        """
        Take note of the rows of an answer.

        Args:
            calls: The rows.

            window: What was asked for, to learn from it which times the platform compares.

        Returns:
            Those that the reader does not have yet, in their order.
        """
        new = calls
        if not self.ids.isdisjoint(calls.ids) or len(set(calls.ids)) < len(calls):
            places = []
            for place, call in enumerate(calls.ids):
                if call not in self.ids:
                    places.append(place)
                    self.ids.add(call)
            new = calls.pick(places)
        self.ids.update(new.ids)
        self._in_order += new.ids
        self._sorted.clear()
        if window is not None:
            self.rule.observe(window, calls)
        for name, times in list(self._times.items()):
            values = new.times(name) if name in self.rule.possible else None
            if values is None:  # a time that is missing can't be compared
                self.rule.possible.pop(name, None)
                del self._times[name]
            else:
                times.extend(values)
        if self._elsewhere.isdisjoint(new.ids):
            return new
        return new.pick([place for place, call in enumerate(new.ids) if call not in self._elsewhere])

    def count(self, window: CdrQuery) -> tuple[int, int]:
        """
        Count the known calls in a piece of the window.

        Returns:
            The fewest and the most there can be, as far as it is known which times the platform compares.
        """
        start, end = map(platform_text, window.ends)
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
            texts = self._in_time_order(name)
            first, last = bisect_left(texts, platform_text(start)), bisect_right(texts, platform_text(end))
            middle = (first + last) // 2
            around = max(first, middle - _NEAR)
            times = [time_of(text) for text in texts[around : min(last, middle + _NEAR + 1)]]
            for place in sorted(range(len(times) - 1), key=lambda place: abs(around + place - middle)):
                if times[place + 1] - times[place] >= 3 * SECOND:
                    return times[place] + SECOND
            if first < last:
                return times[middle - around]
        return start + (end - start) / 2

    def ids_in(self, window: CdrQuery) -> frozenset[int]:
        """The ids of all known calls that another window may hold as well."""
        if not self.rule.possible:
            return frozenset(self.ids)
        start, end = map(platform_text, window.ends)
        return frozenset(
            call
            for name in self.rule.possible
            for call, time in zip(self._in_order, self._times[name], strict=True)
            if start <= time <= end
        )

    def _in_time_order(self, name: str) -> list[str]:
        if name not in self._sorted:
            self._sorted[name] = sorted(self._times[name])
        return self._sorted[name]
