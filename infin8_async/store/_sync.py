"""Bring the database up to date: count, read what differs, and save it."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import IncompleteResultError, UnreadableRowsError
from ..models import BEIJING, Cdr, CdrQuery
from ..session import Infin8Session
from . import _schema
from ._database import Database
from ._gone import gone
from ._landing import Landing
from ._ledger import Ledger, Line, Reading
from ._plan import Day, Piece, cover, cut, days_of, hull, runs, set_todo, spans, stretches
from ._progress import Progress, Show
from ._reports import SyncReport
from ._search import changed_lines
from ._select import Held, HeldCalls
from ._together import in_order, together

_PART: Final = 5000  # calls of one window in memory at once; a longer one is committed in parts
_MOST_IN_SPAN: Final = 4000  # calls; more are divided into shorter spans
_CALLS_AT_ONCE: Final = 20_000  # calls of all spans that are read at the same time: they are in memory
_LEAST_AT_ONCE: Final = 2  # spans read at the same time; each is read ahead
_MOST_AT_ONCE: Final = 32  # spans read at the same time; the session lets through as many requests as it may


class Sync:
    """
    One sync.

    Args:
        database: Where the calls go.

        session: Where they come from.

        query: Which calls; with an end.

        deep: Read every day, whatever its count says.

        show: Called with how far it is.
    """

    def __init__(
        self, database: Database, session: Infin8Session, query: CdrQuery, *, deep: bool, show: Show | None
    ) -> None:
        self._database = database
        self._session = session
        self._query = query
        self._deep = deep
        self._ledger = Ledger(session.credentials, query)
        self._landing = Landing(database, self._ledger)
        self._held = HeldCalls(database.fit, self._ledger.account, query)
        self._now = datetime.now(BEIJING)
        self._days = days_of(query, self._now)
        self._progress = Progress(self._days, show)
        self._judges = False  # whether a call that is not given has vanished
        self._near_borders: dict[int, Held] = {}
        self._given_near_borders: set[int] = set()
        self._vanished = 0
        self._incomplete: IncompleteResultError | UnreadableRowsError | None = None

    async def run(self) -> SyncReport:
        """
        Do it.

        Raises:
            IncompleteResultError: A day could not be read completely. All others are done.

            UnreadableRowsError: The platform can't encode some rows of a day. All others are saved.

            Infin8Error: The platform, the network or the database failed. The days before are done.
        """
        lines = await self._database.read(self._look)
        if not self._deep:
            cover(self._days, lines)
        changed = await changed_lines(self._session.count, self._query, runs(self._days))
        for day in self._days:
            set_todo(day, changed, self._now)
            for line in day.lines:
                if line not in changed:
                    self._given_near_borders |= line.at_start | line.at_end
        unchanged = [day for day in self._days if not day.todo]
        for day in unchanged:
            self._progress.came(day, sum(line.calls for line in day.lines), 0)
            self._progress.done(day)
        await self._read()
        if self._incomplete is not None:
            raise self._incomplete
        return SyncReport(
            days=len(self._days),
            unchanged=len(unchanged),
            certified=sum(0 < len(day.todo) == day.certified for day in self._days),
            saved=self._landing.saved,
            vanished=self._vanished,
        )

    async def _look(self, connection: AsyncConnection) -> list[Line]:
        """Read what is known of the window."""
        self._judges = await self._held.any(connection) and await self._ledger.is_alone(connection)
        return await self._ledger.lines(connection, *self._query.ends)

    async def _read(self) -> None:
        """Read what has to be read, several windows at once, and land it."""
        found = stretches(self._days)
        counts = await together(self._count(stretch) for stretch in found)
        groups: list[Sequence[Piece]] = []
        largest = 1.0
        for stretch, counted in zip(found, counts, strict=True):
            divided = spans(stretch, counted)
            groups += divided
            largest = max(largest, counted / len(divided))
        at_once = max(_LEAST_AT_ONCE, min(_MOST_AT_ONCE, int(_CALLS_AT_ONCE / largest)))
        await in_order((partial(self._read_span, span) for span in groups), at_once=at_once)
        absent = [call for call in self._near_borders.values() if call.id not in self._given_near_borders]
        await self._mark_vanished(absent)

    async def _count(self, stretch: Sequence[Piece]) -> int:
        """About how many calls a stretch holds: asked only if it may be worth reading in longer windows."""
        if len(stretch) > 1:
            return await self._session.count(hull(stretch))
        return sum(line.calls for line in stretch[0][0].lines)

    async def _read_span(self, span: Sequence[Piece]) -> None:
        """Read a window, of one day or of some that hold few calls each."""
        if len(span) == 1:
            await self._read_one(*span[0])
            return
        cdrs = await self._read_few(hull(span))
        if cdrs is None:
            middle = len(span) // 2
            await self._read_span(span[:middle])
            await self._read_span(span[middle:])
            return
        parts = cut(cdrs, [window for _, window in span])
        readings = [Reading(window) for _, window in span]
        for reading, part in zip(readings, parts, strict=True):
            reading.add(part or ())
        cut_out = zip(span, parts, readings, strict=True)
        whole = [(piece, part, reading) for piece, part, reading in cut_out if part is not None]
        absent = [await self._absent(window, reading) for (_, window), _, reading in whole]
        await self._landing.land(cdrs, lines=[reading.line(certified=True) for _, _, reading in whole])
        for (day, _), part, _ in whole:
            self._progress.came(day, len(part), 0)
            self._finish(day, certified=True)
        await self._mark_vanished([call for calls in absent for call in calls])
        for (day, window), part in zip(span, parts, strict=True):
            if part is None:
                await self._read_one(day, window)

    async def _read_few(self, window: CdrQuery) -> list[Cdr] | None:
        """The calls of a window, read and counted; None if they are many, or the platform counts differently."""
        cdrs: list[Cdr] = []
        async with self._session.cdrs(window) as stream:
            try:
                async with aclosing(stream.pages()) as pages:
                    async for page in pages:
                        cdrs += page.cdrs
                        if page.total > _MOST_IN_SPAN:
                            return None
            except (IncompleteResultError, UnreadableRowsError):
                return None
            return cdrs if stream.report.complete and stream.report.certified else None

    async def _read_one(self, day: Day, window: CdrQuery) -> None:
        """Read the window of one day, and land it in parts."""
        reading = Reading(window)
        part: list[Cdr] = []
        async with self._session.cdrs(window) as stream:
            try:
                async with aclosing(stream.pages()) as pages:
                    async for page in pages:
                        reading.add(page.cdrs)
                        part += page.cdrs
                        self._progress.came(day, len(page.cdrs), page.total)
                        if len(part) >= _PART:
                            await self._landing.land(part)
                            part = []
            except (IncompleteResultError, UnreadableRowsError) as error:
                self._incomplete = self._incomplete or error
            report = stream.report
        certified = report.complete and report.certified
        absent = await self._absent(window, reading) if certified else []
        await self._landing.land(part, lines=[reading.line(certified=certified)])
        await self._mark_vanished(absent)
        self._finish(day, certified=certified)

    def _finish(self, day: Day, *, certified: bool) -> None:
        """Take note of a window of a day that has been read."""
        day.read += 1
        day.certified += certified
        if day.read == len(day.todo):
            self._progress.done(day)

    async def _absent(self, window: CdrQuery, reading: Reading) -> list[Held]:
        """The calls that the store holds of a window, and that were not given."""
        self._given_near_borders |= reading.borders
        if not self._judges:
            return []
        inside, near = await self._database.read(
            lambda connection: self._held.absent(connection, window, reading.ids, reading.inside)
        )
        self._near_borders.update((call.id, call) for call in near)
        return inside

    async def _mark_vanished(self, absent: Sequence[Held]) -> None:
        """Mark calls that the platform no longer gives."""
        ids = await gone(self._session, absent, self._landing.land)
        if not ids:
            return
        table = _schema.calls

        async def work(connection: AsyncConnection) -> None:
            now = datetime.now(BEIJING)
            for start in range(0, len(ids), _PART):
                some = table.c.id.in_(ids[start : start + _PART])
                mine = table.c.account == self._ledger.account
                await connection.execute(update(table).where(mine, some).values(vanished=now))

        await self._database.write(work)
        self._vanished += len(ids)
