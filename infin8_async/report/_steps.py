"""A window in steps: by hour, by day or by month, whichever gives a picture that can be read."""

from datetime import date, datetime, timedelta
from typing import Final, Literal

from attrs import frozen

from ..figures import Figures, Tally

Step = Literal["hour", "day", "month"]
"""How long a step is."""

_FEW_DAYS: Final = 2
_MANY_DAYS: Final = 92
_DAY: Final = timedelta(days=1)


@frozen
class Level:
    """
    How many talked at once, during a step.

    Attributes:
        most: The most at any moment.

        erlangs: The traffic of its busiest hour.
    """

    most: int = 0
    erlangs: float = 0.0


def step(made: Figures) -> Step:
    """How long the steps are in which these figures are shown."""
    days = len(made.by_day)
    return "hour" if days <= _FEW_DAYS else "day" if days <= _MANY_DAYS else "month"


def tallies(made: Figures) -> dict[int | date, Tally]:
    """What became of the calls of each step: of each hour of day, or of each day or month between first and last."""
    if not made.by_day:
        return {}
    if step(made) == "hour":
        return {hour: made.by_hour[hour] for hour in range(24)}
    sums: dict[int | date, Tally] = {}
    for day in _days(made):
        held, more = sums.get(_key(made, day), Tally()), made.by_day.get(day, Tally())
        sums[_key(made, day)] = Tally(
            held.calls + more.calls, held.answered + more.answered, held.talk_time + more.talk_time
        )
    return sums


def levels(made: Figures) -> dict[datetime | date, Level]:
    """How many talked at once in each hour, day or month; those in which nobody talked are left out."""
    found: dict[datetime | date, Level] = {}
    for hour, most in made.at_once.items():
        key = hour if step(made) == "hour" else _key(made, hour.date())
        held = found.get(key, Level())
        found[key] = Level(max(held.most, most), max(held.erlangs, made.erlangs[hour]))
    return found


def _days(made: Figures) -> list[date]:
    first, last = min(made.by_day), max(made.by_day)
    if (last - first).days > 100 * 366:  # a date that no call centre knows
        return sorted(made.by_day)
    return [first + number * _DAY for number in range((last - first).days + 1)]


def _key(made: Figures, day: date) -> date:
    return day.replace(day=1) if step(made) == "month" else day
