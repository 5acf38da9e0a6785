"""One window of a pull: its pages in order, then by time whatever page numbers can't show, then its proof."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from ..models import CdrQuery, Integrity
from .ahead import Ahead, Answer
from .divide import SECOND, cut, direction
from .known import Known
from .planner import Part, pages
from .proof import Proof
from .rows import Rows, time_of

_MOST_MOVES: Final = 3  # pages that show a moving list, before the rest is read by time instead of by place
_MOST_BARREN: Final = 16  # pages in a row without a new call: page numbers lead nowhere


class Window:
    """
    One window that is read.

    Args:
        part: The window, and how far its pages are planned.

        first: Its first page.

        ahead: Fetches, within the bounds of the pull.

        known: What has been seen of it; grows.

        integrity: See `Infin8Session.cdrs`.

        plan: Starts the next pages of the pull.

    Attributes:
        size: How many rows a full page has.

        expected: The platform's count with the first page.

        duplicates: How many rows came again on a later page.

        recovered: How many calls were found that page numbers had missed.

        proven: Every call that was there from beginning to end has been handed on.

        proof: What is known of it.
    """

    def __init__(
        self,
        part: Part,
        first: Answer,
        ahead: Ahead,
        known: Known,
        *,
        integrity: Integrity,
        plan: Callable[[], None],
    ) -> None:
        rows = first.rows
        # A platform may cap its pages in silence: then a first page with fewer rows than were asked for is full.
        self.size = rows if 0 < rows < first.total else max(rows, first.per_page)
        self.expected = first.total
        self.duplicates = self.recovered = 0
        # One answer that is not full shows all there is.
        self.proven = first.total <= rows < self.size and not first.is_patched
        self._direction = direction(first.calls.times("starttime"))
        self.proof = Proof(
            part.query, ahead, known, size=self.size, newest_first=self._direction < 0, total=first.total
        )
        self._part = part
        self._query = part.query
        self._first: Answer | None = first
        self._ahead = ahead
        self._known = known
        self._integrity = integrity
        self._plan = plan
        self._rest: list[tuple[CdrQuery, float]] = []  # to be read by time instead of by place, and how many calls

    async def rows(self) -> AsyncGenerator[Rows]:
        """All calls of the window, each once. A batch may be empty."""
        for step in (self._by_place, self._by_time, self._prove):
            async with aclosing(step()) as batches:
                async for calls in batches:
                    yield calls
                    # A page is let go before the next is made: two of them alive cost a sixth of the time.
                    del calls

    @property
    def certainly_missed(self) -> bool:
        """Whether calls are missing for certain, not just possibly."""
        return not self.proven and self.proof.accounted_for < min(self.expected, self.proof.total)

    async def _by_place(self) -> AsyncGenerator[Rows]:
        """Page after page. If the list is seen to move, the rest is left to be read by time."""
        page, self._first = self._first, None
        number, moves, barren = 1, 0, 0
        while page is not None:
            known, rows = len(self._known.ids), page.rows
            calls = self._known.admit(page.calls)
            duplicates = len(page.calls) - (len(self._known.ids) - known)
            ends = page.calls.pick((0, -1)).times("starttime") if page.calls else None
            self.proof.lost.update(page.lost)
            short = rows < min(self.size, page.total - (number - 1) * self.size)
            moves += page.total != self.proof.total or duplicates > 0
            self.duplicates += duplicates
            barren = 0 if len(self._known.ids) > known else barren + 1
            self.proof.total, self.proof.fell = page.total, self.proof.fell or page.fell
            self._part.last = pages(page.total, self.size)
            del page
            yield calls
            del calls
            if number >= self._part.last or barren == _MOST_BARREN:
                return
            if self._integrity == "repair" and self._direction and (short or self.proof.fell or moves >= _MOST_MOVES):
                self._leave_the_rest(ends)
                return
            if not rows:
                return
            number += 1
            self._part.planned = max(self._part.planned, number)
            page = await self._ahead.read(self._query, number, size=self.size, refill=self._plan)

    def _leave_the_rest(self, ends: list[str] | None) -> None:
        """Leave what follows a page to be read by time. *ends* are the page's first and last dial time."""
        first, last = map(time_of, ends or ("", ""))
        parts = cut(self._query, last) if ends else None
        if parts is None:
            return
        read, rest = parts if self._direction > 0 else reversed(parts)
        # As many calls as on the page just read, or as in what is left on the whole, whichever are fewer.
        span = rest.ends[1] - rest.ends[0]
        alike = self.size * (span / max(abs(last - first), SECOND))
        self.proof.unproven = [read]
        self._rest = [(rest, min(alike, max(0, self.proof.total - len(self._known.ids))))]

    async def _by_time(self) -> AsyncGenerator[Rows]:
        """
        What was left to be read by time.

        What was read by place is proved first: the newest calls are in it or come next, and the sooner a piece of time
        is proved the fewer calls have been added to it.
        """
        self._part.planned = self._part.last or 1
        await self._ahead.discard(self._query)  # pages that were planned by an older count
        if self._rest:
            async with aclosing(self.proof.repair()) as batches:
                async for calls in batches:
                    self.recovered += len(calls)
                    yield calls
            async with aclosing(self.proof.read(self._rest)) as batches:
                async for calls in batches:
                    yield calls

    async def _prove(self) -> AsyncGenerator[Rows]:
        """Look at the end of the window. If that does not prove it, look for what is missing."""
        if self.proven or self._integrity == "off":
            return
        self._plan()  # the next part comes while this one is proved
        recovered = self.recovered
        accounted_for, found = await self.proof.look(self._query)
        for calls in found:
            self.recovered += len(calls)
            yield calls
        self.proven = accounted_for and not self.proof.withheld and not self.proof.lost
        if self.proven or (accounted_for and self.proof.lost) or self._integrity == "raise":
            return
        async with aclosing(self.proof.repair()) as batches:
            async for calls in batches:
                self.recovered += len(calls)
                yield calls
        self.proven = not self.proof.unproven and not self.proof.withheld
        if self.recovered > recovered:
            self.proof.total = await self._ahead.count(self._query)
