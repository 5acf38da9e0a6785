"""What the library speaks of: credentials, a query, a call detail record, a page of records."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from enum import StrEnum
from math import inf
from typing import Any, Final, Literal, Self, TypedDict, TypeVar, Unpack

from attrs import Attribute, asdict, evolve, field, frozen, validators

BEIJING: Final[tzinfo] = timezone(timedelta(hours=8))
"""The platform's zone, UTC+8 all year: its records and its filters are in Beijing time."""

Integrity = Literal["repair", "raise", "off"]
"""What a pull does if rows moved between pages while they were read; see `Infin8Session.cdrs`."""

_SECOND = timedelta(seconds=1)
_PLATFORM_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)


def platform_text(time: datetime) -> str:
    """A Beijing time as the platform writes it: `YYYY-MM-DD HH:MM:SS`."""
    return time.isoformat(" ")[:19]  # strftime does not pad years before 1000


class CallDirection(StrEnum):
    """Which way a call went (the platform's `context`)."""

    INCOMING = "callin"
    OUTGOING = "callout"


class CallMethod(StrEnum):
    """
    How a call was set up (the platform's `callmethod`).

    Attributes:
        UNLIMITED: Any method. Only useful as a filter.

        EXTENSION: Between extensions.

        MANUAL: Dialled by hand from an extension.

        API: Started through the platform's interface.

        DOUBLE: A double call through the interface: the platform calls side a first, then the called number.

        PREDICTIVE: A predictive outbound call.

        IVR: A voice menu or a group call.
    """

    UNLIMITED = "0"
    EXTENSION = "1"
    MANUAL = "2"
    API = "3"
    DOUBLE = "4"
    PREDICTIVE = "5"
    IVR = "6"


class Secret(str):
    """A string whose `repr` is asterisks, so that no log line and no traceback with local variables shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def masked(number: str | None) -> str:
    """A phone number for a `repr`: only its last two digits, and none of a short number."""
    return repr(number) if not number else f"'***{number[-2:] if len(number) > 4 else ''}'"


def _a_text(_: object, attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str):
        msg = f"{attribute.name} must be a string, not {type(value).__name__}"
        raise TypeError(msg)
    if not value:
        raise ValueError(f"{attribute.name} is empty")


def _secret(value: str) -> str:
    return Secret(value) if isinstance(value, str) else value  # the validator refuses what is not a string


@frozen
class Credentials:
    """
    Who is asking.

    The platform wants *appid*, *accesskey*, and at least one of *username* and *ip*.

    Attributes:
        appid: The application's id.

        accesskey: Its secret. No `repr`, log line or error of this library shows it.

        username: The user name the account authenticates with.

        ip: The address or domain name the account authenticates with.

    Raises:
        ValueError: Something is missing. The message says what.

        TypeError: Something is not a string.
    """

    appid: str = field(validator=_a_text)
    accesskey: str = field(validator=_a_text, converter=_secret)
    username: str | None = field(default=None, kw_only=True, validator=validators.optional(_a_text))
    ip: str | None = field(default=None, kw_only=True, validator=validators.optional(_a_text))

    def __attrs_post_init__(self) -> None:
        if self.username is None and self.ip is None:
            raise ValueError("username and ip are both missing: the platform needs one of them")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """
        Read `INFIN8_APPID`, `INFIN8_ACCESSKEY` and at least one of `INFIN8_USERNAME` and `INFIN8_IP`.

        Raises:
            ValueError: A variable is missing or empty. The message names every such variable.
        """
        appid, accesskey, username, ip = (
            environ.get(f"INFIN8_{name}") or None for name in ("APPID", "ACCESSKEY", "USERNAME", "IP")
        )
        missing = [
            name
            for name, value in (
                ("INFIN8_APPID", appid),
                ("INFIN8_ACCESSKEY", accesskey),
                ("INFIN8_USERNAME (or INFIN8_IP)", username or ip),
            )
            if not value
        ]
        if appid is None or accesskey is None or missing:
            raise ValueError(f"not set in the environment: {', '.join(missing)}")
        return cls(appid, accesskey, username=username, ip=ip)


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
        default=None, kw_only=True, validator=validators.optional(_a_text), repr=masked if number else True
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
    def day(cls, day: date, **filters: Unpack[Filters]) -> Self:
        """One calendar day in Beijing, from 00:00:00 to 23:59:59."""
        if isinstance(day, datetime):
            raise TypeError("a day must be a date; for the day of a datetime use value.astimezone(BEIJING).date()")
        return cls(datetime.combine(day, time(), BEIJING), datetime.combine(day, time(23, 59, 59), BEIJING), **filters)

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


def _text_field(*, number: bool = False) -> str:
    result: str = field(default="", repr=masked if number else True)
    return result


@frozen(kw_only=True)
class Leg:
    """
    Side a of a double call: the side that is called first.

    Attributes:
        number: Who was called.

        starttime: When it was dialled, in Beijing time.

        answertime: When it was picked up; None if it never was.

        endtime: When it ended.

        duration: The platform's waiting time, in seconds.

        billsec: The time talked, in seconds.
    """

    number: str = field(repr=masked)
    starttime: datetime | None
    answertime: datetime | None
    endtime: datetime | None
    duration: int
    billsec: int


@frozen(kw_only=True)
class Cdr:
    """
    A call detail record, the bill of one phone call.

    The fields have the platform's own names. If the platform sends no value, a text is `""` and a time is None. Times
    are aware, in `BEIJING`. A `repr` masks phone numbers; the attributes hold them in full.

    Attributes:
        id: The platform's unique id of the call.

        extnumber: The extension.

        disnumber: The calling number.

        callnumber: The called number.

        context: The direction of the call; a plain string if the library does not know the value.

        callmethod: How the call was set up; a plain string if the library does not know the value.

        starttime: Dial time.

        answertime: When the call was answered.

        endtime: When it ended.

        duration: The platform's "system call waiting time", in seconds.

        billsec: The time talked, in seconds.

        clientip: The client's address.

        downloadip: The server's address.

        hangupdirection: Who hung up.

        anumber: Side a's number. This field and the next five only have a meaning for double calls.

        astarttime: Dial time of side a.

        aanswertime: When side a answered.

        aendtime: When side a ended.

        aduration: Side a's waiting time, in seconds.

        abillsec: Side a's time talked, in seconds.

        userid: Custom parameter.

        memberid: Custom parameter.

        extra: Every field the platform sent that is not listed here, untouched.
    """

    id: int
    extnumber: str = _text_field()
    disnumber: str = _text_field(number=True)
    callnumber: str = _text_field(number=True)
    context: CallDirection | str = ""
    callmethod: CallMethod | str = ""
    starttime: datetime | None = None
    answertime: datetime | None = None
    endtime: datetime | None = None
    duration: int = 0
    billsec: int = 0
    clientip: str = _text_field()
    downloadip: str = _text_field()
    hangupdirection: str = _text_field()
    anumber: str = _text_field(number=True)
    astarttime: datetime | None = None
    aanswertime: datetime | None = None
    aendtime: datetime | None = None
    aduration: int = 0
    abillsec: int = 0
    userid: str = _text_field()
    memberid: str = _text_field()
    extra: Mapping[str, object] = field(factory=dict, hash=False, repr=lambda extra: repr(sorted(extra)))

    @property
    def answered(self) -> bool:
        """Whether anybody picked up: there is an answer time, or talk time."""
        return self.answertime is not None or self.billsec > 0

    @property
    def talk_time(self) -> timedelta:
        """The time talked."""
        return timedelta(seconds=self.billsec)

    @property
    def a_leg(self) -> Leg | None:
        """Side a of a double call. None for every other call: the platform's fields mean nothing then."""
        if self.callmethod != CallMethod.DOUBLE:
            return None
        return Leg(
            number=self.anumber,
            starttime=self.astarttime,
            answertime=self.aanswertime,
            endtime=self.aendtime,
            duration=self.aduration,
            billsec=self.abillsec,
        )


