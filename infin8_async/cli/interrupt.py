"""Ctrl-C, and SIGTERM that does the same."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType


def as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """A handler for a signal that does what Ctrl-C would do, even where Ctrl-C is ignored."""
    interrupt = signal.getsignal(signal.SIGINT)
    with suppress(RuntimeError):  # no loop is running
        loop = asyncio.get_running_loop()
        if interrupt is not signal.default_int_handler:  # `interruptible` code blocks the loop otherwise
            # The loop has to call asyncio's handler: to cancel a task in the middle of what the loop does may break it.
            # In the background of a script Ctrl-C is ignored, and has no handler.
            handler = interrupt if callable(interrupt) else signal.default_int_handler
            loop.call_soon_threadsafe(handler, number, frame)
            return
    signal.default_int_handler(number, frame)


@contextmanager
def interruptible() -> Generator[None]:
    """
    End the block with a `KeyboardInterrupt` when Ctrl-C or SIGTERM comes, even if it blocks the event loop.

    asyncio's own handler cancels the task, which then has to wait for what blocks, such as a question to the user.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
