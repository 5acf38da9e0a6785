"""Several things at once, none of them left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from ._finish import finished

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all at once, and return their results in order. The first error cancels all others."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _end(tasks)


async def in_order(jobs: Iterable[Callable[[], Awaitable[object]]], *, at_once: int) -> None:
    """
    Run jobs, *at_once* of them at the same time, started in their order.

    If one fails, those after it are cancelled, those before it finish, and then its error is raised. So what has been
    done is the same as if the jobs had run one after the other.
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
