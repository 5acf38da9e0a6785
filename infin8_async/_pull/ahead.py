"""Reading ahead: pages under way before anybody asks for them, bounded, and owned by somebody who ends them."""

import asyncio
from collections.abc import Callable
from typing import Final

from attrs import define, frozen

from .._protocol import PageBytes, without_frames
from .._transport import cancel
from ..errors import ResponseError
from ..models import Cdr, CdrQuery

_PORTION: Final = 100  # rows structured before the host's loop gets its turn: about half a millisecond of work

Start = Callable[[CdrQuery, int], "asyncio.Task[PageBytes]"]
"""Begins to fetch one page of a query."""


@define
class _Request:
    task: "asyncio.Task[PageBytes]"
    counted: int  # the highest count of this query that had come when it was sent


@frozen
class Answer:
    """
    A page that has come.

    Attributes:
        page: Its number.

        per_page: The size of a page, as the platform echoes it.

        total: The platform's count for the query.

        fell: Count or rows show fewer calls than had been counted before this page was asked for: some were removed.

        cdrs: Its rows.
    """

    page: int
    per_page: int
    total: int
    fell: bool
    cdrs: list[Cdr]


class Ahead:
    """
    Pages under way that nobody has read yet: at most *places*, whatever the reader does.

    A page that is finished but unread keeps its place, so memory is bounded by *places* pages.
    """

    def __init__(self, start: Start, places: int) -> None:
        self._start = start
        self.places: Final = places
        self._requests: dict[tuple[CdrQuery, int], _Request] = {}
        self._counted: dict[CdrQuery, int] = {}

    def __del__(self) -> None:
        # A reader that broke off and let go of its stream wants no more of it. The session awaits what ends here.
        # Garbage is collected in any thread, also after the loop has ended.
        for request in self._requests.values():
            if not (loop := request.task.get_loop()).is_closed():
                loop.call_soon_threadsafe(request.task.cancel)

    @property
    def room(self) -> int:
        """How many more pages may be started."""
        return self.places - len(self._requests)

    def start(self, query: CdrQuery, page: int) -> None:
        """Have a page fetched, to be read later."""
        if (query, page) not in self._requests:
            self._requests[query, page] = _Request(self._start(query, page), self._counted.get(query, 0))

    def peek(self, query: CdrQuery, page: int) -> PageBytes | None:
        """A page that was started, if it has come by now. It stays to be read."""
        request = self._requests.get((query, page))
        if request is None or not request.task.done() or request.task.cancelled() or request.task.exception():
            return None
        return request.task.result()

    async def read(self, query: CdrQuery, page: int, *, size: int = 0) -> Answer:
        """
        Wait for a page, free its place, and make records of its rows. One that was not started is fetched now.

        Args:
            query: The window.

            page: The number of the page.

            size: How many rows a full page has; 0 if that is not known.

        Raises:
            Infin8Error: The page could not be fetched or read.

            RuntimeError: The stream or its session was closed meanwhile.
        """
        self.start(query, page)
        request = self._requests[query, page]
        try:
            await asyncio.wait([request.task])
        except asyncio.CancelledError:
            await cancel([request.task])
            raise
        finally:
            self._requests.pop((query, page), None)
        if request.task.cancelled():
            raise RuntimeError("the stream or its session was closed while it was being read")
        taken = request.task.result()
        cdrs = await structured(taken)
        length = (page - 1) * size + len(cdrs) if len(cdrs) < size else taken.total  # as its rows show it
        fell = min(taken.total, length) < request.counted
        self._counted[query] = taken.total if fell else max(taken.total, self._counted.get(query, 0))
        return Answer(taken.page, taken.per_page, taken.total, fell, cdrs)

    async def discard(self, query: CdrQuery | None = None) -> None:
        """Cancel what was started for *query*, or everything, and was not read, and wait until it has ended."""
        keys = [key for key in self._requests if query in (None, key[0])]
        await cancel([self._requests.pop(key).task for key in keys])

    def forget(self, query: CdrQuery) -> None:
        """Forget the counts of a query that is not asked again."""
        self._counted.pop(query, None)


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
