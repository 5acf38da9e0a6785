"""Following new calls: polls that look back, ids that decide what is new, a mark that outlives a crash."""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Final, NoReturn, Self

from attrs import evolve, frozen

from ._checkpoint import Mark
from .errors import IncompleteResultError, Infin8Error
from .models import BEIJING, Cdr, CdrQuery
from .stream import CdrStream

log: Final = logging.getLogger("infin8_async")

_SECOND: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(minutes=10)
_AT_ONCE: Final = 10_000  # calls of a backlog read as one window: as many ids are remembered beside a lookback's
_SHORTEST: Final = timedelta(minutes=1)  # of the windows that a backlog is read in
_MOST_INCOMPLETE: Final = 3  # polls in a row, before what the platform counts but never gives is left behind
_TOO_LATE: Final = 0.8  # of the lookback
_BORDER: Final = 60  # seconds to look for one in which nobody dialled


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


class CdrFeed:
    """
    New calls as they appear, each once: an asynchronous iterator of `Cdr` without an end, or with a late one.

    Made by `Infin8Session.follow`. It has one reader, whose pace is the feed's: the platform is polled only while the
    reader waits. To ask for the next call says that the last one has been taken, which its checkpoint then holds. To
    leave `async with feed:` without an exception, or `aclose()`, says the same of the call in the reader's hands;
    an exception says the opposite, and that call comes again after a restart, as after a crash.

    An error ends the feed, as does the cancellation of the reader. To go on reading then is a `RuntimeError`.
    """

    def __init__(
        self,
        query: CdrQuery,
        cdrs: Callable[[CdrQuery], CdrStream],
        count: Callable[[CdrQuery], Awaitable[int]],
        *,
        interval: timedelta,
        lookback: timedelta,
        mark: Mark | None,
    ) -> None:
        for name, value in (("interval", interval), ("lookback", lookback)):
            if value <= timedelta():
                raise ValueError(f"{name} must be longer than nothing, not {value}")
        self._query = query
        self._cdrs = cdrs
        self._count = count
        self._interval = interval
        self._lookback = lookback
        self._mark = mark
        self._start = query.starttime  # everything before it has been taken
        self._taken: dict[int, datetime] = {}  # ids of calls after it, and the latest time each of them tells
        self._window: dict[int, datetime | None] | None = None  # what the platform counts after it: ids, dial times
        self._incomplete = 0  # polls in a row
        self._rows: Iterator[Cdr] = iter(())
        self._in_hand: Sequence[Cdr] = ()
        self._reading = False
        self._ended: str | None = None
        self._report = FeedReport()
        self._polls = self._poll_for_ever()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Cdr:
        return (await self._next(1))[0]

    def __iter__(self) -> NoReturn:
        raise TypeError("the calls come from the network: read them with 'async for', not 'for'")

    async def batches(self) -> AsyncGenerator[Sequence[Cdr]]:
        """The same calls by the page: never none, and taken together when the next are asked for."""
        while True:
            try:
                cdrs = await self._next(None)
            except StopAsyncIteration:
                return
            yield cdrs

    @property
    def report(self) -> FeedReport:
        """How the feed stands at this moment."""
        return self._report

    async def aclose(self) -> None:
        """
        Stop. What is in the reader's hands counts as taken, unless an exception is on its way.

        Raises:
            RuntimeError: It is being read at this moment: cancel its reader instead.
        """
        if self._reading:
            raise RuntimeError("this feed is being read: cancel its reader instead")
        self._ended = self._ended or "was closed"
        await self._polls.aclose()
        if sys.exception() is None:
            await self._take()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _next(self, most: int | None) -> Sequence[Cdr]:
        """Hand over the next calls, and take note that the last ones have been taken."""
        if self._reading:
            raise RuntimeError("two readers on one feed: it has one reader")
        if self._ended:
            raise RuntimeError(f"this feed {self._ended}: it can't be read any further")
        self._reading = True
        try:
            await self._take()
            cdrs = tuple(islice(self._rows, most))
            if not cdrs:
                self._rows = iter(await anext(self._polls))
                cdrs = tuple(islice(self._rows, most))
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self._ended = f"ended with {type(error).__name__}"
            await self._polls.aclose()
            raise
        finally:
            self._reading = False
        self._in_hand = cdrs
        self._report = evolve(self._report, received=self._report.received + len(cdrs))
        return cdrs

    async def _take(self) -> None:
        """Mark what is in the reader's hands."""
        taken, self._in_hand = self._in_hand, ()
        if taken:
            self._taken.update((cdr.id, _latest(cdr)) for cdr in taken)
            await self._save()

    async def _save(self) -> None:
        if self._mark is not None:
            await self._mark.save(self._start, self._taken)

    async def _poll_for_ever(self) -> AsyncGenerator[list[Cdr]]:
        """The calls that each poll finds to be new. All of them have been taken when the next is asked for."""
        marked = None if self._mark is None else await self._mark.load()
        if marked is not None:
            self._start, ids = marked
            self._taken = dict.fromkeys(ids, _now())
        loop = asyncio.get_running_loop()
        pause = self._interval
        while not self._is_over():
            due = loop.time() + pause.total_seconds()
            self._report = evolve(self._report, polls=self._report.polls + 1)
            try:
                async with aclosing(self._poll()) as found:
                    async for cdrs in found:
                        yield cdrs
                pause = self._interval
            except Infin8Error as error:
                if not error.transient:
                    raise
                pause = min(2 * pause, max(self._interval, _LONGEST_PAUSE))
                due = loop.time() + pause.total_seconds()
                self._failed("a poll for new calls failed, the next one comes in %s: %s", pause, error)
            if not self._is_over():
                await asyncio.sleep(due - loop.time())

    def _is_over(self) -> bool:
        end, until = self._query.endtime, self._report.until
        return end is not None and until is not None and until >= end + self._lookback

    async def _poll(self) -> AsyncGenerator[list[Cdr]]:
        """Whatever is new; a backlog in windows of a bearable number of calls, the oldest first."""
        behind = True
        while behind:
            now = _now()
            end = max(self._start, min(now, self._query.endtime or now))
            window = evolve(self._query, starttime=self._start, endtime=end)
            counted = await self._count(window)
            if self._window is not None and counted == len(self._window):
                self._report = evolve(self._report, quiet=self._report.quiet + 1)
                self._look_back_from(now)
                return
            window = await self._beginning(window, counted, before=self._back_from(now))
            behind = window.ends[1] < end
            seen: dict[int, datetime | None] = {}
            try:
                async with self._cdrs(window) as stream, aclosing(stream.pages()) as pages:
                    async for page in pages:
                        seen.update((cdr.id, cdr.starttime) for cdr in page.cdrs)
                        if new := [cdr for cdr in page.cdrs if cdr.id not in self._taken]:
                            self._measure(new)
                            yield new
            except IncompleteResultError as error:
                self._window = None
                self._incomplete += 1
                if self._incomplete < _MOST_INCOMPLETE:
                    self._failed("a poll for new calls was not complete, the next one makes it good: %s", error)
                    return
                self._failed("polls stay incomplete, and go on without what the platform does not give: %s", error)
            else:
                self._window = seen
            self._incomplete = 0
            if behind:
                self._forget(before=window.ends[1] - _SECOND)  # whichever bounds the platform includes
                self._window = None
            else:
                self._look_back_from(now)
            await self._save()

    async def _beginning(self, window: CdrQuery, counted: int, *, before: datetime) -> CdrQuery:
        """As much of the beginning of a window as may be read at once; all of it, from *before* on."""
        start, end = window.ends
        while counted > _AT_ONCE and start < before and end - start > _SHORTEST:
            end = min(before, start + max(_SHORTEST, (end - start) * (0.9 * _AT_ONCE / counted)))
            window = evolve(window, endtime=end)
            counted = await self._count(window)
        return window

    def _back_from(self, now: datetime) -> datetime:
        """Where the window begins that looks back from *now*."""
        back = max(now - self._start, timedelta())
        return max(self._start, (now - min(self._lookback, back)).replace(microsecond=0))

    def _look_back_from(self, now: datetime) -> None:
        """All that had appeared by *now* has been taken: the next poll looks back from there."""
        start = self._back_from(now)
        if self._window is not None and start > self._start:
            # The platform may count a call at the very border or not: have it run where nobody dialled.
            dialled = set(self._window.values())
            border = next((start - _SECOND * n for n in range(_BORDER) if start - _SECOND * n not in dialled), None)
            if border is None or None in dialled:
                self._window = None
            else:
                start = max(border, self._start)
        self._forget(before=start)
        self._report = evolve(self._report, until=now)

    def _forget(self, *, before: datetime) -> None:
        """Begin the next window at *before*, and forget calls that can't come again."""
        seen = self._window or {}
        self._taken = {call: latest for call, latest in self._taken.items() if latest >= before or call in seen}
        if self._window is not None and before > self._start:
            self._window = {call: time for call, time in seen.items() if time is not None and time > before}
        self._start = before

    def _measure(self, new: Sequence[Cdr]) -> None:
        """Take note of how late calls are: all of them were missing at the time of the last good poll."""
        until = self._report.until
        if until is None:
            return
        late = max((until - cdr.starttime for cdr in new if cdr.starttime is not None), default=timedelta())
        if self._report.lateness is None or late > self._report.lateness:
            self._report = evolve(self._report, lateness=max(late, timedelta()))
            if late > _TOO_LATE * self._lookback:
                log.warning("a call appeared %s after it was dialled: one later than %s is lost", late, self._lookback)

    def _failed(self, message: str, *facts: object) -> None:
        self._report = evolve(self._report, failed=self._report.failed + 1)
        log.warning(message, *facts)


def _latest(cdr: Cdr) -> datetime:
    """The latest time that a call tells; the present for one that tells none."""
    times = (cdr.starttime, cdr.answertime, cdr.endtime, cdr.astarttime, cdr.aanswertime, cdr.aendtime)
    return max((time for time in times if time is not None), default=_now())


def _now() -> datetime:
    return datetime.now(BEIJING)
