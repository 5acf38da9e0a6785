"""One poll: what has changed, and what leaves the lookback, is read and handed over."""

import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, frozen

from .._pull.divide import SECOND
from ..errors import IncompleteResultError, UnreadableRowsError
from ..models import Cdr, CdrQuery
from ..stream import CdrStream
from .changes import Changes
from .memory import Memory, Reading
from .parts import Parts

log: Final = logging.getLogger("infin8_async")

_AT_ONCE: Final = 10_000  # new calls that are read before they are handed over
_SHORTEST: Final = timedelta(minutes=1)  # of the windows that a backlog is read in
_MOST_INCOMPLETE: Final = 3  # polls in a row, before what the platform counts but never gives is left behind
_PATIENCE: Final = timedelta(seconds=45)  # from the first of them to the last, however soon they follow each other
_TOO_LATE: Final = 0.8  # of the lookback
_NOT_COMPLETE: Final = "a poll for new calls was not complete, the next one makes it good: %s"
_GOES_ON: Final = "polls stay incomplete, and go on without what the platform does not give: %s"
_OFTEN: Final = 0.1  # of the lookback: how far the window's start may lag behind while calls come


@frozen(kw_only=True)
class FeedReport:
    """
    How a feed stands, at the moment it was asked for.

    Attributes:
        received: Calls handed over.

        polls: How often the platform was asked what is new.

        quiet: How many of these polls found the platform's count unchanged.

        failed: How many of them failed, or could not be made complete.

        until: The time of the last good poll: what had appeared by then has been handed over; None before the first.

        lateness: The longest time after its dial time at which a call was still missing, and appeared only then; None
            while nothing has appeared. Calls appear when they end, so this is about as long as the longest call.
            One that is later than the feed's *lookback* would never be seen.
    """

    received: int = 0
    polls: int = 0
    quiet: int = 0
    failed: int = 0
    until: datetime | None = None
    lateness: timedelta | None = None


