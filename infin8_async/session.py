"""The session: what is shared by all pulls, and the calls a user makes."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import timedelta
from types import TracebackType
from typing import Self, TypedDict, Unpack, get_args

import aiohttp

from ._connection import Connection
from ._feed.checkpoint import Checkpoint, FileCheckpoint, Mark
from ._feed.feed import CdrFeed
from ._pull.portions import portions
from ._pull.rows import rows_of
from ._pull.scan import Scan
from ._wire.protocol import NoBodyError, PageBytes
from ._wire.transport import Answer, Tally
from .budget import Budget
from .models import CdrPage, CdrQuery, Credentials, Integrity, RetryPolicy, check_number
from .stream import CdrStream

_BASE_URL = "http://platform.infin8linx.com"
_RETRY = RetryPolicy()


class _Default(int):
    """A default that differs from the same number given by a caller."""


_CONCURRENCY = _Default(8)


class SessionOptions(TypedDict, total=False):
    """What an `Infin8Session` can be given besides credentials."""

    base_url: str
    concurrency: int
    per_page: int
    timeout: float
    retry: RetryPolicy
    max_rate: float | None
    http_session: aiohttp.ClientSession | None
    budget: Budget | None
    trust_env: bool


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

        budget: Requests in flight and their rate, shared with other sessions; instead of *concurrency* and *max_rate*.

        trust_env: Find proxies in the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), and passwords for hosts in
            `~/.netrc`, as aiohttp does. For the session's own connections: an *http_session* has its own `trust_env`.

    Raises:
        ValueError: A number makes no sense, the base URL is not an http or https address, or two options exclude each
            other.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str = _BASE_URL,
        concurrency: int = _CONCURRENCY,
        per_page: int = 1000,
        timeout: float = 30.0,
        retry: RetryPolicy = _RETRY,
        max_rate: float | None = None,
        http_session: aiohttp.ClientSession | None = None,
        budget: Budget | None = None,
        trust_env: bool = False,
    ) -> None:
        check_number("per_page", per_page, least=1, whole=True)
        if budget is not None and (concurrency is not _CONCURRENCY or max_rate is not None):
            raise ValueError("a budget has a concurrency and a max_rate of its own: give them to Budget(…)")
        self._credentials = credentials
        self._per_page = per_page
        self._budget = budget or Budget(concurrency, max_rate)
        self._connection = Connection(
            credentials,
            base_url,
            budget=self._budget,
            timeout=timeout,
            retry=retry,
            http_session=http_session,
            trust_env=trust_env,
        )

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
        return f"<Infin8Session {self._connection}>"

    @property
    def credentials(self) -> Credentials:
        """Who is asking."""
        return self._credentials

    def cdrs(self, query: CdrQuery, *, integrity: Integrity = "repair") -> CdrStream:
        """
        Pull every call that answers *query*, in the platform's order.

        Nothing is requested before the first call is asked for. A query without an end ends when the pull begins, by
        the platform's clock. If the first answer shows that this machine's clock is slow, that costs one request more.

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
        transport = self._connection.transport
        tally = Tally()

        def start(window: CdrQuery, number: int, rows: int) -> "asyncio.Task[PageBytes]":
            _ = self._connection.transport  # raises if the session has been closed
            return transport.start(transport.fetch(window, number, rows, tally))

        scan = Scan(
            query,
            start,
            concurrency=self._budget.concurrency,
            per_page=self._per_page,
            integrity=integrity,
            clock=transport.clock,
        )
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

        The feed goes by the platform's clock, which it reads from the `Date` of the answers. This machine's clock may
        be wrong. Answers without a `Date` leave nothing but that clock. If it is slow, calls come late by as much. If
        it is fast, the lookback is shorter by as much, and `report.lateness` shows calls later than they are.

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
        transport = self._connection.transport
        if isinstance(checkpoint, str | os.PathLike):
            checkpoint = FileCheckpoint(checkpoint)
        mark = None if checkpoint is None else Mark(checkpoint, self._credentials, query)

        async def wait(pause: Callable[[], Coroutine[object, object, None]]) -> None:
            await self._connection.transport.wait_for(pause())

        return CdrFeed(
            query,
            self.cdrs,
            self.count,
            interval=interval,
            lookback=lookback,
            mark=mark,
            now=transport.clock.now,
            wait=wait,
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
        page = await self._fetch(query, number, size)
        rows = await rows_of(page)
        return CdrPage(tuple(await rows.records()), page.page, page.per_page, page.total)

    async def count(self, query: CdrQuery) -> int:
        """
        Ask the platform how many calls answer *query*: one small request.

        Raises:
            Infin8Error: No answer came.
        """
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
        transport = self._connection.transport
        page, answer = await transport.wait_for(transport.ask(query, number, per_page, https=https))
        rows = await rows_of(page)
        return CdrPage(tuple(await rows.records()), page.page, page.per_page, page.total), answer

    async def plan(self, query: CdrQuery, *, calls: int = 50_000) -> list[CdrQuery]:
        """
        Divide *query* into windows of about as many calls each, for whatever pulls them elsewhere.

        They are found by counting: one to three counts a window, of which those of a round are asked for at once, and
        one more at the end. A window that need not be divided costs one count.

        Args:
            query: The window of time, and what to filter by. Without an end, it ends now.

            calls: How many calls a window is meant to hold.

        Returns:
            Windows with both ends, oldest first, which together cover the query's. None holds more than *calls* and a
            quarter, unless it is a second long or the platform does not filter by time. Neighbours share their border,
            so a call of that second may come with both: its id tells. If the platform seems to include neither bound
            of a window, neighbours share the second after the border as well, or calls would be in no window.

            If the platform goes by dial time, a call without one is in no window of the plan, as in none of any query.

        Raises:
            ValueError: *calls* is not a whole number of at least 1.

            Infin8Error: The platform did not give a count.
        """
        check_number("calls", calls, least=1, whole=True)
        return await portions(query.until_now(), calls, self.count)

    async def _fetch(self, query: CdrQuery, number: int, per_page: int) -> PageBytes:
        transport = self._connection.transport
        _, page = await transport.clock.until_now(
            query, lambda window: transport.wait_for(transport.fetch(window, number, per_page, Tally()))
        )
        return page

    async def open(self) -> Self:
        """
        Open the session without a block, in a notebook for example, and return it. `aclose` ends it.

        Raises:
            RuntimeError: It was opened before, or *http_session* belongs to another event loop.
        """
        await self._connection.open()
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel every request under way, wait until it has ended, and let go of the connections."""
        await self._connection.aclose()
