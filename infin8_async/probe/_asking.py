"""Asks the platform, gently: one request after the other, evenly spaced, and not more than were promised."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import inf
from typing import Final

from attrs import field, frozen

from ..errors import Infin8Error, PlatformError, ResponseError
from ..models import Cdr, CdrPage, CdrQuery
from ..session import Infin8Session

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class StoppedError(Exception):
    """No request may be sent any more. The message says why."""


@frozen(kw_only=True)
class Look:
    """
    One request and what came of it.

    Attributes:
        query: The window and filters.

        number: The page that was asked for.

        asked: How many rows were asked for.

        page: What came; None if it was an error.

        error: The error, if it was one.

        headers: Those of the answer; none for an error.

        seconds: From sending to the last byte.

        sent: When it was sent, by the clock of this machine.

        came: When the answer had come, by the same clock.

        ended: The same, by the clock of the event loop.
    """

    query: CdrQuery
    number: int = 1
    asked: int = 1000
    page: CdrPage | None = None
    error: Infin8Error | None = None
    headers: Mapping[str, str] = field(factory=dict)
    seconds: float = 0.0
    sent: datetime = _NEVER
    came: datetime = _NEVER
    ended: float = 0.0

    @property
    def cdrs(self) -> tuple[Cdr, ...]:
        """The calls that came, in the platform's order."""
        return self.page.cdrs if self.page else ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Their ids."""
        return tuple(cdr.id for cdr in self.cdrs)

    @property
    def total(self) -> int:
        """The platform's count; -1 for an error."""
        return self.page.total if self.page else -1

    @property
    def date(self) -> datetime | None:
        """The platform's time when it answered, in whole seconds; None if the answer does not say."""
        try:
            date = parsedate_to_datetime(self.headers["Date"])
        except (KeyError, ValueError, OverflowError):
            return None
        return date if date.tzinfo else date.replace(tzinfo=UTC)

    @property
    def outcome(self) -> str:
        """What came, in a few words of ours: the platform's own may name an account."""
        match self.error:
            case None:
                return f"{len(self.cdrs)} rows"
            case PlatformError(code=code):
                return f"code {code}"
            case ResponseError(status=status):
                return f"status {status}"
        return "no complete answer"

    @property
    def refused(self) -> bool:
        """Whether the platform answered, and the answer was an error."""
        return isinstance(self.error, PlatformError | ResponseError)


class Asker:
    """
    Args:
        session: What the requests go through.

        most_requests: How many may be sent.

        rate: How many a second, evenly spaced.

    Attributes:
        most_requests: How many may be sent in all.

        looks: Everything that was asked.
    """

    def __init__(self, session: Infin8Session, *, most_requests: int, rate: float) -> None:
        self._session = session
        self.most_requests = most_requests
        self._apart = 1 / rate
        self._started = -inf
        self.looks: list[Look] = []

    async def look(self, query: CdrQuery, number: int = 1, rows: int = 1000, *, https: bool = False) -> Look:
        """
        Send one request, when it is time.

        Raises:
            StoppedError: All requests are spent, or the platform has said that it gets too many.
        """
        if len(self.looks) >= self.most_requests:
            raise StoppedError(f"stopped after {self.most_requests} requests, the most that were allowed")
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._started + self._apart - loop.time()))
        self._started = loop.time()
        look = await ask(self._session, query, number, rows, https=https)
        self.looks.append(look)
        error = look.error
        if isinstance(error, ResponseError) and error.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise StoppedError(
                f"stopped: request {len(self.looks)} was refused with status 429, at {1 / self._apart:g} a second"
            )
        return look

    async def look_surely(self, query: CdrQuery, number: int = 1, rows: int = 1000) -> Look:
        """The same, and once more if the first try failed in a way that may pass."""
        look = await self.look(query, number, rows)
        if look.error is not None and look.error.transient:
            look = await self.look(query, number, rows)
        return look


async def ask(session: Infin8Session, query: CdrQuery, number: int, rows: int, *, https: bool = False) -> Look:
    """Send one request at once."""
    sent = datetime.now(UTC)
    try:
        page, answer = await session.ask(query, number, per_page=rows, https=https)
    except Infin8Error as error:
        return Look(query=query, number=number, asked=rows, error=error, sent=sent, came=datetime.now(UTC))
    ended = asyncio.get_running_loop().time()
    return Look(
        query=query,
        number=number,
        asked=rows,
        page=page,
        headers=answer.headers,
        seconds=answer.seconds,
        sent=sent,
        came=datetime.now(UTC),
        ended=ended,
    )
