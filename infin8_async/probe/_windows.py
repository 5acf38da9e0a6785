"""
Which time of a call the platform compares with a window, and which ends of a window it includes.

Each possible rule says which of the known calls a window must give. A window for which the rules say different things
is an experiment: what comes rules some of them out.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from attrs import evolve, frozen

from ..models import Cdr, CdrQuery
from ._asking import Look
from ._observed import Observed, alike
from .report import Finding, not_found_out

TIMES: Final = ("starttime", "answertime", "endtime")
BOUNDS: Final = ("[]", "[)", "(]", "()")
NO_TIME: Final = "none"

_PLACES: Final = 12  # where in the known calls experiments are looked for
_WIDTHS: Final = (1, 4, 10)  # how many different times they span
_FEWEST_TRIALS: Final = 2
_FEWEST_CALLS: Final = 3


@frozen
class Rule:
    """
    What a platform may do.

    Attributes:
        time: The time of a call that has to lie in the window; `"none"`: windows do not matter.

        bounds: Which ends of the window belong to it.
    """

    time: str
    bounds: str

    def holds(self, cdr: Cdr, query: CdrQuery) -> bool:
        """Whether the window of a query has this call."""
        if self.time == NO_TIME:
            return True
        time: datetime | None = getattr(cdr, self.time)
        start, end = query.ends
        if time is None:
            return False
        return (start <= time if self.bounds[0] == "[" else start < time) and (
            time <= end if self.bounds[1] == "]" else time < end
        )


RULES: Final = (*(Rule(time, bounds) for time in TIMES for bounds in BOUNDS), Rule(NO_TIME, ""))


class Timelines:
    """
    The known calls by each of their times.

    Args:
        known: The calls.
    """

    def __init__(self, known: Sequence[Cdr]) -> None:
        self._known = frozenset(cdr.id for cdr in known)
        self._ids: dict[str, list[int]] = {}
        self._times: dict[str, list[datetime]] = {}
        for name in TIMES:
            line = sorted((time, cdr.id) for cdr in known if (time := getattr(cdr, name)) is not None)
            self._times[name] = [time for time, _ in line]
            self._ids[name] = [call for _, call in line]

    def given(self, rule: Rule, start: datetime, end: datetime) -> frozenset[int]:
        """The ids of the calls that a window gives by a rule."""
        if rule.time == NO_TIME:
            return self._known
        times = self._times[rule.time]
        first = bisect_left(times, start) if rule.bounds[0] == "[" else bisect_right(times, start)
        last = bisect_right(times, end) if rule.bounds[1] == "]" else bisect_left(times, end)
        return frozenset(self._ids[rule.time][first:last])

    def windows(self) -> Iterator[tuple[datetime, datetime]]:
        """Short windows that begin and end at a time of a call."""
        for times in self._times.values():
            different = list(dict.fromkeys(times))
            for width in _WIDTHS:
                step = max(1, (len(different) - width) // _PLACES)
                for start in islice(range(0, len(different) - width, step), _PLACES):
                    yield different[start], different[start + width]


def next_trial(observed: Observed, query: CdrQuery, *, most_rows: int) -> CdrQuery | None:
    """
    The window that tells the most of the rules apart that are still possible, or else of all rules.

    None if all that could show something has been asked.
    """
    lines = Timelines(observed.known)
    asked = {look.query.ends for look in observed.trials}
    first, last = query.ends
    windows = [
        (start, end) for start, end in lines.windows() if first <= start < end <= last and (start, end) not in asked
    ]
    for rules in (possible(observed, lines), RULES):
        scores = {window: _tells(rules, lines, *window, most_rows=most_rows) for window in windows}
        best = max(scores, key=scores.__getitem__, default=None)
        if best is not None and scores[best][1] > 1:
            return evolve(query, starttime=best[0], endtime=best[1])
    return None


def _tells(
    rules: Collection[Rule], lines: Timelines, start: datetime, end: datetime, *, most_rows: int
) -> tuple[bool, int]:
    """How well a window tells rules apart: does it have calls by each of them, and in how many ways does it differ?"""
    given = {rule: lines.given(rule, start, end) for rule in rules}
    sizes = [len(ids) for rule, ids in given.items() if rule.time != NO_TIME]
    if max(sizes, default=0) > most_rows:
        return False, 0
    different = len(set(given.values()))
    return different > 1 and min(sizes, default=0) > 0, different


def possible(observed: Observed, lines: Timelines | None = None) -> Collection[Rule]:
    """The rules that explain every trial."""
    lines = lines or Timelines(observed.known)
    return [rule for rule in RULES if all(_explains(rule, look, lines, observed) for look in _answered(observed))]


def _explains(rule: Rule, look: Look, lines: Timelines, observed: Observed) -> bool:
    """Whether every call that came belongs into the window, and every known call that belongs into it came."""
    if not all(rule.holds(cdr, look.query) for cdr in look.cdrs):
        return False
    if len(look.cdrs) >= look.total or observed.short(look):
        return lines.given(rule, *look.query.ends) <= set(look.ids)
    return rule.time != NO_TIME or alike(look.ids, observed.wide[0].ids)


def time_compared(observed: Observed) -> Finding:
    """Which time of a call has to lie in a window."""
    rules = _shown(observed)
    if isinstance(rules, Finding):
        return rules
    times = {rule.time for rule in rules}
    if len(times) > 1:
        return not_found_out(f"{_trials(observed)} fit {', '.join(sorted(times))}: no call tells them apart")
    return Finding(times.pop(), f"{_trials(observed)} fit no other")


def bounds(observed: Observed) -> Finding:
    """Which ends of a window belong to it."""
    rules = _shown(observed)
    if isinstance(rules, Finding):
        return rules
    found = {rule.bounds for rule in rules}
    if "" in found:
        return not_found_out("the platform does not compare times with the window")
    if len(found) > 1:
        return not_found_out(f"{_trials(observed)} fit {' and '.join(sorted(found))}")
    return Finding(found.pop(), f"{_trials(observed)}, with calls at their very ends, fit no others")


def _shown(observed: Observed) -> Collection[Rule] | Finding:
    """The rules that are possible, if there is something to go by."""
    trials = _answered(observed)
    if len(trials) < _FEWEST_TRIALS or sum(len(look.cdrs) for look in trials) < _FEWEST_CALLS:
        return not_found_out(f"{_trials(observed)}: too little to go by")
    return possible(observed) or not_found_out(f"{_trials(observed)} fit none of {', '.join(TIMES)} and {NO_TIME}")


def _answered(observed: Observed) -> list[Look]:
    return [look for look in observed.trials if look.page is not None]


def _trials(observed: Observed) -> str:
    trials = _answered(observed)
    return f"{len(trials)} short windows with {sum(len(look.cdrs) for look in trials)} calls"
