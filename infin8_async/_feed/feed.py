"""Following new calls: what a reader holds, the rhythm of the polls, and what has been taken."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final

from attrs import evolve

from .._reader import OneReader, Reading
from ..errors import Infin8Error
from ..models import Cdr, CdrQuery, window_text
from ..stream import CdrStream
from .checkpoint import Mark
from .memory import Memory
from .poll import FeedReport, Poller
from .rhythm import Rhythm

_BATCH: Final = 1000  # calls, until the platform has shown the size of its pages

Wait = Callable[[Callable[[], Coroutine[object, object, None]]], Awaitable[None]]
"""Awaits a pause between two polls."""


class CdrFeed(Reading[Cdr]):
    """
    New calls as they appear, each once: an asynchronous iterator of `Cdr` without an end, or with a late one.

    Made by `Infin8Session.follow`. It has one reader, whose pace is the feed's: the platform is polled only while the
    reader waits. Asking for the next call says that the last one has been taken, and the checkpoint then holds it.
    Leaving `async with feed:` without an exception, or calling `aclose()`, says the same of the call that the reader
    holds. An exception says the opposite: that call comes again after a restart, as after a crash.

    An error ends the feed, as does the cancellation of the reader. Reading on after that is a `RuntimeError`.
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
        now: Callable[[], datetime],
        wait: Wait = lambda pause: pause(),
    ) -> None:
        for name, value in (("interval", interval), ("lookback", lookback)):
            if value <= timedelta():
                raise ValueError(f"{name} must be positive, not {value}")
        self._query = query
        self._now = now
        self._mark = mark
        self._memory = Memory(query.starttime)
        self._poller = Poller(query, self._memory, cdrs=cdrs, count=count, now=now, lookback=lookback)
        self._rhythm = Rhythm(interval)
        self._polls = _polls(self._poller, self._rhythm, wait)
        self._rows: Iterator[Cdr] = iter(())
        self._in_hand: Sequence[Cdr] = ()
        self._received = 0
        self._loaded = False
        self._stop = partial(_stop, self._polls, mark)  # not a method: who lets go of a feed unlocks its checkpoint
        self._reader = OneReader("feed", self._stop)

    def __repr__(self) -> str:
        report = self.report
        polls = f"{report.polls} polls ({report.failed} failed)"
        return f"<CdrFeed {window_text(self._query)}: {report.received} calls in {polls}, {self._reader.state}>"

    async def __anext__(self) -> Cdr:
        return (await self._next(1))[0]

    async def batches(self) -> AsyncGenerator[Sequence[Cdr]]:
        """The same calls, a page at a time, never an empty one. Asking for the next page marks this one as taken."""
        while True:
            try:
                cdrs = await self._next(None)
            except StopAsyncIteration:
                return
            yield cdrs

    @property
    def report(self) -> FeedReport:
        """How the feed stands at this moment."""
        return evolve(self._poller.report, received=self._received)

    def poll_now(self) -> None:
        """
        Have a waiting feed poll at once, because something may be new.

        May be called from any thread, at any time, and as often as you like: that costs at most one poll a second. A
        feed that is polling already polls once more. One that is not being read polls when its reader asks for more.

        The platform may announce a call before it lists it. So further polls follow after 1, 2, 4 … seconds, up to the
        interval: a call that is listed some seconds after this was called is found within twice that time and a second.
        A poll that fails is tried again, after a pause that doubles with each failure.
        """
        self._rhythm.poll_now()

    async def aclose(self) -> None:
        """
        Stop. What is in the reader's hands counts as taken, unless an exception is on its way.

        Raises:
            RuntimeError: It is being read at this moment: cancel its reader instead.
        """
        if self._reader.reading:
            raise RuntimeError("this feed is being read: cancel its reader instead")
        self._reader.close()
        try:
            await self._polls.aclose()
            if sys.exception() is None:
                await self._take()
        finally:
            await self._stop()

    async def _next(self, most: int | None) -> Sequence[Cdr]:
        """Hand over the next calls: *most*, or a page."""
        self._in_hand = await self._reader.read(lambda: self._step(most))
        self._received += len(self._in_hand)
        return self._in_hand

    async def _step(self, most: int | None) -> Sequence[Cdr]:
        """Take note that the last calls have been taken, and get the next."""
        if not self._loaded:
            await self._load()
        await self._take()
        cdrs = self._cut(most)
        if not cdrs:
            self._rows = iter(await anext(self._polls))
            cdrs = self._cut(most)
        return cdrs

    def _cut(self, most: int | None) -> Sequence[Cdr]:
        return tuple(islice(self._rows, most or self._poller.size or _BATCH))

    async def _load(self) -> None:
        """Go on where an earlier feed stopped."""
        marked = None if self._mark is None else await self._mark.load()
        if marked is not None:
            start, taken = marked
            self._memory.resume(start, taken, now=self._now())
        self._loaded = True

    async def _take(self) -> None:
        """Mark what is in the reader's hands."""
        taken, self._in_hand = self._in_hand, ()
        if not taken:
            return
        ids = [cdr.id for cdr in taken]
        self._memory.take(ids)
        if self._mark is None:
            return
        if self._mark.start == self._memory.start:
            await self._mark.add(ids)
        else:
            await self._mark.save(self._memory.start, self._memory.taken())


async def _stop(polls: AsyncGenerator[list[Cdr]], mark: Mark | None) -> None:
    await polls.aclose()
    if mark is not None:
        mark.close()


async def _polls(poller: Poller, rhythm: Rhythm, wait: Wait) -> AsyncGenerator[list[Cdr]]:
    """The calls that each poll finds to be new. All of them have been taken when the next are asked for."""
    while not poller.is_over:
        rhythm.begin()
        failure: Infin8Error | None = None
        try:
            async with aclosing(poller.poll()) as found:
                async for cdrs in found:
                    yield cdrs
        except Infin8Error as error:
            failure = error
        if poller.found:
            yield poller.hand_over()
        if failure is not None and not failure.transient:
            try:
                raise failure
            finally:
                del failure  # or it and this frame would hold each other
        rhythm.end(failed=failure is not None)
        if failure is not None:
            poller.fail("a poll for new calls failed, the next one comes in %s: %s", rhythm.pause, failure)
        if not poller.is_over:
            await wait(rhythm.wait)
