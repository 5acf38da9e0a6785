"""Reading ahead: pages under way before anybody asks for them, bounded, and owned by somebody who ends them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from attrs import define, frozen

from .._wire.decoding import ALL
from .._wire.protocol import NoBodyError, PageBytes, without_frames
from .._wire.tasks import cancel, result_of
from ..models import CdrQuery
from .rows import Rows, rows_of
from .salvage import Place, Salvage

_COUNT: Final = 0  # in place of a page's number

Start = Callable[[CdrQuery, int, int], "asyncio.Task[PageBytes]"]
"""Begins to fetch one page of a query, of that many rows."""


@define
class _Request:
    task: "asyncio.Task[PageBytes]"
    counted: int  # the highest count of this query that had come when it was sent

    @property
    def page(self) -> PageBytes | None:
        """What has come; None if it has not."""
        task = self.task
        return None if not task.done() or task.cancelled() or task.exception() else task.result()


@frozen
class Answer:
    """
    A page that has come.

    Attributes:
        page: Its number.

        per_page: The size of a page, as the platform echoes it.

        total: The platform's count for the query.

        fell: Count or rows show fewer calls than had been counted before this page was asked for: some were removed.

        calls: Its rows.

        lost: Where it has rows that can't be read.

        is_patched: It was put together from smaller pages, which were cut at different moments: it proves nothing.
    """

    page: int
    per_page: int
    total: int
    fell: bool
    calls: Rows
    lost: Sequence[Place] = ()
    is_patched: bool = False

    @property
    def rows(self) -> int:
        """How many rows it has, readable or not."""
        return len(self.calls) + len(self.lost)


class Ahead:
    """
    Pages under way that nobody has read yet: at most *places*, whatever the reader does.

    A page that is finished but unread keeps its place, so memory is bounded by *places* pages.

    Args:
        start: Begins to fetch a page.

        places: The most pages under way or unread.

        per_page: How many rows to ask for.

    Attributes:
        columns: The fields that the reader wants at the moment.
    """

    def __init__(self, start: Start, places: int, *, per_page: int) -> None:
        self._start = start
        self.places: Final = places
        self._per_page = per_page
        self._requests: dict[tuple[CdrQuery, int, int], _Request] = {}
        self._counted: dict[CdrQuery, int] = {}
        self._closed = False
        self.columns = ALL

    def abandon(self) -> None:
        """Cancel everything, from any thread, without waiting for it: the session does."""
        self._closed = True
        for request in self._requests.values():
            loop = request.task.get_loop()
            if loop is _running_loop():
                request.task.cancel()
            else:  # garbage is collected in any thread, also after the loop has ended
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(request.task.cancel)

    @property
    def room(self) -> int:
        """How many more pages may be started."""
        return self.places - len(self._requests)

    def start(self, query: CdrQuery, page: int, *, rows: int = 0) -> None:
        """Have a page fetched, to be read later; of *rows* rows, if that is not what is asked for anyway."""
        rows = rows or self._per_page
        if (query, page, rows) not in self._requests:
            self._begin(query, page, rows)

    async def first(self, query: CdrQuery) -> None:
        """Have the first page of a query fetched, and nothing else, and wait until it is there to be read."""
        await self.discard()
        self.start(query, 1)
        await asyncio.wait([self._requests[query, 1, self._per_page].task])

    def start_all(self, pages: Iterable[tuple[CdrQuery, int]]) -> None:
        """Have pages fetched in this order, as long as there is room."""
        for query, page in pages:
            if self.room <= 0:
                return
            self.start(query, page)

    def _begin(self, query: CdrQuery, page: int, rows: int) -> None:
        if self._closed:
            raise RuntimeError("the stream was closed meanwhile")
        task = self._start(query, page or 1, rows)
        task.add_done_callback(partial(_note, self._counted, query))  # it must not keep this object alive
        self._requests[query, page, rows] = _Request(task, self._counted.get(query, 0))

    def peek(self, query: CdrQuery, page: int) -> PageBytes | None:
        """A page that was started, if it has come by now. It stays to be read."""
        request = self._requests.get((query, page, self._per_page))
        return None if request is None else request.page

    async def read(
        self, query: CdrQuery, page: int, *, size: int = 0, refill: Callable[[], None] = lambda: None
    ) -> Answer:
        """
        Wait for a page, free its place, and decode its rows. One that was not started is fetched now.

        A page that the platform can't encode is read in smaller ones, as far as that is possible.

        Args:
            query: The window.

            page: The number of the page.

            size: How many rows a full page has; 0 if that is not known.

            refill: Called when the page has come, to start others in its place.

        Raises:
            Infin8Error: The page could not be fetched or read.

            RuntimeError: The stream or its session was closed meanwhile.
        """
        try:
            return await self._read(query, page, self._per_page, size=size, refill=refill)
        except NoBodyError as error:
            failure = error
        answer = await self._salvage(query, page, size or await self._size_by_second_page(query), failure)
        refill()
        return answer

    async def count(self, query: CdrQuery) -> int:
        """Ask for nothing but the platform's count: one small request, or two if it can't encode the first row."""
        self._begin(query, _COUNT, 1)
        try:
            return (await self._take(query, _COUNT, 1)).total
        except NoBodyError:
            return (await self._read(query, 2, 1, size=1, refill=lambda: None)).total

    async def _read(self, query: CdrQuery, page: int, rows: int, *, size: int, refill: Callable[[], None]) -> Answer:
        self.start(query, page, rows=rows)
        request = self._requests[query, page, rows]
        taken = await self._take(query, page, rows)
        refill()
        calls = await rows_of(taken, self.columns)
        length = (page - 1) * size + len(calls) if len(calls) < size else taken.total  # as its rows show it
        fell = min(taken.total, length) < request.counted
        if fell:
            self._counted[query] = taken.total
        return Answer(taken.page, taken.per_page, taken.total, fell, calls)

    async def _salvage(self, query: CdrQuery, page: int, size: int, failure: NoBodyError) -> Answer:
        """Read a page in smaller ones. If they can't be read either, it was no row's fault: raise as without them."""
        salvage = Salvage(range((page - 1) * size, page * size), total=self._counted.get(query, 0))
        fell = False
        while salvage.pages:
            number, rows = salvage.pages[0]
            for ahead, _ in salvage.pages:
                if self.room > 0:
                    self.start(query, ahead, rows=rows)
            try:
                answer = await self._read(query, number, rows, size=rows, refill=lambda: None)
            except NoBodyError:
                salvage.failed()
            else:
                fell |= answer.fell
                salvage.came(await answer.calls.records(), answer.total)
                del answer
            if salvage.is_hopeless:
                raise without_frames(failure)
        total = salvage.total
        if total is None:
            elsewhere = 1 if page > 1 else 2  # a row that can be read shows that the platform answers at all
            try:
                total = (await self._read(query, elsewhere, 1, size=1, refill=lambda: None)).total
            except NoBodyError:
                raise without_frames(failure) from None
        lost = [Place(query, number) for number in salvage.lost]
        return Answer(page, size, total, fell, Rows(salvage.cdrs), lost, is_patched=True)

    async def _size_by_second_page(self, query: CdrQuery) -> int:
        """How many rows a full page has if the first one can't be read: a platform that caps pages echoes its cap."""
        self.start(query, 2)
        await asyncio.wait([self._requests[query, 2, self._per_page].task])
        second = self.peek(query, 2)
        return self._per_page if second is None else second.per_page

    async def _take(self, query: CdrQuery, page: int, rows: int) -> PageBytes:
        try:
            return await result_of(self._requests[query, page, rows].task, owner="stream or its session")
        finally:
            self._requests.pop((query, page, rows), None)

    async def aclose(self) -> None:
        """Cancel everything, and wait until it has ended. Nothing can be started any more."""
        self._closed = True
        await self.discard()

    async def discard(self, query: CdrQuery | None = None) -> None:
        """Cancel what was started for *query*, or everything, and was not read, and wait until it has ended."""
        keys = [key for key in self._requests if query in (None, key[0])]
        await cancel([self._requests.pop(key).task for key in keys])

    def forget(self, query: CdrQuery) -> None:
        """Forget the counts of a query that is not asked again."""
        self._counted.pop(query, None)


def _note(counted: dict[CdrQuery, int], query: CdrQuery, task: "asyncio.Task[PageBytes]") -> None:
    """Take note of the count in an answer as soon as it has come."""
    if not task.cancelled() and not task.exception():
        counted[query] = max(task.result().total, counted.get(query, 0))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
