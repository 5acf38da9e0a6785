"""One window of a pull: its pages in order, then whatever page numbers could not show, until it is proved whole."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from math import ceil
from typing import Final

from ..errors import PlatformError
from ..models import Cdr, CdrQuery, Integrity
from .ahead import Ahead, Answer
from .divide import SECOND, around, cut, direction, divide
from .known import Known
from .pieces import Pieces, aim
from .planner import Part, pages
from .salvage import Place

_MOST_MOVES: Final = 3  # pages that show a moving list, before the rest is read by time instead of by place
_MOST_BARREN: Final = 16  # pages in a row without a new call: page numbers lead nowhere
_FEW_PAGES: Final = 4  # of known calls: reading them again is quicker than looking any closer
_ROUNDS: Final = 12  # through a piece of time that can't be divided and does not fit a page
_WAITS: Final = (0.0, 0.0, 1.0, 2.0)  # seconds, before a count that is higher than the rows is believed
_REQUESTS: Final = 256  # that reading by time may cost in any window
_REQUESTS_A_PAGE: Final = (
    40  # that it may cost for each page of known calls: from a day down to a second it is 17 halvings
)


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

        total: The platform's newest count.

        fell: Calls were removed meanwhile. Numbers prove nothing then: a call that was read may be gone.

        duplicates: How many rows came again on a later page.

        recovered: How many calls were found that page numbers had missed.

        proven: Every call that was there from beginning to end has been handed on.

        lost: Where rows are that can't be read. Nobody knows which calls they are, so they are no known calls, and
            nothing that holds one is proven.
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
        self.known = known
        self._part = part
        self._query = part.query
        self._first: Answer | None = first
        self._ahead = ahead
        self._integrity = integrity
        self._plan = plan
        rows = first.rows
        # A platform may cap its pages in silence: then a first page with fewer rows than were asked for is full.
        self.size = rows if 0 < rows < first.total else max(rows, first.per_page)
        self._direction = direction(first.cdrs)
        self.expected = self.total = first.total
        self.fell = False
        self.duplicates = self.recovered = 0
        self.lost: set[Place] = set()
        self.proven = (
            first.total <= rows < self.size and not first.is_patched
        )  # one answer that is not full shows all there is
        self._unproven = [part.query]
        self._rest: list[tuple[CdrQuery, float]] = []  # to be read by time instead of by place, and how many calls
        self._withheld = False  # the platform counts calls that it does not give
        self._requests = 0

    async def rows(self) -> AsyncGenerator[list[Cdr]]:
        """All calls of the window, each once. A batch may be empty."""
        for step in (self._by_place, self._by_time, self._prove):
            async with aclosing(step()) as batches:
                async for cdrs in batches:
                    yield cdrs
                    # A page is let go before the next is made: two of them alive cost a sixth of the time.
                    del cdrs

    @property
    def certainly_missed(self) -> bool:
        """Whether calls are missing for certain, not just possibly."""
        return not self.proven and self._accounted_for < min(self.expected, self.total)

    async def _by_place(self) -> AsyncGenerator[list[Cdr]]:
        """Page after page. If the list is seen to move, the rest is left to be read by time."""
        page, self._first = self._first, None
        number, moves, barren = 1, 0, 0
        while page is not None:
            calls, rows = len(self.known.ids), page.rows
            cdrs = self.known.admit(page.cdrs)
            duplicates = len(page.cdrs) - (len(self.known.ids) - calls)
            times = (page.cdrs[0].starttime, page.cdrs[-1].starttime) if page.cdrs else (None, None)
            self.lost.update(page.lost)
            short = rows < min(self.size, page.total - (number - 1) * self.size)
            moves += page.total != self.total or duplicates > 0
            self.duplicates += duplicates
            barren = 0 if len(self.known.ids) > calls else barren + 1
            self.total, self.fell = page.total, self.fell or page.fell
            self._part.last = pages(page.total, self.size)
            del page
            yield cdrs
            del cdrs
            if number >= self._part.last or barren == _MOST_BARREN:
                return
            if self._integrity == "repair" and self._direction and (short or self.fell or moves >= _MOST_MOVES):
                self._leave_the_rest(*times)
                return
            if not rows:
                return
            number += 1
            self._part.planned = max(self._part.planned, number)
            page = await self._ahead.read(self._query, number, size=self.size, refill=self._plan)

    def _leave_the_rest(self, first: datetime | None, last: datetime | None) -> None:
        """Leave what follows a page to be read by time. *first* and *last* are the page's first and last dial time."""
        parts = None if first is None or last is None else cut(self._query, last)
        if first is None or last is None or parts is None:
            return
        read, rest = parts if self._direction > 0 else reversed(parts)
        # As many calls as on the page just read, or as in what is left on the whole, whichever are fewer.
        span = rest.ends[1] - rest.ends[0]
        alike = self.size * (span / max(abs(last - first), SECOND))
        self._unproven = [read]
        self._rest = [(rest, min(alike, max(0, self.total - len(self.known.ids))))]

    async def _by_time(self) -> AsyncGenerator[list[Cdr]]:
        """
        What was left to be read by time.

        What was read by place is proved first: the newest calls are in it or come next, and the sooner a piece of time
        is proved the fewer calls have been added to it.
        """
        self._part.planned = self._part.last or 1
        await self._ahead.discard(self._query)  # pages that were planned by an older count
        if self._rest:
            async with aclosing(self._repair()) as batches:
                async for cdrs in batches:
                    self.recovered += len(cdrs)
                    yield cdrs
            async with aclosing(self._read(self._rest)) as batches:
                async for cdrs in batches:
                    yield cdrs

    async def _prove(self) -> AsyncGenerator[list[Cdr]]:
        """Look at the end of the window. If that does not prove it, look for what is missing."""
        if self.proven or self._integrity == "off":
            return
        self._plan()  # the next part comes while this one is proved
        accounted_for, cdrs = await self._look(self._query)
        self.recovered += len(cdrs)
        yield cdrs
        self.proven = accounted_for and not self._withheld and not self.lost
        if self.proven or (accounted_for and self.lost) or self._integrity == "raise":
            return
        recovered = self.recovered
        async with aclosing(self._repair()) as batches:
            async for cdrs in batches:
                self.recovered += len(cdrs)
                yield cdrs
        self.proven = not self._unproven and not self._withheld
        if self.recovered > recovered:
            self.total = await self._ahead.count(self._query)

    async def _look(self, window: CdrQuery) -> tuple[bool, list[Cdr]]:
        """
        Read the page on which the known calls of a window end.

        The window is proved if count, rows and known calls agree: all there are are known, and none has come between
        the count and the rows. Unless calls were removed: then a known one may be gone, and an unknown one may be in
        its place.

        Returns:
            Whether that proves the window, and the calls that were not known. If rows of it can't be read, nothing
            proves it: then whether they and the known calls are as many as are counted.
        """
        found: list[Cdr] = []
        while True:
            known = self._known_in(window)[1] + self._lost_in(window)
            number = self._end_of(window)
            at_the_end = known == (number - 1) * self.size > 0  # the page begins where the calls end
            try:
                answer = await self._ask(window, number)
            except PlatformError:
                if not at_the_end:
                    raise
                return await self._ahead.count(window) == known and not self.fell, found
            rows, total = answer.rows, answer.total
            cdrs = self.known.admit(answer.cdrs, window=window)
            found += cdrs
            if cdrs and rows == self.size and self._requests <= self._allowance:
                continue  # the list is longer than it was counted
            if window == self._query:
                self.lost.update(answer.lost)
            length = (number - 1) * self.size + rows
            if at_the_end and not cdrs and (rows == self.size or rows == total == 0):
                length = total = await self._ahead.count(
                    window
                )  # it gives another page in place of this one, or no count
            least, most = self._known_in(window)
            self.fell |= answer.fell or total < least
            if window == self._query:
                self.total = total
            lost = self._lost_in(window)
            accounted_for = least + lost == most + lost == total == length and (rows < self.size or at_the_end)
            return accounted_for and not self.fell and (lost > 0 or not answer.is_patched), found

    async def _repair(self) -> AsyncGenerator[list[Cdr]]:
        """Find the calls that were missed in what is unproven, in no particular order."""
        unproven, self._unproven = self._unproven, []
        differing: list[CdrQuery] = []
        async with aclosing(self._find_differing(unproven, differing)) as batches:
            async for cdrs in batches:
                yield cdrs
        for windows in (differing, unproven):
            # If calls were removed, what was proved by numbers has to be read as well.
            if windows is differing or self.fell:
                windows.sort(key=lambda window: window.ends, reverse=self._direction < 0)
                async with aclosing(self._read([(w, self.known.count(w)[1]) for w in windows])) as batches:
                    async for cdrs in batches:
                        yield cdrs
        if not self.known.rule.possible:
            self._unproven.clear()
            async with aclosing(self._read_tight(self._query)) as batches:
                async for cdrs in batches:
                    yield cdrs

    async def _find_differing(self, pending: list[CdrQuery], differing: list[CdrQuery]) -> AsyncGenerator[list[Cdr]]:
        """
        Halve what is unproven, again and again, and look at both halves at once.

        Args:
            pending: Where to look.

            differing: Takes the windows that are small enough to be read and could not be proved by looking.
        """
        ambiguous = False
        while pending and not self.fell and self.known.rule.possible:
            looks: list[CdrQuery] = []
            halves: list[CdrQuery] = []
            for window in pending:
                least, most = self.known.count(window)
                parts = cut(window, self.known.middle(window))
                if most < _FEW_PAGES * self.size or parts is None:
                    differing.append(window)
                elif window == self._query or (ambiguous and least < most):
                    halves += parts
                elif least == most:
                    looks.append(window)
                else:
                    # Calls in progress at the border tell which of their times the platform compares.
                    ambiguous = True
                    length = (window.ends[1] - window.ends[0]) * aim(self.size) / (2 * most)
                    async with aclosing(self._read([(w, 0) for w in around(*parts, length)])) as batches:
                        async for cdrs in batches:
                            yield cdrs
                    halves.append(window)
            for window in looks:
                if self._ahead.room > 0:
                    self._ahead.start(window, self._end_of(window))
            for window in looks:
                proven, cdrs = await self._look(window)
                yield cdrs
                if not proven:
                    halves += cut(window, self.known.middle(window)) or ()
            pending = halves

    async def _read(self, windows: Iterable[tuple[CdrQuery, float]]) -> AsyncGenerator[list[Cdr]]:
        """
        Read windows, each with the calls it is thought to hold, in pieces of time. One answer that is not full shows all of a piece, and is its proof.

        What can't be proved is added to what is unproven.
        """
        pieces = Pieces(windows, size=self.size, newest_first=self._direction < 0)
        doubts, held = 0, -1
        while upcoming := pieces.next(self._ahead.places):
            piece = upcoming[0]
            for ahead in upcoming:
                if self._ahead.room > 0:
                    self._ahead.start(ahead, 1)
            answer = await self._ask(piece, 1)
            rows, total, is_patched = answer.rows, answer.total, answer.is_patched
            cdrs = self.known.admit(answer.cdrs, window=piece)
            if rows < self.size:
                self.lost.update(answer.lost)
            del answer
            yield cdrs
            del cdrs
            if not self.known.rule.possible or self._requests > self._allowance:
                # The platform goes by none of these times, or leads nowhere.
                self._unproven.append(self._query)
                break
            if rows >= self.size:
                parts = divide(piece, max(2, ceil(total / aim(self.size))))
                if len(parts) > 1:
                    pieces.replace(parts)
                    continue
                async with aclosing(self._read_tight(piece)) as batches:
                    async for cdrs in batches:
                        yield cdrs
            elif total > rows and not self._withheld and held in (-1, rows):
                # A call may have come between the rows and the count, or the count is an old one: ask again.
                if doubts < len(_WAITS):
                    await asyncio.sleep(_WAITS[doubts])
                    doubts, held = doubts + 1, rows
                    continue
                self._withheld = True
            if is_patched:
                self._unproven.append(piece)
            doubts, held = 0, -1
            pieces.done(rows)
            self._ahead.forget(piece)
        for piece in upcoming:
            await self._ahead.discard(piece)

    async def _read_tight(self, piece: CdrQuery) -> AsyncGenerator[list[Cdr]]:
        """Read by place what can't be divided and does not fit a page, again and again until it is proved."""
        found: set[int] = set()
        for _ in range(_ROUNDS):
            number, last, rows = 0, 1, self.size
            lost: set[Place] = set()
            while rows == self.size:
                number += 1
                if self._requests > self._allowance:
                    self._unproven.append(piece)
                    return
                for ahead in range(number, min(last, number + self._ahead.places) + 1):
                    if self._ahead.room > 0:
                        self._ahead.start(piece, ahead)
                answer = await self._ask(piece, number)
                if answer.fell:
                    found.clear()
                found.update(cdr.id for cdr in answer.cdrs)
                lost.update(answer.lost)
                rows, total = answer.rows, answer.total
                last = pages(total, self.size)
                yield self.known.admit(answer.cdrs, window=piece)
            await self._ahead.discard(piece)
            if len(found) + len(lost) == total == (number - 1) * self.size + rows:
                if lost or answer.is_patched:
                    break
                return
            if len(found) > total:
                found.clear()  # some of them are gone
        self.lost |= lost
        self._unproven.append(piece)

    async def _ask(self, window: CdrQuery, number: int) -> Answer:
        self._requests += 1
        return await self._ahead.read(window, number, size=self.size)

    def _known_in(self, window: CdrQuery) -> tuple[int, int]:
        """The fewest and the most known calls there can be in the window or in a piece of it."""
        known = len(self.known.ids)
        return (known, known) if window == self._query else self.known.count(window)

    def _end_of(self, window: CdrQuery) -> int:
        """The number of the page on which the known calls of a window end."""
        return (self._known_in(window)[1] + self._lost_in(window)) // self.size + 1

    def _lost_in(self, window: CdrQuery) -> int:
        """How many rows of the window can't be read. In which piece of it they are is not known."""
        return len(self.lost) if window == self._query else 0

    @property
    def _accounted_for(self) -> int:
        return len(self.known.ids) + len(self.lost)

    @property
    def _allowance(self) -> int:
        return _REQUESTS + _REQUESTS_A_PAGE * pages(len(self.known.ids), self.size)
