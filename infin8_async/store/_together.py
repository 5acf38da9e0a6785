"""Several things at once, none of them left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from ._finish import finished

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all at once, and give what they give, in their order. The first error ends all others."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _end(tasks)


async def in_order(jobs: Iterable[Callable[[], Awaitable[object]]], *, at_once: int) -> None:
    """
    Do jobs, at most so many at once, started in their order.

    If one fails, those that come after it are ended, those before it are not: then its error is raised. So what was
    done is what would have been done one after the other.
    """
    waiting = iter(jobs)
    running: list[asyncio.Future[object]] = []
    failure: BaseException | None = None
    try:
        while True:
            while failure is None and len(running) < at_once and (job := next(waiting, None)) is not None:
                running.append(asyncio.ensure_future(job()))
            if not running:
                break
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            failed = next((task for task in running if task.done() and task.exception() is not None), None)
            if failed is not None:
                failure = failed.exception()
                place = running.index(failed)
                await _end(running[place + 1 :])
                del running[place:]
            running = [task for task in running if not task.done()]
    finally:
        await _end(running)
    if failure is not None:
        raise failure


async def _end(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    """Cancel what is under way, and wait until it has ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await finished(_ended(tasks))


async def _ended(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
