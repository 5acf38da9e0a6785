"""Reading ahead: pages under way before anybody asks for them, bounded, and owned by somebody who ends them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from ._protocol import PageBytes, without_frames
from ._transport import cancel
from .errors import ResponseError
from .models import Cdr, CdrQuery

_PORTION: Final = 100  # rows structured before the host's loop gets its turn: about half a millisecond of work

Start = Callable[[CdrQuery, int], "asyncio.Task[PageBytes]"]
"""Begins to fetch one page of a query."""


class Ahead:
    """
    Pages under way that nobody has read yet: at most *places*, whatever the reader does.

    A page that is finished but unread keeps its place, so memory is bounded by *places* pages.
    """

    def __init__(self, start: Start, places: int) -> None:
        self._start = start
        self.places: Final = places
        self._tasks: dict[tuple[CdrQuery, int], asyncio.Task[PageBytes]] = {}

    def __del__(self) -> None:
        # A reader that broke off and let go of its stream wants no more of it. The session awaits what ends here.
        for task in self._tasks.values():
            task.cancel()

    @property
    def room(self) -> int:
        """How many more pages may be started."""
        return self.places - len(self._tasks)

    def start(self, query: CdrQuery, page: int) -> None:
        """Have a page fetched, to be taken later. Only where there is room."""
        self._tasks[query, page] = self._start(query, page)

    def peek(self, query: CdrQuery, page: int) -> PageBytes | None:
        """A page that was started, if it is there by now; it stays to be taken."""
        task = self._tasks.get((query, page))
        if task is None or not task.done() or task.cancelled() or task.exception():
            return None
        return task.result()

    async def take(self, query: CdrQuery, page: int) -> PageBytes:
        """
        Wait for a page and free its place; one that was not started is fetched now.

        Raises:
            Infin8Error: The page could not be had.

            RuntimeError: The stream or its session was closed meanwhile.
        """
        task = self._tasks.pop((query, page), None) or self._start(query, page)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            await cancel([task])
            raise
        if task.cancelled():
            raise RuntimeError("the stream or its session was closed while it was being read")
        return task.result()

    async def read(self, query: CdrQuery, page: int) -> tuple[PageBytes, list[Cdr]]:
        """Take a page and structure its rows."""
        taken = await self.take(query, page)
        return taken, await structured(taken)

    async def first_pages(self, queries: Sequence[CdrQuery]) -> AsyncGenerator[tuple[CdrQuery, PageBytes, list[Cdr]]]:
        """The first page of each query, in their order, read ahead."""
        started = 0
        for position, query in enumerate(queries):
            while started < len(queries) and self.room > 0:
                self.start(queries[started], 1)
                started += 1
            started = max(started, position + 1)
            page, cdrs = await self.read(query, 1)
            yield query, page, cdrs

    async def discard(self, query: CdrQuery) -> None:
        """Cancel what was started for *query* and not taken, and wait until it has ended."""
        await cancel([self._tasks.pop(key) for key in list(self._tasks) if key[0] == query])

    async def aclose(self) -> None:
        """Cancel what nobody has taken, and wait until it has ended."""
        tasks, self._tasks = self._tasks, {}
        await cancel(tasks.values())


async def structured(page: PageBytes) -> list[Cdr]:
    """
    The records of a page, in its order, made in small portions: the loop gets its turn between two of them.

    Raises:
        ResponseError: Names page, row and field of what can't be read.
    """
    rows = page.rows()
    cdrs: list[Cdr] = []
    for first in range(0, len(rows), _PORTION):
        if first:
            await asyncio.sleep(0)
        try:
            cdrs += page.structure(rows[first : first + _PORTION], first=first + 1)
        except ResponseError as error:
            failure = error
            break
    else:
        return cdrs
    del rows
    raise without_frames(failure)
