"""The nouns of the field: credentials, a query, a call detail record, a page of them."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from enum import StrEnum
from math import inf
from typing import Any, Final, Literal, Self, TypedDict, TypeVar, Unpack

from attrs import Attribute, evolve, field, frozen, validators

BEIJING: Final[tzinfo] = timezone(timedelta(hours=8))
"""The platform's zone, UTC+8 all year: its records and its filters are in Beijing time."""

Integrity = Literal["repair", "raise", "off"]
"""What a pull does where rows moved between pages while they were read; see `Infin8Session.cdrs`."""

_SECOND = timedelta(seconds=1)
_PLATFORM_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)


class CallDirection(StrEnum):
    """Which way a call went (the platform's `context`)."""

    INCOMING = "callin"
    OUTGOING = "callout"


class CallMethod(StrEnum):
    """
    How a call was set up (the platform's `callmethod`).

    Attributes:
        UNLIMITED: No restriction; of use as a filter only.

        EXTENSION: Between extensions.

        MANUAL: Dialled by hand from an extension.

        API: Set up through the platform's interface.

        DOUBLE: A double call through the interface: side a is called first, then the called number.

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
    """A string that a traceback with local variables, a log line or a `repr` shows only as asterisks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def masked(number: str | None) -> str:
    """How a `repr` shows a phone number: its last two digits, where that gives nothing away."""
    return repr(number) if not number else f"'***{number[-2:] if len(number) > 4 else ''}'"


def _a_text(_: object, attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str):
        msg = f"{attribute.name} must be a string, not {type(value).__name__}"
        raise TypeError(msg)
    if not value:
        raise ValueError(f"{attribute.name} is empty")


def _secret(value: object) -> object:
    return Secret(value) if isinstance(value, str) else value


@frozen
class Credentials:
    """
    Who is asking.

    The platform wants at least one of *username* and *ip*, beside *appid* and *accesskey*.

    Attributes:
        appid: The application's id.

        accesskey: Its secret; never shown by any `repr`, log line or error of this library.

        username: The user name the account authenticates with.

        ip: The address or domain name the account authenticates with.

    Raises:
        ValueError: Something is missing; the message says what.
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
            ValueError: Names every variable that is missing or empty.
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
    """Any aware datetime, or the platform's own text, as an aware datetime in Beijing time."""
    if isinstance(value, str):
        if not _PLATFORM_TIME.fullmatch(value):
            raise ValueError("a time given as text has the platform's form 'YYYY-MM-DD HH:MM:SS', in Beijing time")
        return datetime.fromisoformat(value).replace(tzinfo=BEIJING)
    if not isinstance(value, datetime):
        msg = f"a time is an aware datetime or a string, not {type(value).__name__}"
        raise TypeError(msg)
    if value.utcoffset() is None:
        raise ValueError(
            "a naive datetime could be any zone: make it aware, for instance with "
            "value.replace(tzinfo=BEIJING) where it is Beijing time, or value.astimezone() where it is this machine's"
        )
    try:
        return value.astimezone(BEIJING)
    except OverflowError:
        raise ValueError("a time must lie in the years 1 to 9999 of Beijing time") from None


def _start(value: object) -> datetime:
    return _a_time(value).replace(microsecond=0)


def _end(value: object) -> datetime | None:
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
        raise ValueError(f"{value!r} is no {kind.__name__}: the platform knows {known}") from None


def _direction(value: object) -> CallDirection | None:
    return _member(CallDirection, value)


def _method(value: object) -> CallMethod | None:
    return _member(CallMethod, value)


def _filter(*, number: bool = False) -> str | None:
    """A filter of a query: None leaves it out; the empty string is refused, as it could be taken for either."""
    result: str | None = field(
        default=None, kw_only=True, validator=validators.optional(_a_text), repr=masked if number else True
    )
    return result


class Filters(TypedDict, total=False):
    """What `CdrQuery` can filter by, beside time."""

    extnumber: str | None
    disnumber: str | None
    callnumber: str | None
    context: CallDirection | str | None
    callmethod: CallMethod | str | int | None
    userid: str | None
    memberid: str | None


