"""Compare the platform with the database, and write nothing."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from ..models import BEIJING, Cdr, CdrQuery
from ..session import Infin8Session
from . import _schema
from ._database import Database
from ._gone import gone
from ._ledger import SECOND, TIMES, Ledger, Line, Reading, expected, window_of
from ._plan import days_of
from ._reports import AuditDay, AuditReport
from ._select import Held, HeldCalls, answers, records
from ._together import in_order, together

_DAYS_AT_ONCE: Final = 4  # days compared call by call at once
_QUIET: Final = timedelta(minutes=10)  # before midnight, in which a border is looked for


@frozen
class _Number:
    """
    How many calls the store holds of a window.

    Attributes:
        calls: The number.

        is_exact: Whether it is the same whichever time the platform compares, and whichever bounds it includes. Never
            so if other users have landed calls, which this one may not see.
    """

    calls: int
    is_exact: bool


@frozen
class _Found:
    """
    What a comparison call by call has found.

    Attributes:
        line: What the platform gave.

        missing: Ids of calls that are not held.

        changed: Ids of calls that are held with other values.

        vanished: Ids of calls that are held and that the platform does not give.

        near_borders: Calls that are held, were not given, and may belong to a neighbouring window.
    """

    line: Line
    missing: Sequence[int] = ()
    changed: Sequence[int] = ()
    vanished: Sequence[int] = ()
    near_borders: Sequence[Held] = ()

    def day(self, window: CdrQuery) -> AuditDay:
        counted = self.line.calls
        return AuditDay(
            day=_date(window),
            window=window,
            held=counted - len(self.missing) + len(self.vanished),
            counted=counted,
            missing=tuple(sorted(self.missing)),
            changed=tuple(sorted(self.changed)),
            vanished=tuple(sorted(self.vanished)),
        )

    @property
    def differs(self) -> bool:
        return bool(self.missing or self.changed or self.vanished)


class Audit:
    """
    One audit.

    Args:
        database: What is audited.

        session: The platform.

        query: Which calls; with an end.
    """

    def __init__(self, database: Database, session: Infin8Session, query: CdrQuery) -> None:
        self._database = database
        self._session = session
        self._query = query
        self._ledger = Ledger(session.credentials, query)
        self._held = HeldCalls(database.fit, self._ledger.account, query)
        self._days = [day.window for day in days_of(query, datetime.now(BEIJING))]
        self._times = frozenset(TIMES)  # those that the platform may compare
        self._judges = False  # whether all calls that are held are among those that the user sees

    async def deep(self) -> AuditReport:
        """Compare every day call by call."""
        self._judges = await self._database.read(self._ledger.is_alone)
        found = await self._compare_all(self._days)
        days = tuple(found[window].day(window) for window in self._days if found[window].differs)
        counted = expected([found[window].line for window in self._days])
        # A call near midnight may be in two days.
        missing = len({call for day in days for call in day.missing})
        return AuditReport(held=counted - missing + sum(len(day.vanished) for day in days), counted=counted, days=days)

    async def counts(self) -> AuditReport:
        """Compare numbers: of the whole window, and down to the days that differ."""
        whole, counted = await self._database.read(self._look), await self._session.count(self._query)
        if whole.is_exact and whole.calls == counted:
            return AuditReport(held=whole.calls, counted=counted)
        days = await self._different_days()
        held = whole.calls if whole.is_exact else counted - sum(day.counted - day.held for day in days)
        return AuditReport(held=held, counted=counted, days=tuple(days))

    async def _look(self, connection: AsyncConnection) -> _Number:
        """Learn from the ledger which time the platform may compare, and count what is held of the whole window."""
        self._judges = await self._ledger.is_alone(connection)
        for line in await self._ledger.lines(connection, *self._query.ends):
            self._times &= line.times
        if await self._held.has_unanswered(connection, self._query):
            self._times -= {"answertime"}  # it was given for a window, so that is not the time compared
        self._times = self._times or frozenset(TIMES)
        return await self._number(connection, self._query)

    async def _number(self, connection: AsyncConnection, window: CdrQuery) -> _Number:
        counted = [await self._held.counted(connection, window, time) for time in sorted(self._times, reverse=True)]
        calls = counted[0][0]
        same = all(number == calls and not at_ends for number, at_ends in counted)
        return _Number(calls, same and self._judges)

    async def _different_days(self) -> list[AuditDay]:
        """Halve the window, both halves at once, down to the days that differ."""
        windows = await self._database.read(self._with_quiet_borders)
        pending: list[Sequence[CdrQuery]] = [windows[: len(windows) // 2], windows[len(windows) // 2 :]]
        days: list[AuditDay] = []
        while pending := [part for part in pending if part]:
            judged = await together(self._differs(part) for part in pending)
            days += [day for day in judged if isinstance(day, AuditDay)]
            halves = [
                (part[: len(part) // 2], part[len(part) // 2 :])
                for part, different in zip(pending, judged, strict=True)
                if different is True
            ]
            pending = [half for pair in halves for half in pair]
        return sorted(days, key=lambda day: day.window.starttime)

    async def _differs(self, windows: Sequence[CdrQuery]) -> AuditDay | bool:
        """Whether the store differs in neighbouring days; for a single day, how."""
        window = window_of(self._query, windows[0].starttime, windows[-1].ends[1])
        number = await self._database.read(lambda connection: self._number(connection, window))
        if number.is_exact or len(windows) > 1:
            counted = await self._session.count(window)
            if number.is_exact and counted == number.calls:
                return False
            if len(windows) > 1:
                return True
            return AuditDay(day=_date(window), window=window, held=number.calls, counted=counted)
        found = (await self._compare_all([window]))[window]
        if not found.line.certified:
            return found.day(window)
        self._times = (self._times & found.line.times) or self._times
        return found.day(window) if found.differs else False

    async def _with_quiet_borders(self, connection: AsyncConnection) -> list[CdrQuery]:
        """The days, their borders moved to seconds before midnight in which the store knows of no call."""
        windows = []
        start, last = self._query.ends
        for day in self._days[:-1]:
            border = await self._quiet(connection, day.ends[1])
            windows.append(window_of(self._query, start, border))
            start = border - SECOND
        return [*windows, window_of(self._query, start, last)]

    async def _quiet(self, connection: AsyncConnection, midnight: datetime) -> datetime:
        around = window_of(self._query, max(midnight - _QUIET, self._query.starttime), midnight)
        busy: set[datetime] = set()
        for time in self._times:
            busy |= await self._held.seconds(connection, around, time)
        border = midnight
        while border - SECOND > around.starttime:
            if not {border, border - SECOND} & busy:
                return border
            border -= SECOND
        return midnight

    async def _compare(self, window: CdrQuery) -> _Found:
        """Compare a window call by call."""
        reading = Reading(window)
        missing: list[int] = []
        changed: list[int] = []
        async with self._session.cdrs(window) as stream:
            async with aclosing(stream.pages()) as pages:
                async for page in pages:
                    reading.add(page.cdrs)
                    held = await self._database.read(partial(self._records, cdrs=page.cdrs))
                    missing += [cdr.id for cdr in page.cdrs if cdr.id not in held]
                    changed += [cdr.id for cdr in page.cdrs if held.get(cdr.id, cdr) != cdr]
            complete = stream.report.complete
        line = reading.line(certified=complete)
        if not complete or not self._judges:
            return _Found(line, missing, changed)
        inside, near = await self._database.read(
            lambda connection: self._held.absent(connection, window, reading.ids, -1)
        )
        return _Found(line, missing, changed, await gone(self._session, inside, _ignore), near)

    async def _compare_all(self, windows: Sequence[CdrQuery]) -> dict[CdrQuery, _Found]:
        """Compare neighbouring windows call by call. A call near a border has vanished if no window was given it."""
        found: dict[CdrQuery, _Found] = {}

        async def compare(window: CdrQuery) -> None:
            found[window] = await self._compare(window)

        await in_order((partial(compare, window) for window in windows), at_once=_DAYS_AT_ONCE)
        given = {call for one in found.values() for call in one.line.at_start | one.line.at_end}
        absent = {call.id: (window, call) for window in windows for call in found[window].near_borders}
        unknown = [call for number, (_, call) in absent.items() if number not in given]
        for number in await gone(self._session, unknown, _ignore):
            window = absent[number][0]
            found[window] = evolve(found[window], vanished=[*found[window].vanished, number])
        return found

    async def _records(self, connection: AsyncConnection, *, cdrs: Sequence[Cdr]) -> dict[int, Cdr]:
        """The calls of a page as the store holds them."""
        column = _schema.calls.c
        wanted = records(
            *answers(self._database.fit, self._ledger.account, None),
            column.vanished.is_(None),
            column.id.in_([cdr.id for cdr in cdrs]),
        )
        held = [self._database.fit.record(row) for row in await connection.execute(wanted)]
        return {cdr.id: cdr for cdr in held}


async def _ignore(_: Sequence[Cdr]) -> None:
    """An audit saves nothing."""


def _date(window: CdrQuery) -> date:
    """The day of a window, which may begin a second early."""
    return (window.starttime + SECOND).date()
