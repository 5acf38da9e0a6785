"""The pull itself: one window, or the parts of a deep one, in the platform's order."""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import islice
from typing import Final

from attrs import frozen

from .._wire.clock import PlatformClock
from ..errors import IncompleteResultError
from ..models import CdrQuery, Integrity
from .ahead import Ahead, Answer, Start
from .divide import direction, divide
from .known import Known, TimeRule
from .planner import Part, pages, plan
from .rows import Rows
from .salvage import Place, loss
from .window import Window

_MOST_PARTS: Final = 64  # of one division; a part that is still deep is divided again when its turn comes
_MOST_INCOMPLETE: Final = 3  # parts that can't be made whole, before the pull gives up


@frozen
class Depth:
    """
    When a window is divided before it is read.

    Attributes:
        deep: The most calls that are read as one window. Page numbers cost the platform what they skip: past this
            many, skipping costs a database about as much as the largest page itself.

        part: How many calls a part of a deeper window is meant to have. A busy hour may double that.
    """

    deep: int = 50_000
    part: int = 25_000


class Scan:
    """
    One pull.

    Args:
        query: What is asked for.

        start: Begins to fetch a page.

        concurrency: The most pages that are read ahead.

        per_page: How many rows a page is asked for.

        integrity: See `Infin8Session.cdrs`.

        depth: When a window is divided.

        clock: Tells when the pull begins, which is the end of a query without one.

    Attributes:
        query: What is asked for.

        size: Rows on a full page of the platform; 0 before the first page.

        total: The platform's newest count for the whole query; None before the first page.

        expected: Its count when the pull began.

        received: Distinct rows handed on.

        complete: See `StreamReport.complete`.

        certified: See `StreamReport.certified`.
    """

    def __init__(
        self,
        query: CdrQuery,
        start: Start,
        *,
        concurrency: int,
        per_page: int,
        integrity: Integrity,
        depth: Depth = Depth(),  # it is frozen
        clock: PlatformClock | None = None,
    ) -> None:
        self.query: Final = query
        self._clock = clock or PlatformClock()
        self._ahead = Ahead(start, concurrency, per_page=per_page)
        self._integrity = integrity
        self._depth = depth
        self._rule = TimeRule()
        self._parts: deque[Part] = deque()
        self._window: Window | None = None
        self._direction = 0
        self._divided = False
        self._elsewhere: frozenset[int] = frozenset()  # ids of the part before, as far as the next one may hold them
        self._incomplete = 0  # parts that could not be proved
        self._missed = False  # calls are missing for certain
        self._fell = False  # calls were removed meanwhile
        self._duplicates = 0
        self._recovered = 0
        self._lost: set[Place] = set()
        self.size = 0
        self.total: int | None = None
        self.expected = 0
        self.received = 0
        self.complete = False
        self.certified = False

    async def pages(self) -> AsyncGenerator[Rows]:
        """
        The rows, page by page, each once; never an empty page.

        Raises:
            Infin8Error: A page could not be fetched or read. All rows of the pages before it have been given.

            UnreadableRowsError: The platform can't encode some rows. All others have been given.

            IncompleteResultError: Rows moved, and could not all be found again. All that were found have been given.
        """
        query, _ = await self._clock.until_now(self.query, self._ahead.first)
        self._parts.append(Part(query))
        while self._parts and (self._incomplete < _MOST_INCOMPLETE or self._integrity != "repair"):
            window = self._window = await self._next_window()
            async with aclosing(window.rows()) as batches:
                async for calls in batches:
                    if not self._divided:
                        self.total = window.proof.total
                    if calls:
                        self.received += len(calls)
                        yield calls
                    # A page is let go before the next is made: two of them alive cost a sixth of the time.
                    del calls
            await self._close(window)
            if self._missed and self._integrity == "raise":
                break
        if self._divided and not self._parts and self._integrity != "off":
            self.total = await self._ahead.count(query)
            self._missed |= self.received + len(self._lost) < min(self.expected, self.total) and not self._fell
        self.complete = not (self._incomplete or self._missed or self._lost or self._parts)
        self.certified = self.complete and not self._fell and self.received == self.total
        if self._lost:
            raise loss(self._lost, rows=max(1, (self.total or 0) - self.received), size=self.size)
        if (self._integrity == "repair" and not self.complete) or (self._integrity == "raise" and self._missed):
            raise IncompleteResultError(self.total or 0, self.received)

    async def _next_window(self) -> Window:
        """Open the first of the parts, and divide it as long as it is too deep."""
        while True:
            part = self._parts[0]
            first = await self._open(part)
            if self._divided and not self._rule.possible and first.total >= self.expected:
                # The platform does not filter by time: any part is the whole.
                self._divided = False
                self._parts = deque([part])
            elif parts := self._divide(part, first):
                self._divided = True
                self._parts.popleft()
                self._parts.extendleft(map(Part, reversed(parts)))
                continue
            known = Known(self._rule, self._elsewhere)
            window = Window(part, first, self._ahead, known, integrity=self._integrity, plan=self._plan)
            self.size = window.size
            part.last = pages(first.total, window.size)
            self._plan()
            return window

    async def _close(self, window: Window) -> None:
        """Keep of a window that has been read what the rest of the pull needs."""
        part, proof = self._parts[0], window.proof
        await self._ahead.discard(part.query)
        self._ahead.forget(part.query)
        if not window.proven:
            self._lost |= proof.lost
            self._incomplete += not proof.lost
        self._missed |= window.certainly_missed
        self._fell |= proof.fell
        if not self._divided:
            self.total = proof.total
        self._duplicates, self._recovered, self._window = self.duplicates, self.recovered, None
        self._parts.popleft()
        if self._parts:
            self._elsewhere = proof.known.ids_in(self._parts[0].query)

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        await self._ahead.aclose()

    def expect(self, columns: frozenset[str]) -> None:
        """Read no more of the next rows than these fields, as far as they are documented."""
        self._ahead.columns = columns

    def abandon(self) -> None:
        """Cancel what is under way, from any thread; the session waits until it has ended."""
        self._ahead.abandon()

    @property
    def duplicates(self) -> int:
        """Rows dropped because they came again."""
        return self._duplicates + (self._window.duplicates if self._window else 0)

    @property
    def recovered(self) -> int:
        """Rows found that page numbers had missed."""
        return self._recovered + (self._window.recovered if self._window else 0)

    async def _open(self, part: Part) -> Answer:
        """Read the first page of a part."""
        part.planned = max(part.planned, 1)
        first = await self._ahead.read(part.query, 1, size=self.size)
        if self.total is None:
            self.total = self.expected = first.total
            self._direction = direction(first.calls.times("starttime"))
        self._rule.observe(part.query, first.calls)
        return first

    def _divide(self, part: Part, first: Answer) -> list[CdrQuery]:
        """The parts of a window that is too deep for page numbers, in the platform's direction; none if it is not."""
        if first.total <= self._depth.deep or not self._direction:
            return []
        parts = divide(part.query, min(pages(first.total, self._depth.part), _MOST_PARTS))
        return parts[:: self._direction] if len(parts) > 1 else []

    def _plan(self) -> None:
        """Start pages in the order in which they will be read, as long as there is room."""
        for part in islice(self._parts, 1, None):
            first = self._ahead.peek(part.query, 1)
            if part.last is None and first is not None and first.total <= self._depth.deep:
                part.last = pages(first.total, first.per_page)
        for query, number in plan(self._parts, places=self._ahead.places, room=self._ahead.room):
            self._ahead.start(query, number)
