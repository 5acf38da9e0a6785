"""Times and zones, as users write them."""

import re
from datetime import date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from ..models import BEIJING, CdrQuery

A_DAY: Final = "a day such as 2020-06-10, today, yesterday or 'last month'"
A_TIME: Final = "a time such as '2020-06-10 09:30', '2020-06-10 09:30:00' or 2020-06-10T09:30:00-06:00"

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(Z|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)
_DAY: Final = timedelta(days=1)


def zone_of(name: str) -> tzinfo:
    """
    The zone of that name.

    Raises:
        ValueError: There is none, or this machine knows no zones at all.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not available_timezones():
            raise ValueError("this machine has no time zone database: pip install tzdata") from None
        raise ValueError("there is no such zone; names are such as America/Mexico_City") from None


def zone_name(zone: tzinfo) -> str:
    """The name of a zone."""
    return "Beijing" if zone == BEIJING else str(zone)


def days(text: str, zone: tzinfo, today: date) -> tuple[datetime, datetime] | None:
    """
    The first and the last second of the day or the month that a text names; None if it names neither.

    Args:
        text: A date, `today`, `yesterday` or `last month`.

        zone: The zone that is meant.

        today: The present day in that zone.

    Raises:
        ValueError: The zone has skipped that day.
    """
    words = " ".join(text.lower().split())
    if words == "last month":
        last = today.replace(day=1) - _DAY
        return CdrQuery.day(last.replace(day=1), zone=zone).ends[0], CdrQuery.day(last, zone=zone).ends[1]
    if words in ("today", "yesterday"):
        return CdrQuery.day(today if words == "today" else today - _DAY, zone=zone).ends
    if not _DATE.fullmatch(words):
        return None
    try:
        day = date.fromisoformat(words)
    except ValueError:
        return None
    return CdrQuery.day(day, zone=zone).ends


def period(text: str, zone: tzinfo, today: date) -> tuple[datetime, datetime]:
    """
    The first and the last second of what a text names: a time, a day, a month.

    Args:
        text: As for `days`, or a time, with a T and an offset or without.

        zone: The zone that is meant. A text with an offset says itself which one is meant.

        today: The present day in that zone.

    Raises:
        ValueError: It names nothing.
    """
    if found := days(text, zone, today):
        return found
    if match := _TIME.fullmatch(text.strip()):
        day, clock, offset = match.groups()
        return _times(datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}"), zone)
    raise ValueError(f"give {A_DAY}, or {A_TIME}")


def _times(time: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """A time as it is, or if it has no offset, the first and the last time at which the clocks of the zone show it."""
    if time.tzinfo is not None:
        return time, time
    first = time.replace(tzinfo=zone)
    if first.astimezone(BEIJING).astimezone(zone).replace(tzinfo=None) != time:
        raise ValueError("there was no such time: the clocks were set forward")
    return first, first.replace(fold=1)
