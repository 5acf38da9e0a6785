"""When a feed polls: at its interval, at once when asked to, and less often while polls fail."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from math import inf
from typing import Final

_SHORTEST: Final = 1.0  # seconds
_LONGEST: Final = 600.0


class Rhythm:
    """
    The pauses between the polls of a feed.

    A poll that was asked for comes at once, unless the last such poll was less than a second ago. After it the pauses
    are 1, 2, 4 … seconds, up to the interval: what it was asked for may not be in the platform's list yet. All these
    polls together are one a second, with one in reserve, so that a follow-up delays nobody who asks right after it.

    Each failure doubles the pause, up to ten minutes, and that second as well.

    Args:
        interval: From the beginning of one poll to that of the next.
    """

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval.total_seconds()
        self._shortest = min(_SHORTEST, self._interval)  # while polls are good
        self._gap = self._shortest  # between polls that are asked for
        self._pause = self._interval  # from the last poll to the next, if nobody asks
        self._last = self._last_wanted = self._used = -inf  # the loop's time
        self._is_wanted = False  # a poll, at once
        self._was_wanted = False  # the poll under way
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    @property
    def pause(self) -> timedelta:
        """From the last poll to the next, as it looks at this moment."""
        return timedelta(seconds=self._gap if self._is_wanted else self._pause)

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
        if self._is_wanted:
            self._last_wanted = self._last
        if self._is_wanted or self._pause < self._interval:
            self._used = max(self._used, self._last) + self._gap
        self._was_wanted, self._is_wanted = self._is_wanted, False

    def end(self, *, failed: bool) -> None:
        """Take note that the poll has ended."""
        if failed:
            self._last = self._last_wanted = asyncio.get_running_loop().time()
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
                async with asyncio.timeout_at(self._last + self._pause):
                    await wanted.wait()
        if self._is_wanted:
            await asyncio.sleep(max(self._last_wanted, self._used - 2 * self._gap) + self._gap - loop.time())
