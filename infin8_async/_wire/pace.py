"""How hard the platform is pressed: places, spacing and pauses, learned from its answers."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from math import inf
from typing import Final

from attrs import define, evolve

from ..errors import Infin8Error, ResponseError
from .retries import LONGEST_RETRY_AFTER

log: Final = logging.getLogger("infin8_async")

_MEMORY: Final = 8  # answers over which the share of failures is smoothed
_MANY: Final = 0.3  # of the answers fail: no accidents any more
_SLOWER: Final = 0.6  # of the rate until now, after a refusal
_OVERSHOT: Final = 0.8  # of a rate that grew fast until it was refused: about where the limit is
_NEAR: Final = 0.9  # of the limit: up to here the rate grows fast
_PAST: Final = 1.1  # of the limit: it is gone
_CREEP: Final = 0.008  # requests a second by which a good answer quickens a rate near the limit
_LONGEST_IF_DOWN: Final = 1.0  # seconds between two requests to a platform that seems to be down
_LONGEST_IF_TOO_MANY: Final = 10.0  # the same, if it says that it gets too many
_LONGEST_PAUSE: Final = 3600.0  # seconds that a `Retry-After` is believed; then the platform is asked again


class Line:
    """The requests of one session that wait for their turn, first come, first served."""

    def __init__(self) -> None:
        self.head: Final = asyncio.Lock()
        self.in_flight = 0
        self.started_at = -inf


class Pace:
    """
    How fast the sessions of a budget send their requests.

    Each session has a line, and the heads of the lines take turns. Slow answers to one session do not hold up the
    others: a line with its share of the places in flight lets the others go first, and the last place is kept for one
    with nothing in flight. The next request starts as soon as there is a place, the last start is long enough ago, and
    no pause is left. A request that gives up leaves no gap.

    - Places: *concurrency* is the ceiling. A failure halves their number, once for all requests that were on their way
      at that moment; each round of good answers adds one.
    - Spacing: none until the platform says that it gets too many requests, or many of its answers are failures; then
      that of the `Rate` it bears.
    - Pause: what `Retry-After` asks for.

    Args:
        concurrency: The most requests in flight.

        max_rate: Requests a second at the most, evenly spaced; None for no such limit.

    Attributes:
        concurrency: The most requests in flight.
    """

    def __init__(self, concurrency: int, max_rate: float | None = None) -> None:
        self.concurrency: Final = concurrency
        self._places = float(concurrency)
        self._in_flight = 0
        self._max_rate = max_rate or inf
        self._rate = Rate(concurrency)
        self._failing = 0.0
        self._slowed_at = -inf
        self._starts: deque[float] = deque()  # those of the last second, at least one
        self._pause_end = -inf
        self._pause_error: ResponseError | None = None
        self._lines: set[Line] = set()
        self._heads: list[Line] = []  # the lines in which somebody waits, in the order in which they came
        self._changed = asyncio.Event()

    def join(self) -> Line:
        """Make a line for a session."""
        self._lines.add(line := Line())
        return line

    def leave(self, line: Line) -> None:
        """Close the line of a session. What still waits in it is cancelled by its owner."""
        self._lines.discard(line)
        self._changed.set()

    @asynccontextmanager
    async def turn(
        self, line: Line, *, excused: Callable[[Infin8Error], bool] = lambda _: False, longest_wait: float = inf
    ) -> AsyncGenerator[None]:
        """
        Wait for the turn to send one request, and learn from how the block ends.

        Args:
            line: Where to wait.

            excused: Whether an error says nothing about the platform's load.

            longest_wait: Seconds between two requests past which a failure of this one does not space them.

        Raises:
            ResponseError: The platform asked for a pause that is longer than we wait. Nothing may be sent now.
        """
        async with line.head:
            started = await self._started(line)
        try:
            yield
        except Infin8Error as error:
            if error.transient and not excused(error):
                self._trouble(error, started, _now(), longest_wait)
            raise
        else:
            self._good(started, _now())
        finally:
            self._in_flight -= 1
            line.in_flight -= 1
            self._changed.set()

    async def _started(self, line: Line) -> float:
        """Wait until the head of a line may start, and have it start."""
        self._heads.append(line)
        try:
            while (wait := self._wait(line, _now())) > 0:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait if wait < inf else None):
                        await self._changed.wait()
            return self._start(line, _now())
        finally:
            self._heads.remove(line)
            self._changed.set()  # another line is next now

    def _wait(self, line: Line, now: float) -> float:
        """Seconds until the head of a line may start, as things are now; infinite while others have to act first."""
        pause = self._pause_end - now
        if self._pause_error is not None and pause > LONGEST_RETRY_AFTER:
            raise evolve(self._pause_error, page=None, retry_after=pause)
        if line is not min(filter(self._has_place, self._heads), key=self._order, default=None):
            return inf
        return max(pause, self._starts[-1] + self._interval - now) if self._starts else pause

    def _has_place(self, line: Line) -> bool:
        """Whether there is a place for the head of a line."""
        left = int(self._places) - self._in_flight
        return left > 1 or (left == 1 and (not line.in_flight or all(other.in_flight for other in self._lines)))

    def _order(self, line: Line) -> tuple[bool, float]:
        """The smallest goes first: lines below their share of the places, of these the one served longest ago."""
        return line.in_flight * len(self._heads) >= int(self._places), line.started_at

    @property
    def _interval(self) -> float:
        return 1 / min(self._rate.now, self._max_rate)

    def _start(self, line: Line, now: float) -> float:
        self._in_flight += 1
        line.in_flight += 1
        line.started_at = now
        self._starts.append(now)
        while self._starts[0] < now - 1:
            self._starts.popleft()
        return now

    def _good(self, started: float, now: float) -> None:
        self._failing -= self._failing / _MEMORY
        self._places = min(self.concurrency, self._places + 1 / self._places)
        if started > self._slowed_at:
            self._rate.good(started, now, used=len(self._starts))

    def _trouble(self, error: Infin8Error, started: float, now: float, longest_wait: float) -> None:
        self._failing += (1 - self._failing) / _MEMORY
        response = error if isinstance(error, ResponseError) else None
        if response is not None and response.retry_after:
            self._pause(response, now)
        if started <= self._slowed_at:
            return
        self._slowed_at = now
        too_many = response is not None and response.status == HTTPStatus.TOO_MANY_REQUESTS
        longest = min(longest_wait, _LONGEST_IF_TOO_MANY if too_many else _LONGEST_IF_DOWN)
        if longest and (too_many or self._failing > _MANY or self._rate.near_limit):
            self._rate.refused(used=len(self._starts), least=1 / longest)
        else:
            self._places = max(1.0, self._places / 2)
        log.info(
            "the platform is in trouble: at most %d of %d requests at once, %.3f s apart",
            self._places,
            self.concurrency,
            self._interval,
        )

    def _pause(self, error: ResponseError, now: float) -> None:
        pause = min(error.retry_after or 0.0, _LONGEST_PAUSE)
        if now + pause > self._pause_end:
            self._pause_end = now + pause
            self._pause_error = error
            log.info("the platform asks for a pause of %.0f s", pause)


@define
class Rate:
    """
    The requests a second that the platform bears, searched for like the bandwidth of a line.

    A refusal lowers the rate. Good answers raise it: fast up to just below the rate that was refused last, the limit;
    then slowly, because each refusal costs a wait; and once the limit has been passed without a refusal, fast again. If
    nothing at all succeeds between two refusals, the platform is down rather than limited, and there is no limit to be
    careful of when it comes back.

    Attributes:
        unlearned: A rate up to which it grows even if it is not made use of.

        now: The rate; infinite until the first refusal.

        limit: The rate that was refused last; infinite if unknown.
    """

    unlearned: float
    now: float = inf
    limit: float = inf
    _grown_at: float = -inf
    _good_since_refusal: bool = True

    @property
    def near_limit(self) -> bool:
        """Whether a single failure is likely to be a refusal."""
        return _NEAR * self.limit <= self.now < inf

    def good(self, started: float, now: float, *, used: int) -> None:
        """
        Take note of an answer as it should be.

        Args:
            started: When its request started, after the last refusal.

            now: What time it is.

            used: How many requests started in the last second.
        """
        self._good_since_refusal = True
        if self.now >= 2 * max(self.unlearned, used):
            return
        if self.now > _PAST * self.limit:
            self.limit = inf
        if self.near_limit:
            self.now += _CREEP
        elif started > self._grown_at:  # a rate is tried before it grows again
            self._grown_at = now
            self.now = min(self.now + 1 + self.now / 10, _NEAR * self.limit)

    def refused(self, *, used: int, least: float) -> None:
        """
        Take note of a refusal.

        Args:
            used: How many requests started in the last second.

            least: The rate that is not fallen below.
        """
        rate = self.now if self.now < inf else used
        if self.now == inf or not self._good_since_refusal:
            self.limit = inf
        else:
            self.limit = rate if self.limit < inf else _OVERSHOT * rate
        self.now = min(self.now, max(least, rate * _SLOWER))
        self._good_since_refusal = False


def _now() -> float:
    return asyncio.get_running_loop().time()
