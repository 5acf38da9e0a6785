"""The pages of a window, read ahead, in order, each row once: the pull itself."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Sequence
from contextlib import aclosing
from itertools import islice, zip_longest
from typing import Final

from attrs import define, field

from ._ahead import Ahead, Start, structured
from ._proof import Proof
from ._protocol import PageBytes
from ._repair import repair
from ._windows import direction, divide
from .errors import IncompleteResultError
from .models import Cdr, CdrQuery, Integrity

DEEP: Final = 50_000
"""
Rows past which a window is divided before it is read: page numbers cost the platform what they skip.

That deep, to skip costs a database about as much as the largest page itself.
"""

_PART: Final = 30_000  # rows that a part of a deep window is meant to have: a busy hour may double that
_MOST_PARTS: Final = 64  # of one division; a part that is still deep is divided again when its turn comes
_BARREN: Final = 16  # pages in a row without anything new that end a window: page numbers lead nowhere
_MOST_INCOMPLETE: Final = 3  # parts that can't be made whole before the pull gives up


@define(eq=False)
class _Part:
    """
    A window of the pull, and how far it is planned.

    Attributes:
        size: Rows on a full page.

        last: Its last page, as far as is known.

        planned: Its pages that were started, counted from the first.

        known: Whether its first page has told where it ends.

        divided: It was too deep to be read as one; its parts have taken its place.
    """

    query: CdrQuery
    size: int = 0
    last: int = 1
    planned: int = 0
    known: bool = False
    divided: bool = False
    proof: Proof = field(factory=Proof)

    def learn(self, total: int, size: int) -> None:
        """Where the window ends, by the newest count."""
        self.size, self.last, self.known = size, max(1, _pages(total, size)), True


def _pages(total: int, size: int) -> int:
    return -(-total // size)


def _is_short(page: PageBytes, cdrs: Sequence[Cdr], size: int) -> bool:
    """Whether a page holds fewer rows than its place in the count demands."""
    return len(cdrs) < min(size, page.total - (page.page - 1) * size)


class Scan:
    """
    One pull.

    Attributes:
        size: Rows on a full page of the platform; 0 before the first page.

        total: The platform's newest count for the whole query; None before the first page.

        expected: Its count when the pull began.

        received: Distinct rows handed on.

        recovered: Rows found by repair.

        complete: See `StreamReport.complete`.

        certified: See `StreamReport.certified`.
    """

    def __init__(
        self,
        query: CdrQuery,
        start: Start,
        count: Callable[[CdrQuery], Awaitable[int]],
        *,
        concurrency: int,
        integrity: Integrity,
    ) -> None:
        self._count = count
        self._integrity = integrity
        self._ahead = Ahead(start, concurrency)
        self._query = query
        self._parts: deque[_Part] = deque()
        self._before: Container[int] = ()
        self._divided = False
        self.size = 0
        self.total: int | None = None
        self.expected = 0
        self.received = 0
        self._duplicates = 0
        self.recovered = 0
        self.complete = False
        self.certified = False

    async def pages(self) -> AsyncGenerator[list[Cdr]]:
        """
        The rows, page by page, each once; never an empty page.

        Raises:
            Infin8Error: A page could not be had or read. All rows of the pages before it have been given.

            IncompleteResultError: Rows moved, and could not all be found again. All that were found have been given.
        """
        incomplete, missed = 0, False
        query = self._query.until_now()
        self._parts.append(_Part(query))
        while self._parts and incomplete < _MOST_INCOMPLETE:
            part = self._parts[0]
            part.proof.before = self._before
            async with aclosing(self._window(part)) as pages:
                async for cdrs in pages:
                    if cdrs:
                        self.received += len(cdrs)
                        yield cdrs
                    # A page is let go before the next is made: two of them alive cost a sixth of the time.
                    del cdrs
            if part.divided:
                continue
            await self._ahead.discard(part.query)  # pages planned by a count that fell since
            incomplete += not part.proof.complete
            missed |= part.proof.certainly_missed
            if missed and self._integrity == "raise":
                raise IncompleteResultError(self.total or 0, self.received)
            self._duplicates += part.proof.duplicates
            self._parts.popleft()
            if self._parts:
                self._before = part.proof.ids_at_the_borders(*part.query.ends)
        if self._divided:
            self.total = await self._count(query)
            missed |= self.received < min(self.expected, self.total)
        counted = self.total or 0
        self.certified = self.received == counted
        self.complete = not incomplete and not missed
        if (self._integrity == "repair" and not self.complete) or (self._integrity == "raise" and missed):
            raise IncompleteResultError(counted, self.received)

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        await self._ahead.aclose()

    @property
    def duplicates(self) -> int:
        """Rows dropped because they came again."""
        return self._duplicates + (self._parts[0].proof.duplicates if self._parts else 0)

    async def _window(self, part: _Part) -> AsyncGenerator[list[Cdr]]:
        """The rows of one part, page by page; none if it turns out too deep, and is divided instead."""
        page, cdrs = await self._open(part)
        if part.divided:
            return
        proof, query = part.proof, part.query
        proof.counted_first = state = page.total
        number = 1
        barren = 0
        while True:
            known = len(proof.seen)
            if self._integrity != "off" and (page.total < state or _is_short(page, cdrs, part.size)):
                # Cut from an older list than its predecessor, so that rows may have fallen between the two. The same
                # page cut anew reaches from the predecessor to where the old cut begins: hand on both, and the pages
                # behind, which are as old, are still good. Where it does not reach that far, the old cut is worthless.
                anew, cut_anew = await self._ahead.read(query, number)
                self._counted(part, anew.total)
                proof.fell |= anew.total < state
                proof.moved |= _is_short(anew, cut_anew, part.size)
                yield proof.admit(cut_anew, growth=anew.total - state)
                if page.total < state <= anew.total <= page.total + part.size:
                    yield proof.admit(cdrs)
                else:
                    page, cdrs = anew, cut_anew
            else:
                self._counted(part, page.total)
                yield proof.admit(cdrs, growth=page.total - state)
            empty = not cdrs
            del cdrs
            state = page.total
            barren = barren + 1 if len(proof.seen) == known else 0
            proof.moved |= barren == _BARREN
            number += 1
            if number > part.last or empty or barren == _BARREN:
                break
            page, cdrs = await self._read(part, number)
        if self._integrity == "repair" and not proof.complete:
            async with aclosing(repair(query, proof, self._ahead, number)) as found:
                async for cdrs in found:
                    self._counted(part, proof.counted)
                    self.recovered += len(cdrs)
                    yield cdrs

    def _counted(self, part: _Part, total: int) -> None:
        """Take note of the newest count of a part."""
        part.proof.counted = total
        part.learn(total, part.size)
        if not self._divided:
            self.total = total

    async def _open(self, part: _Part) -> tuple[PageBytes, list[Cdr]]:
        """Read the first page of a part, and see how far it goes."""
        part.planned = max(part.planned, 1)
        page = await self._ahead.take(part.query, 1)
        if self.total is None:
            self.total = self.expected = page.total
        deep = page.total > DEEP
        if not deep:
            part.learn(page.total, page.per_page)
            self._plan()
        cdrs = await structured(page)
        if deep:
            way = direction(cdrs)
            parts = divide(part.query, min(_pages(page.total, _PART), _MOST_PARTS))[:: way or 1]
            # A platform that counts in the farthest part what it counts in all does not go by these times.
            if way and len(parts) > 1 and await self._count(parts[-1]) < page.total:
                part.divided = self._divided = True
                self._parts.popleft()
                self._parts.extendleft(map(_Part, reversed(parts)))
                return page, cdrs
        # A platform may cap the size of its pages without saying so: then a first page that is not the last is short.
        size = len(cdrs) if 0 < len(cdrs) < min(page.per_page, page.total) else page.per_page
        part.learn(page.total, size)
        self.size = size
        self._plan()
        return page, cdrs

    async def _read(self, part: _Part, number: int) -> tuple[PageBytes, list[Cdr]]:
        part.planned = max(part.planned, number)
        page = await self._ahead.take(part.query, number)
        self._plan()
        return page, await structured(page)

    def _plan(self) -> None:
        """Start pages in the order in which they will be read, as long as there is room."""
        ahead = self._ahead
        for part, following in zip_longest(self._parts, islice(self._parts, 1, None)):
            first = None if part.known else ahead.peek(part.query, 1)
            if first is not None and first.total <= DEEP:
                part.learn(first.total, first.per_page)
            # The next part is opened early, so that it can be planned by the time this one is.
            near = part.known and part.last - part.planned < ahead.places
            if following is not None and not following.planned and near and ahead.places > 1 and ahead.room:
                following.planned = 1
                ahead.start(following.query, 1)
            while part.planned < part.last and ahead.room:
                part.planned += 1
                ahead.start(part.query, part.planned)
            if not part.known or part.planned < part.last:
                return
