"""Calls, some at once, to a file that is written in a thread."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing, asynccontextmanager
from functools import partial
from typing import Final, TypeVar

from ..models import Cdr
from ..stream import CdrStream

Write = Callable[[Sequence[Cdr]], object]
"""Writes some calls, and blocks meanwhile."""

AsyncWrite = Callable[[Sequence[Cdr]], Awaitable[object]]
"""Writes some calls without holding up the loop."""

_BATCH: Final = 1000  # calls that go to the thread at once, where the source has no pages
_R = TypeVar("_R")


@asynccontextmanager
async def in_threads(file: AbstractContextManager[Write]) -> AsyncGenerator[AsyncWrite]:
    """Open, write and finish a file in threads, so that the loop goes on meanwhile."""
    with ExitStack() as opened:  # after an error or a cancellation it is this that removes what was begun
        write = await finished(partial(opened.enter_context, file))
        yield lambda cdrs: finished(partial(write, cdrs))
        await finished(opened.close)


async def written(cdrs: AsyncIterable[Cdr], file: AbstractContextManager[Write]) -> int:
    number = 0
    async with in_threads(file) as write, aclosing(batches_of(cdrs)) as batches:
        async for batch in batches:
            await write(batch)
            number += len(batch)
    return number


async def batches_of(cdrs: AsyncIterable[Cdr]) -> AsyncGenerator[Sequence[Cdr]]:
    """The calls as they come, many at once."""
    if isinstance(cdrs, CdrStream):
        async with aclosing(cdrs.pages()) as pages:
            async for page in pages:
                yield page.cdrs
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
    """Await work in a thread. A cancellation comes through when the thread is done: it may be writing to a file."""
    # A bare future: the task of `asyncio.to_thread` is itself cancelled when `asyncio.run` ends.
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
