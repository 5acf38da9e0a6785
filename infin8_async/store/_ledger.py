"""
The ledger: what the store has learned of windows of time, line by line.

What a line claims is the platform's own count of a window, and holds whichever of a call's times the platform compares,
and whichever of its bounds it includes.
"""

from array import array
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec
from attrs import evolve, frozen
from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .._feed.checkpoint import selection
from ..models import BEIJING, Cdr, CdrQuery, Credentials
from . import _schema

SECOND: Final = timedelta(seconds=1)
TIMES: Final = ("starttime", "answertime", "endtime")
"""The times of a call, one of which the platform compares. Which one is not documented."""

_FIRST: Final = datetime.min.replace(tzinfo=BEIJING)
_LAST: Final = datetime.max.replace(tzinfo=BEIJING, microsecond=0)
_decode_ids: Final = msgspec.json.Decoder(frozenset[int]).decode


@frozen(kw_only=True)
class Line:
    """
    What was found in a window.

    Attributes:
        start: Where it begins.

        end: Where it ends.

        calls: How many calls the platform gave.

        certified: Whether it counted as many, once they had been read.

        times: Which of `TIMES` lie within the window for all these calls.

        at_start: The ids of calls that a window which ends where this one begins may hold as well.

        at_end: The same for a window which begins where this one ends.
    """

    start: datetime
    end: datetime
    calls: int
    certified: bool
    times: frozenset[str] = frozenset(TIMES)
    at_start: frozenset[int] = frozenset()
    at_end: frozenset[int] = frozenset()

    def touches(self, later: "Line") -> bool:
        """Whether a window begins one second before the end of this one, as those that `sync` reads do."""
        return later.start == shifted(self.end, -SECOND)


class Reading:
    """
    The calls of a window as they come, for its line in the ledger.

    Attributes:
        ids: Their ids.

        inside: How many of them have all their times inside the window and off its ends.
    """

    def __init__(self, window: CdrQuery) -> None:
        self._start, self._end = window.ends
        self._early, self._late = shifted(self._start, SECOND), shifted(self._end, -SECOND)
        self._times = set(TIMES)
        self._at_start: set[int] = set()
        self._at_end: set[int] = set()
        self.ids = array("q")
        self.inside = 0

    def add(self, cdrs: Iterable[Cdr]) -> None:
        """Take note of calls."""
        start, end = self._start, self._end
        for cdr in cdrs:
            self.ids.append(cdr.id)
            times = (cdr.starttime, cdr.answertime, cdr.endtime)
            known = [time for time in times if time is not None]
            first, last = (min(known), max(known)) if cdr.starttime is not None else (start, end)
            self.inside += start < first and last < end
            # One too many here does no harm: only calls that both neighbours were given count.
            if first <= self._early:
                self._at_start.add(cdr.id)
            if last >= self._late:
                self._at_end.add(cdr.id)
            if len(known) < len(times) or first < start or last > end:
                self._times -= {
                    name for name, time in zip(TIMES, times, strict=True) if time is None or not start <= time <= end
                }

    @property
    def borders(self) -> set[int]:
        """The ids of calls that a neighbouring window may hold as well."""
        return self._at_start | self._at_end

    def line(self, *, certified: bool) -> Line:
        """Make the line."""
        return Line(
            start=self._start,
            end=self._end,
            calls=len(self.ids),
            certified=certified,
            times=frozenset(self._times),
            at_start=frozenset(self._at_start),
            at_end=frozenset(self._at_end),
        )


def expected(lines: Sequence[Line]) -> int:
    """
    How many calls the platform counts from the first line's start to the last line's end, if nothing has changed.

    Each line touches the next. A call is in the whole if it is in a part, whichever bounds the platform includes, as
    neighbours share a second more than that. Calls that both were given are counted once.
    """
    shared = sum(len(line.at_end & later.at_start) for line, later in pairwise(lines))
    return sum(line.calls for line in lines) - shared


def filters(query: CdrQuery) -> dict[str, str]:
    """The filters of a query that are set."""
    return {name: value for name, value in query.filters.items() if value is not None}


