"""When a feed polls: at its interval, at once when asked to, and less often while polls fail."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

_SHORTEST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(minutes=10)


class Rhythm:
    """
    The pauses between the polls of a feed.

    A poll that was asked for comes at once, but never within a second of the last one. After it the pauses are 1, 2,
    4 … seconds, up to the interval: what it was asked for may not be in the platform's list yet. Each failure doubles
    the pause, up to ten minutes, and the shortest pause as well.

    Args:
        interval: From the beginning of one poll to that of the next.
    """

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._shortest = min(_SHORTEST, interval)  # while polls are good
        self._gap = self._shortest  # from the last poll to one that is asked for
        self._pause = interval  # from the last poll to the next, if nobody asks
        self._last = 0.0  # the loop's time
        self._is_wanted = False  # a poll, at once
        self._was_wanted = False  # the poll under way
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    @property
    def pause(self) -> timedelta:
        """From the last poll to the next, as it looks at this moment."""
        return self._gap if self._is_wanted else self._pause

    def poll_now(self) -> None:
        """Ask for a poll, from any thread. A poll that is under way may have missed the reason: another one follows."""
        if self._is_wanted:
            return
        self._is_wanted = True
        if self._waiting is not None:
            loop, wanted = self._waiting
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(wanted.set)

    def begin(self) -> None:
        """Take note that a poll begins."""
        self._last = asyncio.get_running_loop().time()
        self._was_wanted, self._is_wanted = self._is_wanted, False

    def end(self, *, failed: bool) -> None:
        """Take note that the poll has ended."""
        if failed:
            self._last = asyncio.get_running_loop().time()
            self._pause = min(2 * self._pause, max(self._interval, _LONGEST))
            self._gap = min(2 * self._gap, self._pause)
            self._is_wanted |= self._was_wanted
        else:
            self._pause = self._shortest if self._was_wanted else min(2 * self._pause, self._interval)
            self._gap = self._shortest

    async def wait(self) -> None:
        """Wait until the next poll is due."""
        loop, wanted = asyncio.get_running_loop(), asyncio.Event()
        self._waiting = loop, wanted
        if not self._is_wanted:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._last + self._pause.total_seconds()):
                    await wanted.wait()
        if self._is_wanted:
            await asyncio.sleep(self._last + self._gap.total_seconds() - loop.time())