@frozen
class CdrQuery:
    """
    A window of time, and what to filter by.

    Times are aware datetimes of any zone, or strings in the platform's own form `"YYYY-MM-DD HH:MM:SS"`, which are
    Beijing time. They are kept as aware datetimes in `BEIJING` with whole seconds, the start rounded down and the end
    up. What time of a record the platform compares, and whether it includes both ends, is not documented (a sibling
    interface says: the dial time).

    Attributes:
        starttime: Where the window begins.

        endtime: Where it ends. None means "until now" for a pull, fixed when it begins, and "for ever" for following.

        extnumber: Only calls of this extension.

        disnumber: Only calls with this calling number.

        callnumber: Only calls with this called number.

        context: Only calls in this direction.

        callmethod: Only calls set up in this way.

        userid: Only calls with this custom parameter.

        memberid: Only calls with this custom parameter.

    Raises:
        ValueError: A naive datetime, a malformed time, an end before the start, an unknown filter value.
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
            raise TypeError("a day is a date; the day of a datetime is value.astimezone(BEIJING).date()")
        return cls(datetime.combine(day, time(), BEIJING), datetime.combine(day, time(23, 59, 59), BEIJING), **filters)

    @classmethod
    def last(cls, span: timedelta, **filters: Unpack[Filters]) -> Self:
        """
        The *span* of time that ends now. Both ends are fixed at once.

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
    def ends(self) -> tuple[datetime, datetime]:
        """Both ends, of a query that has them."""
        if self.endtime is None:
            raise ValueError("this query has no end")
        return self.starttime, self.endtime

    def until_now(self) -> Self:
        """This query, its end fixed to the present where it has none."""
        return self if self.endtime else evolve(self, endtime=max(self.starttime, datetime.now(BEIJING)))


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

    The fields carry the platform's own names. A text is `""` and a time is None where the platform sends none; times
    are aware, in `BEIJING`. A `repr` masks phone numbers; the attributes hold them whole.

    Attributes:
        id: The platform's unique id of the call.

        extnumber: The extension.

        disnumber: The calling number.

        callnumber: The called number.

        context: The direction of the call; a plain string where the platform sends a value unknown here.

        callmethod: How the call was set up; a plain string where the platform sends a value unknown here.

        starttime: Dial time.

        answertime: When the call was answered.

        endtime: When it ended.

        duration: The platform's "system call waiting time", in seconds.

        billsec: The time talked, in seconds.

        clientip: The client's address.

        downloadip: The server's address.

        hangupdirection: Who hung up.

        anumber: Side a's number; this and the five that follow mean something for double calls only.

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
        """Whether anybody picked up: there is an answer time, or time was talked."""
        return self.answertime is not None or self.billsec > 0

    @property
    def talk_time(self) -> timedelta:
        """The time talked."""
        return timedelta(seconds=self.billsec)

    @property
    def a_leg(self) -> Leg | None:
        """Side a of a double call; None for every other call, for which the platform's fields mean nothing."""
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

        per_page: How many calls a full page of the platform holds, which may be fewer than asked for.

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
    """Refuse what is no finite number within its bound with a `ValueError` that names the parameter."""
    kind = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kind) or not (least <= value < inf and value > above):
        bound = f"above {above}" if above > -inf else f"of at least {least}"
        raise ValueError(f"{name} must be a {'whole ' * whole}number {bound}, not {value!r}")


@frozen
class RetryPolicy:
    """
    How often, and after what wait, a request that failed is sent again.

    Retried are: no whole answer, the statuses 408, 429 and 5xx, a 200 that is no JSON, and the platform's code 1000.
    Everything else is final at once. Waits double from one try to the next and are jittered. A `Retry-After` (seconds
    or a date) is obeyed up to 120 s. One that asks for more is raised at once, and again by every call of the session,
    without a request, until 120 s of it are left (or of an hour, if it asks for more than that). If the server closes a
    connection as a request is sent, the first retry does not wait.

    Attributes:
        attempts: How often a request is sent at the most; 1 means no retry.

        wait_initial: The wait before the first retry, in seconds.

        wait_max: The longest wait of our own choice, in seconds. It also bounds the time between two requests of a
            session that was refused for sending too many.
    """

    attempts: int = field(default=5, validator=_number(1, whole=True))
    wait_initial: float = field(default=0.5, validator=_number(0))
    wait_max: float = field(default=30.0, validator=_number(0))
