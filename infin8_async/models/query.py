"""Which calls to ask for: a window of time, and filters."""

import re
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Literal, Self, TypedDict, TypeVar, Unpack

from attrs import asdict, evolve, field, frozen, validators

from ._checks import a_text
from .codes import CallDirection, CallMethod
from .record import BEIJING, masked, platform_text

Integrity = Literal["repair", "raise", "off"]
"""What a pull does if rows moved between pages while they were read; see `Infin8Session.cdrs`."""

_SECOND = timedelta(seconds=1)
_PLATFORM_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)


def _a_time(value: object) -> datetime:
    """An aware datetime, or a text in the platform's form, as an aware datetime in Beijing time."""
    if isinstance(value, str):
        if not _PLATFORM_TIME.fullmatch(value):
            raise ValueError("a time as text must have the platform's form 'YYYY-MM-DD HH:MM:SS', in Beijing time")
        return datetime.fromisoformat(value).replace(tzinfo=BEIJING)
    if not isinstance(value, datetime):
        msg = f"a time must be an aware datetime or a string, not {type(value).__name__}"
        raise TypeError(msg)
    if value.utcoffset() is None:
        raise ValueError(
            "a naive datetime could be in any zone. Make it aware: "
            "value.replace(tzinfo=BEIJING) if it is Beijing time, value.astimezone() if it is this machine's time"
        )
    try:
        return value.astimezone(BEIJING)
    except OverflowError:
        raise ValueError("a time must lie in the years 1 to 9999 of Beijing time") from None


def _start(value: datetime | str) -> datetime:
    return _a_time(value).replace(microsecond=0)


def _end(value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    end = _a_time(value)
    if not end.microsecond:
        return end
    try:
        return end.replace(microsecond=0) + _SECOND
    except OverflowError:
        raise ValueError("endtime is past the last whole second of the year 9999") from None


_E = TypeVar("_E", bound=StrEnum)


def _member(kind: type[_E], value: object) -> _E | None:
    if value is None:
        return None
    try:
        return kind(str(value))
    except ValueError:
        known = ", ".join(f"{member.value!r} ({member.name.lower()})" for member in kind)
        raise ValueError(f"{value!r} is not a {kind.__name__}; the platform knows {known}") from None


Direction = CallDirection | Literal["callin", "callout"]
"""A direction to filter by."""

Method = CallMethod | Literal["0", "1", "2", "3", "4", "5", "6", 0, 1, 2, 3, 4, 5, 6]
"""A method to filter by."""


def _direction(value: Direction | None) -> CallDirection | None:
    return _member(CallDirection, value)


def _method(value: Method | None) -> CallMethod | None:
    return _member(CallMethod, value)


def _filter(*, number: bool = False) -> str | None:
    """A filter of a query. None leaves it out. The empty string is refused: it could mean "empty" or "any"."""
    result: str | None = field(
        default=None, kw_only=True, validator=validators.optional(a_text), repr=masked if number else True
    )
    return result


class Filters(TypedDict, total=False):
    """What `CdrQuery` can filter by, besides time."""

    extnumber: str | None
    disnumber: str | None
    callnumber: str | None
    context: Direction | None
    callmethod: Method | None
    userid: str | None
    memberid: str | None


@frozen
class CdrQuery:
    """
    A window of time, and what to filter by.

    Times are aware datetimes of any zone, or strings in the platform's own form `"YYYY-MM-DD HH:MM:SS"`, in Beijing
    time. They are kept as aware datetimes in `BEIJING` with whole seconds: the start is rounded down, the end up.
    The platform does not document which time of a record it compares, nor whether a window includes both its ends (a
    sibling interface says: the dial time).

    Attributes:
        starttime: When the window begins.

        endtime: When it ends. For a pull, None means "until now" by the platform's clock, fixed when the pull begins.
            For following, it means "for ever".

        extnumber: Only calls of this extension.

        disnumber: Only calls with this calling number.

        callnumber: Only calls with this called number.

        context: Only calls in this direction.

        callmethod: Only calls set up in this way.

        userid: Only calls with this custom parameter.

        memberid: Only calls with this custom parameter.

    Raises:
        ValueError: A naive datetime, a malformed time, an end before the start, an empty or unknown filter value.

        TypeError: A time is neither a datetime nor a string, or a text filter is not a string.
    """

    starttime: datetime = field(converter=_start)
    endtime: datetime | None = field(default=None, converter=_end)
    extnumber: str | None = _filter()
    disnumber: str | None = _filter(number=True)
    callnumber: str | None = _filter(number=True)
    context: CallDirection | None = field(default=None, kw_only=True, converter=_direction)
    callmethod: CallMethod | None = field(default=None, kw_only=True, converter=_method)
    userid: str | None = _filter()
    memberid: str | None = _filter()

    def __attrs_post_init__(self) -> None:
        if self.endtime is not None and self.endtime < self.starttime:
            raise ValueError(f"endtime {self.endtime} is before starttime {self.starttime}")

    @classmethod
    def day(cls, day: date, *, zone: tzinfo = BEIJING, **filters: Unpack[Filters]) -> Self:
        """
        One calendar day, from 00:00:00 to 23:59:59. It has 23 or 25 hours if the clocks of the zone are changed on it.

        Raises:
            ValueError: The zone has skipped that day.
        """
        if isinstance(day, datetime):
            raise TypeError("a day must be a date; for the day of a datetime use value.astimezone(BEIJING).date()")
        last = time(23, 59, 59, fold=1)  # the second one, if the clocks show it twice
        return cls(datetime.combine(day, time(), zone), datetime.combine(day, last, zone), **filters)

    @classmethod
    def last(cls, span: timedelta, **filters: Unpack[Filters]) -> Self:
        """
        The *span* of time that ends now, by this machine's clock. Both ends are fixed when the query is made.

        No platform has been asked yet, so a wrong clock moves the window by as much as it is wrong. A session that
        notices logs how many seconds that is. A query without an end goes by the platform's clock.

        Raises:
            ValueError: The span is negative, or longer than the calendar.
        """
        now = datetime.now(BEIJING)
        try:
            start = now - span
        except OverflowError:
            raise ValueError(f"a span of {span} is out of range: it must lie in the years 1 to 9999") from None
        return cls(start, now, **filters)

    @property
    def filters(self) -> dict[str, str | None]:
        """The filters under the platform's names; None for each that is not set."""
        return {name: value for name, value in asdict(self).items() if name not in ("starttime", "endtime")}

    @property
    def ends(self) -> tuple[datetime, datetime]:
        """Both ends of a closed window."""
        if self.endtime is None:
            raise ValueError("this query has no end")
        return self.starttime, self.endtime

    def until_now(self, now: datetime | None = None) -> Self:
        """This query, or if it has no end, the same query that ends now: by this machine's clock if *now* is None."""
        return self if self.endtime else evolve(self, endtime=max(self.starttime, now or datetime.now(BEIJING)))


def window_text(query: CdrQuery) -> str:
    """The window of a query in Beijing time, for a `repr`: filters may be phone numbers."""
    end = f" to {platform_text(query.endtime)}" if query.endtime else ""
    return f"from {platform_text(query.starttime)}{end}"
