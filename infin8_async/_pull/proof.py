"""Proving a window: what its answers show, where they differ from what is known, and reading that by time."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from math import ceil
from typing import Final

from ..errors import PlatformError
from ..models import CdrQuery
from .ahead import Ahead, Answer
from .divide import around, cut, divide
from .doubt import Doubt
from .known import Known
from .pieces import Pieces, aim
from .planner import pages
from .rows import Rows
from .salvage import Place

_FEW_PAGES: Final = 4  # of known calls: reading them again is quicker than looking any closer
_ROUNDS: Final = 12  # through a piece of time that can't be divided and does not fit a page
_REQUESTS: Final = 256  # that reading by time may cost in any window
_REQUESTS_A_PAGE: Final = 40  # that it may cost for each page of known calls: a day is 17 halvings long


class Proof:
    """
    What is known of one window, and whether that is all.

    Args:
        query: The window.

        ahead: Fetches, within the bounds of the pull.

        known: What has been seen of the window; grows.

        size: How many rows a full page has.

        newest_first: The direction in which pieces of time are read.

        total: The platform's count with the first page.

    Attributes:
        known: What has been seen of it.

        total: The platform's newest count.

        fell: Calls were removed meanwhile. Numbers prove nothing then: a call that was read may be gone.

        unproven: What has to be proved still.

        lost: Where rows are that can't be read. Nobody knows which calls they are, so they are no known calls, and
            nothing that holds one is proven.
    """

    def __init__(
        self, query: CdrQuery, ahead: Ahead, known: Known, *, size: int, newest_first: bool, total: int
    ) -> None:
        self.known = known
        self.total = total
        self.fell = False
        self.unproven = [query]
        self.lost: set[Place] = set()
        self._query = query
        self._ahead = ahead
        self._size = size
        self._newest_first = newest_first
        self._doubt = Doubt()
        self._requests = 0

    @property
    def withheld(self) -> bool:
        """Whether the platform counts calls that it does not give."""
        return self._doubt.withheld

    async def look(self, window: CdrQuery) -> tuple[bool, list[Rows]]:
        """
        Read the page on which the known calls of a window end.

        The window is proved if count, rows and known calls agree: all there are are known, and none has come between
        the count and the rows. Unless calls were removed: then a known one may be gone, and an unknown one may be in
        its place.

        Returns:
            Whether that proves the window, and the calls that were not known. If rows of it can't be read, nothing
            proves it: then whether they and the known calls are as many as are counted.
        """
        found: list[Rows] = []
        while True:
            known = self._known_in(window)[1] + self._lost_in(window)
            number = self._end_of(window)
            at_the_end = known == (number - 1) * self._size > 0  # the page begins where the calls end
            try:
                answer = await self._ask(window, number)
            except PlatformError:
                if not at_the_end:
                    raise
                return await self._ahead.count(window) == known and not self.fell, found
            rows, total = answer.rows, answer.total
            calls = self.known.admit(answer.calls, window=window)
            found.append(calls)
            if calls and rows == self._size and self._requests <= self._allowance:
                continue  # the list is longer than it was counted
            if window == self._query:
                self.lost.update(answer.lost)
            length = (number - 1) * self._size + rows
            if at_the_end and not calls and (rows == self._size or rows == total == 0):
                # It gives another page in place of this one, or no count.
                length = total = await self._ahead.count(window)
            least, most = self._known_in(window)
            self.fell |= answer.fell or min(total, length) < least
            if window == self._query:
                self.total = total
            lost = self._lost_in(window)
            accounted_for = least + lost == most + lost == total == length and (rows < self._size or at_the_end)
            return accounted_for and not self.fell and (lost > 0 or not answer.is_patched), found

    async def repair(self) -> AsyncGenerator[Rows]:
        """Find the calls that were missed in what is unproven, in no particular order."""
        unproven, self.unproven = self.unproven, []
        differing: list[CdrQuery] = []
        async with aclosing(self._find_differing(unproven, differing)) as batches:
            async for calls in batches:
                yield calls
        for windows in (differing, unproven):
            # If calls were removed, what was proved by numbers has to be read as well.
            if windows is differing or self.fell:
                windows.sort(key=lambda window: window.ends, reverse=self._newest_first)
                counted = [(window, self.known.count(window)[1]) for window in windows]
                async with aclosing(self.read(counted)) as batches:
                    async for calls in batches:
                        yield calls
        if not self.known.rule.possible:
            self.unproven.clear()
            async with aclosing(self._read_tight(self._query)) as batches:
                async for calls in batches:
                    yield calls

    async def _find_differing(self, pending: list[CdrQuery], differing: list[CdrQuery]) -> AsyncGenerator[Rows]:
        """
        Halve what is unproven, again and again, and look at both halves at once.

        Args:
            pending: Where to look.

            differing: Takes the windows that are small enough to be read and could not be proved by looking.
        """
        asked = False
        while pending and not self.fell and self.known.rule.possible:
            small, looks, halves, unclear = self._sorted_out(pending)
            if unclear and not asked:
                # Calls in progress at a border tell which of their times the platform compares.
                asked = True
                async with aclosing(
                    self.read([(piece, 0) for piece in self._around_the_middle(unclear[0])])
                ) as batches:
                    async for calls in batches:
                        yield calls
                continue
            differing += small
            for window in unclear:
                halves += self._halves(window)
            self._ahead.start_all((window, self._end_of(window)) for window in looks)
            for window in looks:
                proven, found = await self.look(window)
                for calls in found:
                    yield calls
                if not proven:
                    halves += self._halves(window)
            pending = halves

    def _sorted_out(self, windows: Iterable[CdrQuery]) -> tuple[list[CdrQuery], ...]:
        """Windows that are small, that can be looked at, halves of what was looked at, and windows of unclear count."""
        small: list[CdrQuery] = []
        looks: list[CdrQuery] = []
        halves: list[CdrQuery] = []
        unclear: list[CdrQuery] = []
        for window in windows:
            least, most = self.known.count(window)
            if most < _FEW_PAGES * self._size or not self._halves(window):
                small.append(window)
            elif window == self._query:
                halves += self._halves(window)
            else:
                (looks if least == most else unclear).append(window)
        return small, looks, halves, unclear

    def _halves(self, window: CdrQuery) -> Sequence[CdrQuery]:
        return cut(window, self.known.middle(window)) or ()

    def _around_the_middle(self, window: CdrQuery) -> list[CdrQuery]:
        """Two pieces of about half a page, on either side of the border of a window's halves."""
        older, newer = self._halves(window)
        start, end = window.ends
        return around(older, newer, (end - start) * aim(self._size) / (2 * self.known.count(window)[1]))

    async def read(self, windows: Iterable[tuple[CdrQuery, float]]) -> AsyncGenerator[Rows]:
        """
        Read windows, each given with the calls that it is thought to hold, in pieces of time.

        One answer that is not full shows all of a piece, and is its proof. What can't be proved is noted as unproven.
        """
        pieces = Pieces(windows, size=self._size, newest_first=self._newest_first)
        while upcoming := pieces.next(self._ahead.places):
            piece = upcoming[0]
            self._ahead.start_all((ahead, 1) for ahead in upcoming)
            answer = await self._ask(piece, 1)
            rows, total, is_patched = answer.rows, answer.total, answer.is_patched
            if rows < self._size:
                self.lost.update(answer.lost)
            calls = self.known.admit(answer.calls, window=piece)
            del answer
            yield calls
            del calls
            if not self.known.rule.possible or self._requests > self._allowance:
                # The platform goes by none of these times, or leads nowhere.
                self.unproven.append(self._query)
                break
            if rows >= self._size:
                if len(parts := divide(piece, max(2, ceil(total / aim(self._size))))) > 1:
                    pieces.replace(parts)
                    continue
                async with aclosing(self._read_tight(piece)) as batches:
                    async for calls in batches:
                        yield calls
            elif (wait := self._doubt.wait(total, rows)) is not None:
                await asyncio.sleep(wait)
                continue
            if is_patched:
                self.unproven.append(piece)
            pieces.done(rows)
            self._ahead.forget(piece)
        for piece in upcoming:
            await self._ahead.discard(piece)

    async def _read_tight(self, piece: CdrQuery) -> AsyncGenerator[Rows]:
        """Read by place what can't be divided and does not fit a page, again and again until it is proved."""
        found: set[int] = set()
        for _ in range(_ROUNDS):
            number, last, rows = 0, 1, self._size
            lost: set[Place] = set()
            while rows == self._size:
                number += 1
                if self._requests > self._allowance:
                    self.unproven.append(piece)
                    return
                self._ahead.start_all(
                    (piece, ahead) for ahead in range(number, min(last, number + self._ahead.places) + 1)
                )
                answer = await self._ask(piece, number)
                if answer.fell:
                    found.clear()
                found.update(answer.calls.ids)
                lost.update(answer.lost)
                rows, total = answer.rows, answer.total
                last = pages(total, self._size)
                yield self.known.admit(answer.calls, window=piece)
            await self._ahead.discard(piece)
            if len(found) + len(lost) == total == (number - 1) * self._size + rows:
                if lost or answer.is_patched:
                    break
                return
            if len(found) > total:
                found.clear()  # some of them are gone
        self.lost |= lost
        self.unproven.append(piece)

    async def _ask(self, window: CdrQuery, number: int) -> Answer:
        self._requests += 1
        return await self._ahead.read(window, number, size=self._size)

    def _known_in(self, window: CdrQuery) -> tuple[int, int]:
        """The fewest and the most known calls there can be in the window or in a piece of it."""
        known = len(self.known.ids)
        return (known, known) if window == self._query else self.known.count(window)

    def _end_of(self, window: CdrQuery) -> int:
        """The number of the page on which the known calls of a window end."""
        return (self._known_in(window)[1] + self._lost_in(window)) // self._size + 1

    def _lost_in(self, window: CdrQuery) -> int:
        """How many rows of the window can't be read. In which piece of it they are is not known."""
        return len(self.lost) if window == self._query else 0

    @property
    def accounted_for(self) -> int:
        """How many rows of the window are known, or known to be unreadable."""
        return len(self.known.ids) + len(self.lost)

    @property
    def _allowance(self) -> int:
        return _REQUESTS + _REQUESTS_A_PAGE * pages(len(self.known.ids), self._size)
