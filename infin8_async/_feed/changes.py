"""Find where a window has changed since it was read, with few counts. This awaits them; `Memory` decides."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve

from .._pull.divide import SECOND, cut
from .._wire.tasks import cancel
from ..models import CdrQuery
from .memory import Memory

_FURTHER: Final = (1.0, 1.5, 3.0)  # times as far back as new calls are expected: where they are looked for first
_FEW_PAGES: Final = 4  # of known calls: to read them again is quicker than to look any closer
_MOST_PIECES: Final = 16  # that are looked at more closely at once
_FORGETTING: Final = 0.8  # from one poll to the next, of how far back new calls were found


class Changes:
    """
    Finds the pieces of a window in which the platform's count does not match the known calls.

    Args:
        memory: What is known.

        count: Asks for the platform's count of a window.

        read: Reads a window, and tells the memory.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        count: Callable[[CdrQuery], Awaitable[int]],
        read: Callable[[CdrQuery], Awaitable[object]],
    ) -> None:
        self._memory = memory
        self._count = count
        self._read = read
        self._size = 0
        self._reach = timedelta()  # how long before a poll calls were dialled that appeared after it
        self._near = timedelta()  # how far back looking costs next to nothing

    def adapt(self, since: datetime | None, oldest: datetime | None) -> None:
        """
        Expect new calls as far back as they were found. One late call can at most double that distance.

        Args:
            since: When the last poll was; None if there was none.

            oldest: The earliest time of the calls that appeared after it; None if none did.
        """
        late = timedelta() if since is None or oldest is None else since - oldest
        self._reach = max(self._reach * _FORGETTING, min(late, 2 * max(self._reach, self._near)))

    async def find(self, window: CdrQuery, *, since: datetime | None, size: int) -> list[CdrQuery]:
        """
        Find the pieces of a window in which something has changed.

        What is new is mostly near the end. So the end is read, and the rest is counted: if the platform counts in it
        what is known of it, that is all. If not, the change is looked for a little further back, then everywhere.

        Args:
            window: From the start to the present.

            since: When it was read last; None if never.

            size: Rows on a full page.
        """
        memory, self._size = self._memory, size
        if since is None or memory.blind or not size:
            return [window]  # nothing is known that counts could be compared with
        start, end = window.ends
        self._near = end - memory.newest(size // 2)
        length = max(end - since + self._reach / _FORGETTING, self._near) + SECOND
        newest, differing, excess = window, None, None
        for factor in _FURTHER:
            rest = evolve(window, endtime=memory.end_near(end - min(end - start, length * factor)))
            border = max(start, rest.ends[1] - SECOND)  # whichever bounds the platform includes
            if memory.count(rest)[1] <= size // 2:
                return [window]
            if differing is None:
                newest = evolve(window, starttime=border)
                await self._resolve_doubt(rest)
            counted = await self._count(rest)
            if memory.agrees(rest, counted):
                if differing is None:
                    return [newest]
                differing = evolve(differing, starttime=border)
                break
            if differing is None:
                differing, excess = rest, memory.excess(rest, counted)
        return [window] if differing is None else [*await self._differing(differing, excess), newest]

    async def _resolve_doubt(self, rest: CdrQuery) -> None:
        """If it is in doubt how many known calls there are in a piece, learn it from about half a page at its end."""
        fewest, most = self._memory.count(rest)
        if fewest < most:
            await self._read(evolve(rest, starttime=self._memory.piece_before(rest.ends[1], self._size // 2)))

    async def _differing(self, piece: CdrQuery, excess: int | None) -> list[CdrQuery]:
        """
        Halve a piece again and again, to find where the platform's count does not match the known calls.

        Args:
            piece: Where to look.

            excess: How many more calls the platform counts in it than are known; None if that is in doubt.

        Returns:
            Pieces of a few pages each.
        """
        memory, small, large = self._memory, list[CdrQuery](), [(piece, excess)]
        while large and len(small) + len(large) <= _MOST_PIECES:
            halved: list[tuple[CdrQuery, CdrQuery, int | None]] = []
            for half, more in large:
                parts = cut(half, memory.end_near(memory.middle(half)))
                if parts is None or memory.count(half)[1] <= _FEW_PAGES * self._size:
                    small.append(half)
                else:
                    halved.append((*parts, more))
            counts = await self._counts(older for older, _, _ in halved)
            large = []
            for (older, newer, more), counted in zip(halved, counts, strict=True):
                before = memory.excess(older, counted)
                after = None if before is None or more is None else more - before
                large += [(half, excess) for half, excess in ((older, before), (newer, after)) if excess != 0]
        return small + [half for half, _ in large]

    async def _counts(self, windows: Iterable[CdrQuery]) -> list[int]:
        tasks = [asyncio.ensure_future(self._count(window)) for window in windows]
        try:
            return await asyncio.gather(*tasks)
        finally:
            await cancel(tasks)
