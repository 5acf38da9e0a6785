"""How many requests may be in flight, and how close together: learned from the answers, for a whole session."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiolimiter import AsyncLimiter

log: Final = logging.getLogger("infin8_async")

_STEP: Final = 0.1  # requests a second by which each good answer quickens a pace that was slowed down
_SLOWER: Final = 0.7  # of the rate until now, and of the rate that was let through, after a refusal
_LONGEST_INTERVAL: Final = 10.0  # seconds between two requests at the slowest
_SHORTEST_LOOK: Final = 0.001  # seconds over which a rate can be told
_RETRIES: Final = 40  # that may come at once; after them a platform that is down gets a trickle
_RETRIES_A_SECOND: Final = 2


class Pace:
    """
    The budgets that all streams of a session share.

    *concurrency* is the ceiling. A sign of trouble halves the number in flight, once for all requests that were on
    their way at that moment; each round of good answers adds one again. A refusal for too many requests also spaces
    them: at first below the rate that was let through in the last second, then closer with every good answer. While
    the platform asks for a pause, nothing starts.

    Args:
        concurrency: The most requests in flight.

        max_rate: Requests a second at the most; None for no such limit.
    """

    def __init__(self, concurrency: int, max_rate: float | None) -> None:
        self._ceiling = concurrency
        self._allowed = float(concurrency)
        self._permits = asyncio.Semaphore(concurrency)
        self._withheld = 0  # permits kept back while fewer than the ceiling are allowed
        self._troubles = 0  # how often the number was lowered
        self._max_rate = AsyncLimiter(1, 1 / max_rate) if max_rate else None
        self._retries = AsyncLimiter(_RETRIES, _RETRIES / _RETRIES_A_SECOND)
        self._interval = 0.0
        self._next_start = 0.0
        self._passed: deque[float] = deque()  # when the good answers of the last second came

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """
        Wait for a place, hold it, and give it back.

        Yields:
            A mark of this moment, for `trouble`.
        """
        await self._permits.acquire()
        try:
            if self._max_rate is not None:
                await self._max_rate.acquire()
            await self._wait_for_start()
            yield self._troubles
        finally:
            if self._ceiling - self._withheld > int(self._allowed):
                self._withheld += 1
            else:
                self._permits.release()

    async def retry(self) -> None:
        """Wait until one more retry may be made, while no place is held."""
        await self._retries.acquire()

    def good(self) -> None:
        """Take note of an answer as it should be."""
        now = asyncio.get_running_loop().time()
        self._passed.append(now)
        self._forget_before(now - 1)
        if self._interval:
            self._interval = 1 / (1 / self._interval + _STEP)
        self._allowed = min(self._ceiling, self._allowed + 1 / self._allowed)
        while self._withheld and self._ceiling - self._withheld < int(self._allowed):
            self._withheld -= 1
            self._permits.release()

    def trouble(self, mark: int, *, too_many: bool, pause: float) -> None:
        """
        Take note of a sign of trouble.

        Args:
            mark: What `turn` gave; troubles of requests that were already on their way count once.

            too_many: Whether the platform says that requests come too fast.

            pause: Seconds for which it asked to be left alone.
        """
        now = asyncio.get_running_loop().time()
        self._next_start = max(self._next_start, now + pause)
        if mark != self._troubles:
            return
        self._troubles += 1
        self._allowed = max(1.0, self._allowed / 2)
        if too_many:
            self._interval = min(_LONGEST_INTERVAL, self._interval / _SLOWER)
            self._forget_before(now - 1)
            if self._passed:
                let_through = len(self._passed) / max(now - self._passed[0], _SHORTEST_LOOK)
                self._interval = max(self._interval, 1 / (_SLOWER * let_through))
        log.info("slower: %d of %d requests at once, %.3f s apart", self._allowed, self._ceiling, self._interval)

    def _forget_before(self, time: float) -> None:
        while self._passed and self._passed[0] < time:
            self._passed.popleft()

    async def _wait_for_start(self) -> None:
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        self._next_start = start + self._interval
        if start > now:
            await asyncio.sleep(start - now)
