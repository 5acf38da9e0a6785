"""
Calls as rows, and rows as calls.

A value that a database cannot hold has a stand-in in its column. The value itself is in `extra`, under `ORIGINALS`.
Reading the row as a `Cdr` gives it back.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import msgspec
from attrs import evolve, field, fields, frozen

from ..models import BEIJING, CallDirection, CallMethod, Cdr, Draft

ORIGINALS: Final = "infin8_async.originals"
"""The key in a row's `extra` under which lie the values that the database could not hold."""

FIELDS: Final = tuple(attribute.name for attribute in fields(Cdr))
COLUMNS: Final = ("account", *FIELDS)
_KINDS: Final = tuple(attribute.type for attribute in fields(Cdr))
_TIMES: Final = tuple(place for place, kind in enumerate(_KINDS) if kind == datetime | None)
_NUMBERS: Final = tuple(place for place, kind in enumerate(_KINDS) if kind is int)
_EXTRA: Final = len(FIELDS) - 1
_TEXTS: Final = tuple(place for place in range(_EXTRA) if place not in (*_TIMES, *_NUMBERS))
_DIRECTIONS: Final[Mapping[str, CallDirection]] = {member.value: member for member in CallDirection}
_METHODS: Final[Mapping[str, CallMethod]] = {member.value: member for member in CallMethod}
_LARGEST: Final = 2**63 - 1
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_values: Final = attrgetter(*FIELDS)

Row = tuple[Any, ...]
"""What drivers take and give: values of many types, and drivers have none."""


