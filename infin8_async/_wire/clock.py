"""The platform's time, as the `Date` of its answers tells it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from ..models import BEIJING

log: Final = logging.getLogger("infin8_async")

_MUCH: Final = timedelta(minutes=1)


class PlatformClock:
    """
    Tells the platform's time.

    After the first answer the clock of this machine plays no part: it may be wrong, or be set. The loop's time, which
    cannot be set, tells how long ago the last answer came. Up to a second and the time of an answer's way, it is slow.

    Args:
        host: The time of this machine.
    """

    def __init__(self, host: Callable[[], datetime] = lambda: datetime.now(BEIJING)) -> None:
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
        if abs(difference) > _MUCH and not self._warned:
            self._warned = True
            seconds = timedelta(seconds=round(difference.total_seconds()))
            log.warning("this machine's clock differs from the platform's by %s: the platform's is used", seconds)

    def now(self) -> datetime:
        """The platform's time; before its first answer, this machine's."""
        if self._heard is None:
            return self._host()
        date, heard = self._heard
        return date + timedelta(seconds=asyncio.get_running_loop().time() - heard)
