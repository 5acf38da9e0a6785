"""Call detail records, and what their fields may hold."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from operator import attrgetter
from typing import Final

import msgspec
from attrs import define, field, fields, frozen

from .codes import CallDirection, CallMethod, HangupDirection

BEIJING: Final[tzinfo] = timezone(timedelta(hours=8))
"""The platform's zone, UTC+8 all year: its records and its filters are in Beijing time."""


def platform_text(time: datetime) -> str:
    """A Beijing time as the platform writes it: `YYYY-MM-DD HH:MM:SS`."""
    return time.isoformat(" ")[:19]  # strftime does not pad years before 1000


_HANGUPS: Final[Mapping[str, HangupDirection]] = {member.value: member for member in HangupDirection}


def masked(number: str | None) -> str:
    """A phone number for a `repr`: only its last two digits, and none of a short number."""
    return repr(number) if not number else f"'***{number[-2:] if len(number) > 4 else ''}'"


def _direction(context: str) -> str:
    """A direction for a `repr`. A value that the library does not know could be anything."""
    return str(context) if isinstance(context, CallDirection) else masked(context)


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


@frozen(kw_only=True, repr=False)
class Cdr:
    """
    A call detail record, the bill of one phone call.

    The fields have the platform's own names. If the platform sends no value, a text is `""` and a time is None. Times
    are aware, in `BEIJING`. The `repr` is short and masks phone numbers; the attributes hold them in full.

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
    context: CallDirection | str = field(default="", repr=_direction)
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

    def __repr__(self) -> str:
        # Rich and other printers go by the fields themselves, so phone numbers are masked there as well.
        dialled = platform_text(self.starttime) if self.starttime else "no dial time"
        way = f"{_direction(self.context)} {masked(self.disnumber)} -> {masked(self.callnumber)}"
        return f"<Cdr {self.id} {dialled} {way}>"

    def to_dict(self) -> dict[str, object]:
        """
        The call in plain types, ready for JSON: what a line of `export.to_jsonl` holds.

        The keys are the platform's field names. Times are texts in ISO 8601 with +08:00, or None. `extra` is a dict of
        its own, and is left out if it is empty.
        """
        plain: dict[str, object] = msgspec.to_builtins(by_name(self))
        return plain

    @property
    def answered(self) -> bool:
        """Whether anybody picked up: there is an answer time, or talk time."""
        return self.answertime is not None or self.billsec > 0

    @property
    def hangup(self) -> HangupDirection | str:
        """Who or what ended the call: `hangupdirection`, as a `HangupDirection` if the value is a known one."""
        return _HANGUPS.get(self.hangupdirection, self.hangupdirection)

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


@define(kw_only=True, eq=False, repr=False)
class Draft(Cdr):
    """
    A record in the making.

    The fields of a frozen class are set by a function call each, which is half of what a record costs. Those of a
    draft are simply assigned. It is a `Cdr` in memory, and becomes one when its class is set.
    """

    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__


FIELDS: Final = tuple(attribute.name for attribute in fields(Cdr) if attribute.name != "extra")
"""The names of a call's fields, without `extra`."""

values_of: Final = attrgetter(*FIELDS)
"""The values of these fields."""


def by_name(cdr: Cdr) -> dict[str, object]:
    """A call's fields by name, `extra` only if it holds something. msgspec makes JSON or plain types of it."""
    return dict(zip(FIELDS, values_of(cdr), strict=True)) | ({"extra": cdr.extra} if cdr.extra else {})


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
