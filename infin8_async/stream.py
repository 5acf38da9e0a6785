"""What a reader holds: the stream of calls of one pull, and its report."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence, Sized
from functools import partial
from itertools import islice
from operator import length_hint
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from ._arrow import call_schema
from ._pull.rows import Rows
from ._pull.scan import Scan
from ._reader import OneReader, Reading
from ._wire.decoding import ALL, Documented
from ._wire.transport import Tally
from .models import Cdr, CdrPage, window_text

if TYPE_CHECKING:
    from pyarrow import RecordBatch

_Page = TypeVar("_Page", bound=Sized)


@frozen(kw_only=True)
class StreamReport:
    """
    How a pull stands, at the moment it was asked for.

    Attributes:
        expected: The platform's count when the pull began.

        received: Distinct rows handed on.

        duplicates: Rows that came again, as new calls pushed them onto a later page, and were dropped.

        recovered: Rows that were missed by page numbers and found by repair.

        requests: Every HTTP request.

        retries: Those among them that repeat a failed one.

        complete: Every row that was there from the pull's beginning to its end was handed on. False until the end, and
            if nothing proves it.

        certified: The platform, asked for its count after the last row had been read, counted exactly the rows handed
            on. False until the end. While calls still arrive a pull is normally complete and not certified.

    Both hold on a platform that counts at one moment and reads rows at another, whichever time of a call it compares.
    No number shows that a call was removed and another added between two answers: that can't be ruled out.
    """

    expected: int
    received: int
    duplicates: int
    recovered: int
    requests: int
    retries: int
    complete: bool
    certified: bool


class CdrStream(Reading[Cdr]):
    """
    The calls that answer a query: a one-shot asynchronous iterator of `Cdr`, in the platform's order.

    Made by `Infin8Session.cdrs`. Nothing is requested before the first call is asked for. It has one reader: iterating
    again goes on where it stopped. `async with` stops everything the moment the block is left; without it, what is
    under way after a `break` (never more than the session's *concurrency* pages) ends with the session.

    An error is raised after every row of the pages before it was given, and ends the stream, as does the cancellation
    of the reader. Reading on after that is a `RuntimeError`, so that it can't be mistaken for the end of the calls.
    """

    def __init__(self, scan: Scan, tally: Tally) -> None:
        self._scan = scan
        self._tally = tally
        self._pages: AsyncGenerator[Rows] = scan.pages()
        self._rows: Iterator[Cdr] = iter(())
        self._handed = 0
        self._made = 0  # rows that became what the reader wants
        self._reader = OneReader("stream", scan.aclose)

    def __del__(self) -> None:
        self._scan.abandon()  # nobody can read it any more

    def __repr__(self) -> str:
        counted = "" if self.total is None else f" of {self.total}"
        return (
            f"<CdrStream {window_text(self._scan.query)}: {self.report.received}{counted} calls, {self._reader.state}>"
        )

    async def __anext__(self) -> Cdr:
        for cdr in self._rows:
            return cdr
        self._rows = iter(await self._next_page(Rows.records) or ())
        for cdr in self._rows:
            return cdr
        raise StopAsyncIteration

    async def pages(self) -> AsyncGenerator[CdrPage]:
        """
        The same pull page by page, never an empty page.

        Pages are numbered from 1 as they are handed on; what the calls of a page already read one by one are not given
        again. `total` is the pull's newest, `per_page` the size of the platform's pages.
        """
        while cdrs := await self._next_page(Rows.records):
            yield CdrPage(tuple(cdrs), self._handed, self._scan.size, self._scan.total or 0)

    async def arrow(self, *, columns: Sequence[str] | None = None) -> "AsyncGenerator[RecordBatch]":
        """
        The same pull as `pyarrow.RecordBatch`es, never an empty one, made without a `Cdr` for each call.

        They have the columns of `infin8_async.export.to_arrow`. What the calls of a page already read one by one are
        not given again. Needs `infin8-async[arrow]`.

        Args:
            columns: The names of the columns to make; None for all. Other fields are not read, so that nothing is
                wrong with a row because of them.

        Raises:
            ImportError: pyarrow is missing. Nothing has been read.

            ValueError: There is no such column; or a number of more than 64 bits, or half a character: then the message
                names the call and the field.
        """
        schema = await asyncio.to_thread(call_schema, columns)  # the import of pyarrow takes its time
        names = frozenset(schema.names)
        while batch := await self._next_page(partial(Rows.batch, schema=schema), names):
            yield batch

    async def texts(self) -> AsyncGenerator[Sequence[Documented | Cdr]]:
        """The same pull for `to_jsonl` and `to_csv`, a page at a time: see `Rows.texts`."""
        while rows := await self._next_page(Rows.texts):
            yield rows

    async def collect(self, limit: int | None = None) -> list[Cdr]:
        """
        Read the calls into a list.

        Args:
            limit: The most calls to read. The stream can be read on after them.
        """
        if limit is not None and limit < 0:
            raise ValueError(f"limit must not be negative, not {limit}")
        cdrs: list[Cdr] = []
        while True:
            cdrs += islice(self._rows, None if limit is None else limit - len(cdrs))
            if len(cdrs) == limit or not (page := await self._next_page(Rows.records)):
                return cdrs
            self._rows = iter(page)

    @property
    def total(self) -> int | None:
        """The platform's newest count for the whole query; None before the first page is in."""
        return self._scan.total

    @property
    def report(self) -> StreamReport:
        """How the pull stands at this moment."""
        scan = self._scan
        return StreamReport(
            expected=scan.expected,
            received=self._made - length_hint(self._rows),
            duplicates=scan.duplicates,
            recovered=scan.recovered,
            requests=self._tally.requests,
            retries=self._tally.retries,
            complete=scan.complete,
            certified=scan.certified,
        )

    async def aclose(self) -> None:
        """Stop the pull: cancel every request under way and wait until it has ended. Also what `async with` does."""
        self._reader.close()
        self._made -= length_hint(self._rows)
        self._rows = iter(())
        await self._scan.aclose()
        if not self._reader.reading:
            await self._pages.aclose()

    async def _next_page(self, make: Callable[[Rows], Awaitable[_Page]], columns: frozenset[str] = ALL) -> _Page | None:
        """
        What is made of the rows of the next page, or first of what is left of a page that was read call by call.

        Args:
            make: Makes it.

            columns: The fields that it needs.

        Returns:
            None if there are no more.
        """

        async def step() -> _Page:
            if left := list(self._rows):
                self._made -= len(left)
                return await make(Rows(left))
            self._scan.expect(columns)
            rows = await anext(self._pages)
            self._handed += 1
            return await make(rows)

        try:
            page = await self._reader.read(step)
        except StopAsyncIteration:
            return None
        self._made += len(page)
        return page
