"""Lets Ctrl-C and SIGTERM end what blocks."""

import signal
from collections.abc import Generator
from contextlib import contextmanager


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
