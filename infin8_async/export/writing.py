"""Writes calls to a file in a thread, a batch at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, aclosing, asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

from ..models import Cdr, CdrPage
from ..stream import CdrStream

Batch = Any
"""Some calls: a sequence of records, or a `pyarrow.RecordBatch`, which has no types."""

Write = Callable[[Batch], object]
"""Writes a batch of calls, and blocks while it does."""

AsyncWrite = Callable[[Batch], Awaitable[object]]
"""Writes a batch of calls without blocking the event loop."""

_BATCH: Final = 1000  # calls in a batch, if the source has no pages
_R = TypeVar("_R")


@asynccontextmanager
async def in_threads(file: AbstractContextManager[Write]) -> AsyncGenerator[AsyncWrite]:
    """Open, write and finish a file in threads, so that the event loop can go on."""
    with ExitStack() as opened:  # after an error or a cancellation, this removes what was begun
        write = await finished(partial(opened.enter_context, file))
        yield lambda cdrs: finished(partial(write, cdrs))
        await finished(opened.close)


async def written(cdrs: AsyncIterable[Cdr], file: AbstractContextManager[Write], *, columns: bool = False) -> int:
    """Write all calls to a file, and return their number. If *columns*, it takes those of a stream."""
    number = 0
    async with in_threads(file) as write, aclosing(batches_of(cdrs, columns=columns)) as batches:
        async for batch in batches:
            await write(batch)
            number += len(batch)
    return number


async def batches_of(cdrs: AsyncIterable[Cdr], *, columns: bool = False) -> AsyncGenerator[Batch]:
    """
    The calls in batches: the pages of a stream, else up to 1,000 calls each.

    Args:
        cdrs: The calls.

        columns: Whether a stream is to give columns instead of records, which is several times as fast.
    """
    if isinstance(cdrs, CdrStream):
        async with aclosing(cdrs.arrow() if columns else cdrs.pages()) as pages:
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
    # Not `asyncio.to_thread`: its task would be cancelled, too, when `asyncio.run` ends.
    done = asyncio.get_running_loop().run_in_executor(None, work)
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
