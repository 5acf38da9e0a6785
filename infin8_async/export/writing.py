"""Writes calls to a file in a thread, while the next ones are read."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar

from ..models import Cdr, CdrPage
from ..stream import CdrStream

Batch = Any
"""Some calls: a sequence of them, or a `pyarrow.RecordBatch`, which has no types."""

Read = Callable[[CdrStream], AsyncGenerator[Batch]]
"""How a stream is read: `CdrStream.pages`, `CdrStream.texts` or `CdrStream.arrow`."""

Write = Callable[[Sequence[Batch]], object]
"""Writes batches of calls, and blocks while it does."""

AsyncWrite = Callable[[Batch], Awaitable[object]]
"""Writes a batch of calls without blocking the event loop."""

_BATCH: Final = 1000  # calls in a batch, if the source has no pages
_R = TypeVar("_R")


class _Writer:
    """Gathers calls, and writes them in a thread while the next ones are read."""

    def __init__(self, write: Write, together: int) -> None:
        self._write = write
        self._together = together
        self._gathered: list[Batch] = []
        self._under_way: asyncio.Future[object] | None = None

    async def add(self, calls: Batch) -> None:
        self._gathered.append(calls)
        if sum(map(len, self._gathered)) >= self._together:
            await self._begin()

    async def flush(self) -> None:
        if self._gathered:
            await self._begin()
        await self.wait()

    async def wait(self) -> None:
        """Wait for the thread."""
        if self._under_way is not None:
            await _ended(self._under_way)

    async def _begin(self) -> None:
        await self.wait()
        gathered, self._gathered = self._gathered, []
        self._under_way = _begun(partial(self._write, gathered))


@asynccontextmanager
async def in_threads(file: AbstractContextManager[Write], *, together: int = 1) -> AsyncGenerator[AsyncWrite]:
    """
    Open, write and finish a file in threads, so that the event loop can go on.

    Writing goes on while the next calls are read. Its error is raised when they are written, or when the block is left.

    Args:
        file: Opens the file.

        together: How many calls are gathered before they are written. The last may be fewer.
    """
    with ExitStack() as opened:  # after an error or a cancellation, this removes what was begun
        writer = _Writer(await finished(partial(opened.enter_context, file)), together)
        try:
            yield writer.add
            await writer.flush()
        finally:
            with suppress(Exception):  # it is raised already, or another error is
                await writer.wait()
        await finished(opened.close)


async def written(batches: AsyncGenerator[Batch], file: AbstractContextManager[Write], *, together: int = 1) -> int:
    """Write all calls to a file as `in_threads` does, and return their number."""
    number = 0
    async with in_threads(file, together=together) as write, aclosing(batches):
        async for batch in batches:
            await write(batch)
            number += len(batch)
    return number


async def batches_of(cdrs: AsyncIterable[Cdr], read: Read = CdrStream.pages) -> AsyncGenerator[Batch]:
    """
    The calls in batches: the pages of a stream, else up to 1,000 calls each.

    Args:
        cdrs: The calls.

        read: How they are read if they are a stream.
    """
    if isinstance(cdrs, CdrStream):
        async with aclosing(read(cdrs)) as pages:
            async for page in pages:
                yield page.cdrs if isinstance(page, CdrPage) else page
        return
    batch: list[Cdr] = []
    async for cdr in cdrs:
        batch.append(cdr)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def finished(work: Callable[[], _R]) -> _R:
    """Run work in a thread. A cancellation waits until the thread is done: it may be writing to a file."""
    return await _ended(_begun(work))


def _begun(work: Callable[[], _R]) -> "asyncio.Future[_R]":
    # Not `asyncio.to_thread`: its task would be cancelled, too, when `asyncio.run` ends.
    return asyncio.get_running_loop().run_in_executor(None, work)


async def _ended(done: "asyncio.Future[_R]") -> _R:
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait((done,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        done.exception()
        raise cancelled
    return done.result()