@frozen
class CdrPage:
    """
    One page of calls.

    Attributes:
        cdrs: The calls, in the platform's order.

        page: The number of the page, from 1.

        per_page: How many calls a full page holds. The platform may give fewer than were asked for.

        total: How many calls the platform counted for the whole query.
    """

    cdrs: tuple[Cdr, ...]
    page: int
    per_page: int
    total: int


def _number(least: float, *, whole: bool = False) -> Callable[[object, "Attribute[Any]", object], None]:
    def check(_: object, attribute: "Attribute[Any]", value: object) -> None:
        check_number(attribute.name, value, least=least, whole=whole)

    return check


def check_number(name: str, value: object, *, least: float = -inf, above: float = -inf, whole: bool = False) -> None:
    """Raise a `ValueError` that names the parameter if *value* is not a finite number within its bound."""
    kind = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kind) or not (least <= value < inf and value > above):
        bound = f"above {above}" if above > -inf else f"of at least {least}"
        raise ValueError(f"{name} must be a {'whole ' * whole}number {bound}, not {value!r}")


@frozen
class RetryPolicy:
    """
    How often a failed request is sent again, and after which wait.

    The following are retried: no complete answer, the statuses 408, 429 and 5xx, a 200 that is not JSON, and the
    platform's code 1000. Everything else fails at once. Waits double from one try to the next and are jittered. If the
    server closes a connection as a request is sent, the first retry does not wait.

    A `Retry-After` (seconds or a date) is obeyed up to 120 s. If it asks for more, the request fails at once, and so
    does every request of the session, without being sent, until 120 s of it are left (or of an hour, if it asks for
    more than that).

    Attributes:
        attempts: How often a request is sent at most; 1 means no retry.

        wait_initial: The wait before the first retry, in seconds.

        wait_max: The longest wait in seconds, apart from a `Retry-After`. It also bounds the time between two requests
            of a session that was refused because it sent too many.
    """

    attempts: int = field(default=5, validator=_number(1, whole=True))
    wait_initial: float = field(default=0.5, validator=_number(0))
    wait_max: float = field(default=30.0, validator=_number(0))
