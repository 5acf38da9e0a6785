"""The session: what is shared by all pulls, and the calls a user makes."""

import asyncio
import logging
import os
from datetime import timedelta
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self, TypedDict, Unpack, get_args

import aiohttp
from yarl import URL

from ._feed.checkpoint import Checkpoint, FileCheckpoint, Mark
from ._feed.feed import CdrFeed
from ._pull.ahead import structured
from ._pull.scan import Scan
from ._wire.protocol import NoBodyError, PageBytes
from ._wire.transport import Answer, Tally, Transport
from .models import CdrPage, CdrQuery, Credentials, Integrity, RetryPolicy, check_number
from .stream import CdrStream

log: Final = logging.getLogger("infin8_async")

_BASE_URL = "http://platform.infin8linx.com"
_RETRY = RetryPolicy()


class SessionOptions(TypedDict, total=False):
    """What an `Infin8Session` can be given besides credentials."""

    base_url: str
    concurrency: int
    per_page: int
    timeout: float
    retry: RetryPolicy
    max_rate: float | None
    http_session: aiohttp.ClientSession | None


class Infin8Session:
    """
    The platform, for the time of an `async with` block, or from `open` to `aclose`.

    Args:
        credentials: Who is asking.

        base_url: Where the platform is.

        concurrency: The most requests in flight at once for the whole session, and the most pages read ahead of the
            reader of one stream.

        per_page: How many calls to ask for in one request. The platform may give fewer; you still get every row.

        timeout: Seconds for one request, from connecting to the last byte of the body. The wait for one of few
            connections of your own *http_session* is not part of it.

        retry: How often, and after what wait, a failed request is sent again.

        max_rate: Requests a second, evenly spaced, without bursts; None for no such limit.

        http_session: A session of your own, which is used and never closed: for proxies, tracing, certificates.
            Without one the session makes its own on entry and closes it on exit.

    Raises:
        ValueError: A number makes no sense, or the base URL is not an http or https address.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str = _BASE_URL,
        concurrency: int = 8,
        per_page: int = 1000,
        timeout: float = 30.0,
        retry: RetryPolicy = _RETRY,
        max_rate: float | None = None,
        http_session: aiohttp.ClientSession | None = None,
    ) -> None:
        check_number("concurrency", concurrency, least=1, whole=True)
        check_number("per_page", per_page, least=1, whole=True)
        check_number("timeout", timeout, above=0)
        if max_rate is not None:
            check_number("max_rate", max_rate, above=0)
        self._url = URL(base_url)
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise ValueError(f"base_url must be an http or https address, not {base_url!r}")
        self._credentials = credentials
        self._concurrency = concurrency
        self._per_page = per_page
        self._timeout = timeout
        self._retry = retry
        self._max_rate = max_rate
        self._callers_http = http_session
        self._own_http: aiohttp.ClientSession | None = None
        self._transport: Transport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @classmethod
    def from_env(cls, **options: Unpack[SessionOptions]) -> Self:
        """
        A session with the environment's credentials (see `Credentials.from_env`), and its `INFIN8_BASE_URL` if set.

        Args:
            options: As for the class itself; a *base_url* given here wins over the environment's.

        Raises:
            ValueError: What is missing is named.
        """
        if base_url := os.environ.get("INFIN8_BASE_URL"):
            options.setdefault("base_url", base_url)
        return cls(Credentials.from_env(), **options)

    def __repr__(self) -> str:
        sent = 0 if self._transport is None else self._transport.requests
        state = "closed" if self._closed else "not open" if self._transport is None else "open"
        return f"<Infin8Session {self._url.origin()}: {state}, {sent} requests sent>"

    @property
    def credentials(self) -> Credentials:
        """Who is asking."""
        return self._credentials

    def cdrs(self, query: CdrQuery, *, integrity: Integrity = "repair") -> CdrStream:
        """
        Pull every call that answers *query*, in the platform's order.

        Nothing is requested before the first call is asked for. A query without an end ends when the pull begins.

        Args:
            query: The window of time, and what to filter by.

            integrity: What to do if calls moved between pages while they were read. `"repair"`: find and fetch them,
                and raise if that fails. `"raise"`: raise as soon as calls were certainly missed. `"off"`: give what
                the pages hold, each call once, and end at an empty page.

        Returns:
            A stream, which raises while it is read:

            - `PlatformError` if the platform refuses,
            - `TransportError` and `ResponseError` if a page can't be fetched or read, after all retries,
            - `UnreadableRowsError` if the platform can't encode some rows, after all other rows of the pull,
            - `IncompleteResultError` if rows moved and nothing proves that all were found again,

            each after every row of the pages before it.
        """
        if integrity not in get_args(Integrity):
            raise ValueError(f"integrity is one of {', '.join(get_args(Integrity))}, not {integrity!r}")
        transport = self._entered()
        tally = Tally()

        def start(window: CdrQuery, number: int, rows: int) -> "asyncio.Task[PageBytes]":
            self._entered()
            return transport.start(transport.fetch(window, number, rows, tally))

        scan = Scan(query, start, concurrency=self._concurrency, per_page=self._per_page, integrity=integrity)
        return CdrStream(scan, tally)

    def follow(
        self,
        query: CdrQuery,
        *,
        interval: timedelta = timedelta(seconds=30),
        lookback: timedelta = timedelta(hours=1),
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    ) -> CdrFeed:
        """
        Give what is there from the query's start on, then each call once as it appears.

        A call appears when it ends, so calls come late and out of order: every poll looks back, and ids decide what is
        new. A poll that finds the platform's count unchanged costs one small request; otherwise counts show which
        pieces of time have changed, and only those are read. Within a poll the oldest dial time comes first; a long
        backlog comes in parts, the oldest first.

        A call that appears when another one is removed leaves the count as it was. It is found when its time leaves
        the lookback at the latest: everything is read once more before it is forgotten.

        The feed goes by the platform's clock, which it reads from the answers. This machine's clock may be wrong.

        A poll that fails is logged and made good by the next, after a growing pause, as is one that can't be complete.

        Args:
            query: What to filter by, and where to start. Without an end the feed goes on for ever; with one it ends
                when *lookback* has passed since.

            interval: The time from one poll to the next, while the reader waits.

            lookback: How long after its dial time a call may appear. One that takes longer is lost; `report.lateness`
                tells how close they come. As many ids are remembered as there are calls in that time.

            checkpoint: Where to keep what has been taken, so that a restart goes on from there: a path, or an object
                with `Checkpoint`'s two methods. It wins over the query's start.

        Returns:
            A feed, which raises while it is read:

            - `PlatformError` if the platform refuses with any code but 1000, after which the feed tries again,
            - `ResponseError` if a call can't be read,
            - `CheckpointError` if the checkpoint is damaged, in use by another feed, of a newer version, or belongs to
              other credentials or filters,
            - `OSError` if its file can't be read or written.

        Raises:
            ValueError: The interval or the lookback is not positive.
        """
        transport = self._entered()
        if isinstance(checkpoint, str | os.PathLike):
            checkpoint = FileCheckpoint(checkpoint)
        mark = None if checkpoint is None else Mark(checkpoint, self._credentials, query)

        async def sleep(seconds: float) -> None:
            self._entered()
            await transport.wait_for(asyncio.sleep(seconds))

        return CdrFeed(
            query,
            self.cdrs,
            self.count,
            interval=interval,
            lookback=lookback,
            mark=mark,
            now=transport.clock.now,
            sleep=sleep,
        )

    async def page(self, query: CdrQuery, number: int = 1, *, per_page: int | None = None) -> CdrPage:
        """
        Fetch one page, as the platform cuts it at this moment.

        Args:
            query: The window of time, and what to filter by.

            number: Which page, from 1. One beyond the last is empty.

            per_page: How many calls to ask for; None for the session's.

        Raises:
            Infin8Error: The page could not be fetched or read.
        """
        check_number("number", number, least=1, whole=True)
        size = self._per_page if per_page is None else per_page
        check_number("per_page", size, least=1, whole=True)
        page = await self._fetch(query.until_now(), number, size)
        return CdrPage(tuple(await structured(page)), page.page, page.per_page, page.total)

    async def count(self, query: CdrQuery) -> int:
        """
        Ask the platform how many calls answer *query*: one small request.

        Raises:
            Infin8Error: No answer came.
        """
        query = query.until_now()
        try:
            return (await self._fetch(query, 1, 1)).total
        except NoBodyError:  # the platform can't encode the first row
            return (await self._fetch(query, 2, 1)).total

    async def ask(self, query: CdrQuery, number: int, *, per_page: int, https: bool = False) -> tuple[CdrPage, Answer]:
        """
        Send one request, once, and give the page with the HTTP answer that it came in. For diagnosis, as by `probe`.

        A pull sends failed requests again, and asks only for pages that make sense. This does neither.

        Args:
            query: The window of time, and what to filter by. It has an end.

            number: Which page; any number, even 0.

            per_page: How many calls to ask for.

            https: Ask the same host by https, whatever the session's base URL says.

        Raises:
            Infin8Error: The page did not come, or can't be read.
        """
        transport = self._entered()
        page, answer = await transport.wait_for(transport.ask(query, number, per_page, https=https))
        return CdrPage(tuple(await structured(page)), page.page, page.per_page, page.total), answer

    async def _fetch(self, query: CdrQuery, number: int, per_page: int) -> PageBytes:
        transport = self._entered()
        return await transport.wait_for(transport.fetch(query, number, per_page, Tally()))

    async def open(self) -> Self:
        """
        Open the session without a block, in a notebook for example, and return it. `aclose` ends it.

        Raises:
            RuntimeError: It was opened before, or *http_session* belongs to another event loop.
        """
        if self._closed or self._transport is not None:
            raise RuntimeError(f"this session is {'closed' if self._closed else 'open already'}: make a new one")
        loop = asyncio.get_running_loop()
        http = self._callers_http
        # Its public property warns that it is deprecated. An object that wraps a session may have neither.
        if getattr(http, "_loop", None) not in (None, loop):
            raise RuntimeError("http_session belongs to another event loop: make it in the one that uses it")
        if http is None:
            # No cookies: a PHP service that hands out sessions would answer requests of one session one by one.
            http = self._own_http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._concurrency), cookie_jar=aiohttp.DummyCookieJar()
            )
        if self._url.scheme == "http" and not _is_loopback(self._url.host):
            log.warning("the access key travels in the clear: %s is not https", self._url.origin())
        self._loop = loop
        self._transport = Transport(
            http,
            self._credentials,
            self._url,
            concurrency=self._concurrency,
            timeout=self._timeout,
            retry=self._retry,
            max_rate=self._max_rate,
        )
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel every request under way, wait until it has ended, and let go of the connections."""
        self._closed = True
        try:
            if self._transport is not None:
                await self._transport.aclose()
        finally:
            if self._own_http is not None:
                await self._own_http.close()

    def _entered(self) -> Transport:
        """
        The transport, for use at this moment.

        Raises:
            RuntimeError: The session is not open, or belongs to another event loop.
        """
        if self._closed:
            raise RuntimeError("this session is closed: make a new one")
        if self._transport is None:
            raise RuntimeError("this session is not open: use 'async with session:' or 'await session.open()'")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this session belongs to another event loop: make one for each asyncio.run()")
        return self._transport


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