class Poller:
    """
    Finds new calls.

    Args:
        query: What to filter by; its end, if it has one.

        memory: What is known.

        cdrs: Pulls a window.

        count: Asks for the platform's count of a window.

        now: The platform's time.

        lookback: How long after its dial time a call may appear.

    Attributes:
        report: How it stands.

        found: New calls that have yet to be handed over.

        size: Rows on a full page of the platform; 0 before the first.
    """

    def __init__(
        self,
        query: CdrQuery,
        memory: Memory,
        *,
        cdrs: Callable[[CdrQuery], CdrStream],
        count: Callable[[CdrQuery], Awaitable[int]],
        now: Callable[[], datetime],
        lookback: timedelta,
    ) -> None:
        self._query = query
        self._memory = memory
        self._cdrs = cdrs
        self._count = count
        self._now = now
        self._lookback = lookback
        self._incomplete: list[datetime] = []  # when polls were not complete, in a row
        self._failing = False
        self._changes = Changes(memory, count=count, read=self._read)
        self._oldest: datetime | None = None  # the earliest time of what this poll found
        self._missing = 0  # new calls that this poll has yet to find
        self.report = FeedReport()
        self.found: list[Cdr] = []
        self.size = 0

    @property
    def is_over(self) -> bool:
        """Whether no call can appear any more."""
        end, until = self._query.endtime, self.report.until
        return end is not None and until is not None and until - end >= self._lookback

    def hand_over(self) -> list[Cdr]:
        """The new calls, oldest dial time first."""
        found, self.found = self.found, []
        return sorted(found, key=lambda cdr: (cdr.starttime is None, cdr.starttime, cdr.id))

    async def poll(self) -> AsyncGenerator[list[Cdr]]:
        """
        Whatever is new. A backlog comes in parts, the oldest first.

        All that was given has been taken when the next is asked for.
        """
        memory = self._memory
        self.report = evolve(self.report, polls=self.report.polls + 1)
        self._oldest, self._missing = None, 0
        now = self._now()
        window = evolve(self._query, starttime=memory.start, endtime=max(memory.start, self._end(now)))
        counted = await self._count(window)
        now = min(now, self._now())  # the answer brought the platform's time
        border = memory.start_near(self._back_from(now))
        quiet = memory.agrees(window, counted)
        nothing = quiet and not counted
        pieces = [] if quiet else await self._changes.find(window, since=self.report.until, size=self.size)
        if not nothing and self._is_due(evolve(window, endtime=border), now, quiet=quiet):
            pieces.append(window if memory.blind else evolve(window, endtime=min(border + SECOND, window.ends[1])))
        self.report = evolve(self.report, quiet=self.report.quiet + quiet)
        expected = self._missing = counted - memory.count(window)[0]
        proved = window.ends[1] if nothing else memory.start  # everything before it was read, or is not there
        gives_up = len(self._incomplete) + 1 >= _MOST_INCOMPLETE and now - self._incomplete[0] >= _PATIENCE
        pending, failure = deque(_joined(pieces)), None
        while pending:
            backlog = self._missing > _AT_ONCE
            if backlog and not memory.blind:
                pending.extendleft(reversed(await self._divided(pending.popleft())))
            piece = pending.popleft()
            error = await self._read(piece)
            failure = error or failure
            if error is None or gives_up:
                if piece.ends[0] <= proved:
                    proved = max(proved, piece.ends[1])
            elif backlog:
                break  # it is read in order
            if len(self.found) >= _AT_ONCE // 2:
                yield self.hand_over()
                self._move(min(border, proved - SECOND))
        if self.found:
            yield self.hand_over()
        self._move(min(border, proved - SECOND))
        self._changes.adapt(self.report.until, self._oldest)
        found = expected - self._missing
        log.info("poll %d: %s", self.report.polls, f"{found} new" if found else "nothing new")
        self._conclude(failure, now, gives_up=gives_up)

    def fail(self, message: str, *facts: object) -> None:
        """Log a poll that failed."""
        self._failing = True
        self.report = evolve(self.report, failed=self.report.failed + 1)
        log.warning(message, *facts)

    def _conclude(
        self, failure: IncompleteResultError | UnreadableRowsError | None, now: datetime, *, gives_up: bool
    ) -> None:
        """Take note of how a poll ended."""
        if failure is not None:
            self.fail(_GOES_ON if gives_up else _NOT_COMPLETE, failure)
        elif self._failing:
            self._failing = False
            log.warning("polls for new calls work again")
        if failure is None or gives_up:
            self._incomplete.clear()
            self.report = evolve(self.report, until=now)
        else:
            self._incomplete.append(now)

    def _end(self, now: datetime) -> datetime:
        return min(now, self._query.endtime or now)

    def _back_from(self, now: datetime) -> datetime:
        """Where the window begins that looks back from *now*."""
        start = self._memory.start
        back = max(now - start, timedelta())
        return max(start, self._end((now - min(self._lookback, back)).replace(microsecond=0)))

    def _is_due(self, leaving: CdrQuery, now: datetime, *, quiet: bool) -> bool:
        """
        Whether to read once more what leaves the lookback, before it is forgotten.

        An unchanged count does not show a call that came when another one went.
        """
        start, end = leaving.ends
        known = self._memory.count(leaving)[1]
        length = end - start
        final = self._query.endtime is not None and now - self._query.endtime >= self._lookback
        return length > timedelta() and (
            final
            or known >= max(1, self.size // 2)
            or length >= self._lookback
            or (not quiet and length >= self._lookback * _OFTEN)
        )

    def _move(self, start: datetime) -> None:
        if start > self._memory.start:
            self._memory.move(start)

    async def _divided(self, piece: CdrQuery) -> list[CdrQuery]:
        """The beginning of a piece, short enough to be read at once, and the rest if there is one."""
        start, end = piece.ends
        beginning = piece
        while True:
            new = await self._count(beginning) - self._memory.count(beginning)[0]
            length = beginning.ends[1] - start
            if new <= _AT_ONCE or length <= _SHORTEST:
                break
            length = max(_SHORTEST, length * (0.9 * _AT_ONCE / new))
            beginning = evolve(piece, endtime=(start + length).replace(microsecond=0))
        if beginning.ends[1] >= end - SECOND:
            return [piece]
        return [beginning, evolve(piece, starttime=beginning.ends[1] - SECOND)]

    async def _read(self, piece: CdrQuery) -> IncompleteResultError | UnreadableRowsError | None:
        """Read a piece, and keep what is new in it. What could not be made whole is returned as an error."""
        until, missing = self.report.until, max(0, self._missing)
        if until is None or missing > _AT_ONCE or self._memory.blind or not self.size:
            # Pages come at once, and most of a backlog is at rest.
            return await self._read_part(self._memory.begin(piece))
        failure = None
        parts = Parts(piece, self._memory, size=self.size, missing=missing if piece.ends[1] > until else 0)
        for part in parts:
            reading, before = self._memory.begin(part), self._missing
            error = await self._read_part(reading)
            if error is not None:  # on a platform that contradicts itself each part would cost as much as the whole
                failure = error
                parts.leave_whole()
            parts.done(len(reading.ids), new=before - self._missing)
        return failure

    async def _read_part(self, reading: Reading) -> IncompleteResultError | UnreadableRowsError | None:
        try:
            async with self._cdrs(reading.window) as stream, aclosing(stream.pages()) as pages:
                async for page in pages:
                    self.size = page.per_page
                    new = self._memory.admit(reading, page.cdrs)
                    self._measure(new)
                    self.found += new
                    self._missing -= len(new)
        except (IncompleteResultError, UnreadableRowsError) as error:
            return error
        self._memory.finish(reading)
        return None

    def _measure(self, new: Sequence[Cdr]) -> None:
        """Take note of how late calls are: all of them were missing at the time of the last good poll."""
        until = self.report.until
        if until is None or not new:
            return
        times = [time for cdr in new if (time := self._memory.earliest(cdr)) is not None]
        self._oldest = min([*times, *filter(None, [self._oldest])], default=None)
        late = max((until - cdr.starttime for cdr in new if cdr.starttime is not None), default=timedelta())
        if self.report.lateness is None or late > self.report.lateness:
            self.report = evolve(self.report, lateness=max(late, timedelta()))
            if late > _TOO_LATE * self._lookback:
                log.warning("a call appeared %s after it was dialled: one later than %s is lost", late, self._lookback)


def _joined(windows: Iterable[CdrQuery]) -> list[CdrQuery]:
    """Windows in order of time, those that overlap as one."""
    joined: list[CdrQuery] = []
    for window in sorted(windows, key=lambda window: window.ends):
        if joined and window.ends[0] <= joined[-1].ends[1]:
            joined[-1] = evolve(joined[-1], endtime=max(joined[-1].ends[1], window.ends[1]))
        else:
            joined.append(window)
    return joined
