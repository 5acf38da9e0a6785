"""The platform's time, as the `Date` of its answers tells it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from ..models import BEIJING, CdrQuery

log: Final = logging.getLogger("infin8_async")

_T = TypeVar("_T")

_NOTEWORTHY: Final = timedelta(seconds=10)  # a slow answer may be some seconds old when it comes
_EXACT: Final = timedelta(seconds=2)  # a `Date` has whole seconds, and so has the end of a query


def host_time() -> datetime:
    """The time of this machine."""
    return datetime.now(BEIJING)


class PlatformClock:
    """
    Tells the platform's time.

    After the first answer the clock of this machine plays no part: it may be wrong, or be set. The loop's time, which
    cannot be set, tells how long ago the last answer came. Up to a second and the time of an answer's way, it is slow.
    A platform whose answers have no `Date` leaves nothing but the clock of this machine.

    Args:
        host: The time of this machine.
    """

    def __init__(self, host: Callable[[], datetime] = host_time) -> None:
        self._host = host
        self._heard: tuple[datetime, float] | None = None
        self._warned = False

    def hear(self, headers: Mapping[str, str]) -> None:
        """Take note of the time in an answer that has just come. A header that can't be read tells nothing."""
        try:
            date = parsedate_to_datetime(headers["Date"])
            date = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(BEIJING)
        except (KeyError, ValueError, OverflowError):
            return
        self._heard = date, asyncio.get_running_loop().time()
        difference = self._host() - date
        if abs(difference) > _NOTEWORTHY and not self._warned:
            self._warned = True
            log.warning(
                "this machine's clock is %d s %s: this session goes by the platform's clock, "
                "but windows made from this machine's time, as by CdrQuery.last(), are off by as much",
                round(abs(difference).total_seconds()),
                "fast" if difference > timedelta() else "slow",
            )

    def now(self) -> datetime:
        """The platform's time; before its first answer, this machine's."""
        return self.at(asyncio.get_running_loop().time())

    def at(self, moment: float) -> datetime:
        """
        The platform's time at a moment of the loop's time, as far as it is known by now.

        If an answer to something that was sent at that moment has come since, this is not later than the truth.
        """
        date, heard = self._heard or (self._host(), asyncio.get_running_loop().time())
        return date + timedelta(seconds=moment - heard)

    async def until_now(self, query: CdrQuery, ask: Callable[[CdrQuery], Awaitable[_T]]) -> tuple[CdrQuery, _T]:
        """
        Ask something about a query. One without an end ends at this moment.

        The first answer of all may show that this machine's clock is slow, so that the latest calls were left out.
        Then it is asked once more.

        Returns:
            What was asked about, and the answer.
        """
        began = asyncio.get_running_loop().time()
        window = query.until_now(self.at(began))
        answer = await ask(window)
        right = query.until_now(self.at(began))
        if right.ends[1] - window.ends[1] > _EXACT:
            window, answer = right, await ask(right)
        return window, answer