class Ledger:
    """
    The lines about what one user asks for by the same filters.

    Args:
        credentials: Who asks. Two users of one application may see different calls.

        query: The filters.
    """

    def __init__(self, credentials: Credentials, query: CdrQuery) -> None:
        self.account = credentials.appid
        self._credentials = credentials
        self._query = query
        self._key = {"account": credentials.appid, "selection": selection(credentials, query)}

    async def lines(self, connection: AsyncConnection, start: datetime, end: datetime) -> list[Line]:
        """The certified lines that have a second in common with a window, the earliest first."""
        table = _schema.windows.c
        wanted = (
            select(_schema.windows)
            .where(self._mine(), table.certified, table.starttime <= end, table.endtime >= start)
            .order_by(table.starttime, table.endtime)
        )
        return [
            Line(
                start=row["starttime"],
                end=row["endtime"],
                calls=row["calls"],
                certified=True,
                times=frozenset(row["times"].split()),
                at_start=_decode_ids(row["at_start"]),
                at_end=_decode_ids(row["at_end"]),
            )
            for row in (await connection.execute(wanted)).mappings()
        ]

    async def enter(self, connection: AsyncConnection, lines: Collection[Line]) -> None:
        """Enter lines in the place of those about parts of their windows."""
        if not lines:
            return
        table = _schema.windows.c
        within = and_(self._mine(), table.starttime >= bindparam("first"), table.endtime <= bindparam("last"))
        await connection.execute(
            delete(_schema.windows).where(within), [{"first": line.start, "last": line.end} for line in lines]
        )
        now = datetime.now(BEIJING)
        await connection.execute(insert(_schema.windows), [self._row(line, now) for line in lines])

    async def is_alone(self, connection: AsyncConnection) -> bool:
        """Whether no other user of this application has landed calls, of which this one may not see all."""
        for table in (_schema.windows, _schema.checkpoints):
            others = select(table.c.username, table.c.ip).where(table.c.account == self.account).distinct()
            for username, ip in await connection.execute(others):
                if (username, ip) != (self._credentials.username, self._credentials.ip):
                    return False
        return True

    async def mark(self, connection: AsyncConnection) -> str | None:
        """Where following stands; None if it has not begun."""
        table = _schema.checkpoints
        wanted = select(table.c.state).where(table.c.account == self.account, self._mine(checkpoint=True))
        state: str | None = await connection.scalar(wanted)
        return state

    async def set_mark(self, connection: AsyncConnection, state: str) -> None:
        """Save where following stands."""
        table = _schema.checkpoints
        await connection.execute(delete(table).where(self._mine(checkpoint=True)))
        await connection.execute(insert(table).values(**self._whose(), state=state))

    def _mine(self, *, checkpoint: bool = False) -> ColumnElement[bool]:
        table = (_schema.checkpoints if checkpoint else _schema.windows).c
        return and_(*(table[name] == value for name, value in self._key.items()))

    def _whose(self) -> dict[str, str | None]:
        text = msgspec.json.encode(filters(self._query), order="sorted").decode()
        return {**self._key, "username": self._credentials.username, "ip": self._credentials.ip, "filters": text}

    def _row(self, line: Line, now: datetime) -> dict[str, object]:
        return {
            **self._whose(),
            "starttime": line.start,
            "endtime": line.end,
            "calls": line.calls,
            "certified": line.certified,
            "synced": now,
            "times": " ".join(sorted(line.times)),
            "at_start": msgspec.json.encode(sorted(line.at_start)).decode(),
            "at_end": msgspec.json.encode(sorted(line.at_end)).decode(),
        }


def shifted(time: datetime, by: timedelta) -> datetime:
    """A time earlier or later, as far as there are times."""
    try:
        return time + by
    except OverflowError:
        return _FIRST if by < timedelta() else _LAST


def window_of(query: CdrQuery, start: datetime, end: datetime) -> CdrQuery:
    """A query's filters over another window."""
    return evolve(query, starttime=start, endtime=end)
