"""A session's connection to the platform: opened once, used in one event loop, closed once."""

import asyncio
import logging
from ipaddress import ip_address
from typing import Final

import aiohttp
from yarl import URL

from ._wire.transport import Transport
from .budget import Budget
from .models import Credentials, RetryPolicy, check_number

log: Final = logging.getLogger("infin8_async")


class Connection:
    """
    The platform at an address.

    Args:
        credentials: Who is asking.

        base_url: Where the platform is.

        budget: What may be asked for at once, and how fast.

        timeout: Seconds for one request.

        retry: How often, and after what wait, a failed request is sent again.

        http_session: The caller's own session, which is never closed; None for one of ours.

        trust_env: Whether ours finds proxies in the environment.

    Attributes:
        origin: The part of the address that may be shown.

    Raises:
        ValueError: A number makes no sense, the base URL is not an http or https address, or two options exclude each
            other.
    """

    def __init__(
        self,
        credentials: Credentials,
        base_url: str,
        *,
        budget: Budget,
        timeout: float,
        retry: RetryPolicy,
        http_session: aiohttp.ClientSession | None,
        trust_env: bool,
    ) -> None:
        check_number("timeout", timeout, above=0)
        if trust_env and http_session is not None:
            raise ValueError("trust_env is for the session's own connections: give it to your http_session")
        self._url = URL(base_url)
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise ValueError(f"base_url must be an http or https address, not {base_url!r}")
        self.origin = self._url.origin()
        self._credentials = credentials
        self._budget = budget
        self._timeout = timeout
        self._retry = retry
        self._trust_env = trust_env
        self._callers_http = http_session
        self._own_http: aiohttp.ClientSession | None = None
        self._transport: Transport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def __repr__(self) -> str:
        sent = 0 if self._transport is None else self._transport.requests
        state = "closed" if self._closed else "not open" if self._transport is None else "open"
        return f"{self.origin}: {state}, {sent} requests sent"

    @property
    def transport(self) -> Transport:
        """
        What sends requests, for use at this moment.

        Raises:
            RuntimeError: The connection is not open, or belongs to another event loop.
        """
        if self._closed:
            raise RuntimeError("this session is closed: make a new one")
        if self._transport is None:
            raise RuntimeError("this session is not open: use 'async with session:' or 'await session.open()'")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this session belongs to another event loop: make one for each asyncio.run()")
        return self._transport

    async def open(self) -> None:
        """
        Make what sends requests.

        Raises:
            RuntimeError: It was opened before, or the caller's HTTP session belongs to another event loop.
        """
        if self._closed or self._transport is not None:
            raise RuntimeError(f"this session is {'closed' if self._closed else 'open already'}: make a new one")
        loop = asyncio.get_running_loop()
        http = self._callers_http
        # Its public property warns that it is deprecated. An object that wraps a session may have neither.
        if getattr(http, "_loop", None) not in (None, loop):
            raise RuntimeError("http_session belongs to another event loop: make it in the one that uses it")
        pace = self._budget.pace()
        if http is None:
            # No cookies: a PHP service that hands out sessions would answer requests of one session one by one.
            http = self._own_http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=pace.concurrency),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._trust_env,
            )
        if self._url.scheme == "http" and not _is_loopback(self._url.host):
            log.warning("the access key travels in the clear: %s is not https", self.origin)
        self._loop = loop
        self._transport = Transport(
            http,
            self._credentials,
            self._url,
            pace=pace,
            timeout=self._timeout,
            retry=self._retry,
        )

    async def aclose(self) -> None:
        """Cancel every request under way, wait until it has ended, and let go of the connections."""
        self._closed = True
        try:
            if self._transport is not None:
                await self._transport.aclose()
        finally:
            if self._own_http is not None:
                await self._own_http.close()


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