@frozen(kw_only=True)
class Fit:
    """
    What a database can hold.

    Attributes:
        earliest: The earliest time.

        nul: Whether a text may hold NUL.

        longest_indexed: The longest text, in characters, that an indexed column can hold; None for any.

        to_time: Makes what the driver takes of a time in Beijing.

        from_time: Makes a time in Beijing of what the driver gives.
    """

    earliest: datetime
    nul: bool = True
    longest_indexed: int | None = None
    to_time: Callable[[datetime], object]
    from_time: Callable[..., datetime]
    indexed: frozenset[int] = field(
        init=False, default=frozenset(FIELDS.index(name) for name in ("extnumber", "disnumber", "callnumber"))
    )

    def rows(self, account: str, cdrs: Sequence[Cdr]) -> list[Row]:
        """
        Make rows of `COLUMNS`, as drivers take them: SQLAlchemy's types cost more than the writing.

        Raises:
            ValueError: A time is naive, or an id does not fit 64 bits.
        """
        values = [_values(cdr) for cdr in cdrs]
        if not self._all_fit(values):
            values = [self._fitted(row) for row in values]
        to_time = self.to_time
        made: list[Row] = []
        for row in values:
            columns = list(row)
            for place in _TIMES:
                if columns[place] is not None:
                    columns[place] = to_time(columns[place])
            columns[_EXTRA] = _encoded(row[_EXTRA]) if row[_EXTRA] else None
            made.append((account, *columns))
        return made

    def record(self, row: Sequence[Any]) -> Cdr:
        """Make a call of a row of `FIELDS`."""
        # To assign the fields takes half as long as a call with an argument for each.
        draft: Any = Draft.__new__(Draft)  # mypy takes it for frozen, as its parent is
        (
            draft.id, draft.extnumber, draft.disnumber, draft.callnumber, context, callmethod, starttime, answertime,
            endtime, draft.duration, draft.billsec, draft.clientip, draft.downloadip, draft.hangupdirection,
            draft.anumber, astarttime, aanswertime, aendtime, draft.aduration, draft.abillsec, draft.userid,
            draft.memberid, extra,
        ) = row  # fmt: skip
        time = self.from_time
        draft.context = _DIRECTIONS.get(context, context)
        draft.callmethod = _METHODS.get(callmethod, callmethod)
        draft.starttime = starttime and time(starttime)
        draft.answertime = answertime and time(answertime)
        draft.endtime = endtime and time(endtime)
        draft.astarttime = astarttime and time(astarttime)
        draft.aanswertime = aanswertime and time(aanswertime)
        draft.aendtime = aendtime and time(aendtime)
        draft.extra = {} if extra is None else json.loads(extra)
        draft.__class__ = Cdr
        cdr: Cdr = draft
        return _restored(cdr) if ORIGINALS in cdr.extra else cdr

    def text(self, value: str, *, indexed: bool = False) -> str:
        """The text that the database can hold: the same one, or a stand-in."""
        if not self.nul:
            value = value.replace("\0", _REPLACEMENT)
        if not value.isascii():
            value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return value[: self.longest_indexed] if indexed else value

    def _all_fit(self, values: Sequence[Row]) -> bool:
        """Whether every value can be stored as it is. Looking at whole columns is faster than looking at each value."""
        columns = list(zip(*values, strict=True))
        if not columns:
            return True
        text = "".join("".join(columns[place]) for place in _TEXTS)
        longest = max(max(map(len, columns[place])) for place in self.indexed)
        times = [time for place in _TIMES for time in columns[place] if time is not None]
        return (
            _is_unicode(text)
            and (self.nul or "\0" not in text)
            and (self.longest_indexed is None or longest <= self.longest_indexed)
            and all(min(columns[place]) >= -_LARGEST and max(columns[place]) <= _LARGEST for place in _NUMBERS)
            and all(time.tzinfo is BEIJING and not time.microsecond for time in times)
            and (not times or min(times) >= self.earliest)
            and not any(ORIGINALS in extra for extra in columns[_EXTRA])
        )

    def _fitted(self, values: Row) -> Row:
        """A row in which stand-ins are where they have to be."""
        fitted = list(values)
        originals: dict[str, object] = {}
        for place, value in enumerate(values):
            if isinstance(value, str):
                fitted[place] = self.text(value, indexed=place in self.indexed)
            elif isinstance(value, datetime):
                fitted[place] = self._time(value)
            elif isinstance(value, int) and place:
                fitted[place] = max(-_LARGEST, min(value, _LARGEST))
            if fitted[place] != value:
                originals[FIELDS[place]] = value.isoformat() if isinstance(value, datetime) else value
        if not -(2**63) <= values[0] <= _LARGEST:
            raise ValueError(f"the id {values[0]} does not fit 64 bits")
        extra: Mapping[str, object] = values[_EXTRA]
        if originals or ORIGINALS in extra:
            fitted[_EXTRA] = {**extra, ORIGINALS: originals | ({"extra": extra} if ORIGINALS in extra else {})}
        return tuple(fitted)

    def _time(self, value: datetime) -> datetime | None:
        if value.utcoffset() is None:
            raise ValueError(
                "a time of a call is naive: make it aware, for instance with value.replace(tzinfo=BEIJING)"
            )
        try:
            local = value.astimezone(BEIJING)
        except OverflowError:
            return None
        return local.replace(microsecond=0) if local >= self.earliest else None


def _is_unicode(text: str) -> bool:
    """Whether a text is free of lone surrogates, which no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(extra: object) -> str:
    """JSON, the same text for equal values. The faster encoder refuses lone surrogates and numbers beyond 64 bits."""
    try:
        return msgspec.json.encode(extra, order="sorted").decode()
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(extra, sort_keys=True, separators=(",", ":"))


def _restored(cdr: Cdr) -> Cdr:
    """A call with the originals in the place of their stand-ins."""
    originals: Any = cdr.extra[ORIGINALS]
    times = {FIELDS[place] for place in _TIMES}
    given: dict[str, Any] = {"extra": {name: value for name, value in cdr.extra.items() if name != ORIGINALS}}
    given |= {
        name: datetime.fromisoformat(value) if name in times and isinstance(value, str) else value
        for name, value in originals.items()
    }
    return evolve(cdr, **given)
