"""A way to the platform: who asks, how, and in which zone."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import tzinfo

from attrs import frozen

from ..models import Credentials
from ..session import Infin8Session, SessionOptions
from .usage import usage


@frozen(kw_only=True)
class Access:
    """
    A way to the platform.

    Attributes:
        name: Of the account; "" without one.

        appid: Of the account, if it is known without asking for its key.

        zone: In which windows are given and times shown.

        credentials: Gives who asks.

        options: How.
    """

    name: str = ""
    appid: str | None = None
    zone: tzinfo
    credentials: Callable[[], Awaitable[Credentials]]
    options: SessionOptions

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Infin8Session]:
        """
        Open a session.

        Raises:
            UsageError: Credentials are missing, or a value makes no sense.
        """
        with usage():
            session = Infin8Session(await self.credentials(), **self.options)
        async with session:
            yield session
