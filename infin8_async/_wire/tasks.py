"""Tasks: to wait for one as its owner, and to end some for good."""

import asyncio
from collections.abc import Iterable
from typing import TypeVar

_T = TypeVar("_T")


async def result_of(task: "asyncio.Task[_T]", *, owner: str) -> _T:
    """
    Wait for a task, which is cancelled with its waiter.

    Raises:
        RuntimeError: Somebody else cancelled it: its *owner* was closed.
    """
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await cancel([task])
        raise
    if task.cancelled():
        raise RuntimeError(f"the {owner} was closed meanwhile")
    return task.result()


async def cancel(tasks: Iterable["asyncio.Task[object]"]) -> None:
    """Cancel tasks and wait until every one has ended, however it ends and however often the caller is cancelled."""
    pending = {task for task in tasks if not task.done()}
    for task in pending:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while pending:
        try:
            _, pending = await asyncio.wait(pending)
        except asyncio.CancelledError as error:  # a cancel scope of anyio cancels again at every wait
            cancelled = error
            pending = {task for task in pending if not task.done()}
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            del cancelled  # or it and this frame would hold each other
