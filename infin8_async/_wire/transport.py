"""The only place that speaks HTTP: one request, its limits, its retries."""

import asyncio
import logging
import os
from collections.abc import Coroutine, Mapping
from http import HTTPStatus
from typing import Final, TypeVar

import aiohttp
from attrs import define, frozen
from yarl import URL

from ..errors import Infin8Error, ResponseError, TransportError
from ..models import CdrQuery, Credentials, RetryPolicy
from .body import masked
from .clock import PlatformClock
from .pace import Pace
from .protocol import LARGEST_BODY, PATH, PageBytes, form, read_page, without_frames
from .retries import wait_before_retry
from .tasks import cancel, result_of

log: Final = logging.getLogger("infin8_async")

_T = TypeVar("_T")


def _not_ours(record: logging.LogRecord) -> bool:
    """Leave out stamina's line about our retries unless its logger was set up: we log a line of our own."""
    logger = logging.getLogger(record.name)
    retried = str(getattr(record, "stamina.callable", ""))
    return bool(logger.handlers) or logger.level != logging.NOTSET or not retried.startswith("infin8_async.")


logging.getLogger("stamina").addFilter(_not_ours)


@frozen
class Answer:
    """
    What comes with a page, and a pull has no use for.

    Attributes:
        headers: The HTTP headers.

        seconds: From sending the request to the last byte.
    """

    headers: Mapping[str, str]
    seconds: float


@define
class Tally:
    """What one pull has cost so far: every HTTP request, and those among them that repeat a failed one."""

    requests: int = 0
    retries: int = 0


class Transport:
    """
    Requests pages, and owns every task that does so ahead of a reader.

    Args:
        http: What the requests go through; its owner closes it.

        pace: When they may be sent. Several transports may share it.

    Attributes:
        clock: The platform's time.

        requests: How many were sent.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        credentials: Credentials,
        base_url: URL,
        *,
        pace: Pace,
        timeout: float,
        retry: RetryPolicy,
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._url = base_url / PATH
        self._pace = pace
        self._line = pace.join()
        self._connections = asyncio.Semaphore(_most_connections(http, pace.concurrency))
        self._timeout = timeout
        self._retry = retry
        self.clock: Final = PlatformClock()
        self.requests = 0
        self._tasks: set[asyncio.Task[object]] = set()

    async def fetch(self, query: CdrQuery, page: int, per_page: int, tally: Tally) -> PageBytes:
        """
        One page, after as many tries as the policy allows. A wait between two tries holds no place.

        Raises:
            Infin8Error: As the last try ended.
        """
        tries = 0
        failures: list[Infin8Error] = []  # of the first try, until it is raised again

        def at_once(error: Exception) -> bool:
            return tries == 1 and _closed_as_we_sent(error)

        async def one_try() -> PageBytes:
            nonlocal tries
            tries += 1
            turn = self._pace.turn(self._line, excused=at_once, longest_wait=self._retry.wait_max)
            async with self._connections, turn:
                self.requests += 1
                tally.requests += 1
                if tries > 1:
                    tally.retries += 1
                return await self._exchange(query, page, per_page)

        def wait(error: Exception) -> bool | float:
            again = 0.0 if at_once(error) else wait_before_retry(error)
            if again is not False and tries < self._retry.attempts:
                log.warning("page %d: try %d of %d, after: %s", page, tries + 1, self._retry.attempts, error)
            return again

        try:
            return await one_try()
        except Infin8Error as error:
            failures.append(error)

        import stamina  # noqa: PLC0415  # it takes its time, to load and for each call, and hardly a request needs it

        @stamina.retry(
            on=wait,
            attempts=self._retry.attempts,
            timeout=None,
            wait_initial=self._retry.wait_initial,
            wait_max=self._retry.wait_max,
            wait_jitter=self._retry.wait_initial,
        )
        async def retried() -> PageBytes:
            if failures:
                raise failures.pop()  # no name for it here: this frame and the error would hold each other
            return await one_try()

        try:
            return await retried()
        except Infin8Error as error:
            last = error
        raise without_frames(last)

    async def ask(self, query: CdrQuery, page: int, per_page: int, *, https: bool) -> tuple[PageBytes, Answer]:
        """
        One page by one request, which is not sent again; by https to the same host if wanted. No failure but a refusal
        for too many requests slows the session down.

        Raises:
            Infin8Error: As the request ended.
        """
        url = self._url.with_scheme("https") if https else self._url
        async with self._connections, self._pace.turn(self._line, excused=_says_nothing_of_load):
            self.requests += 1
            started = asyncio.get_running_loop().time()
            answer, headers = await self._post(url, query, page, per_page)
            return answer, Answer(headers, asyncio.get_running_loop().time() - started)

    def start(self, coroutine: Coroutine[object, object, _T]) -> "asyncio.Task[_T]":
        """Begin something in a task of its own, which ends with this transport at the latest."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def wait_for(self, coroutine: Coroutine[object, object, _T]) -> _T:
        """
        Wait for something that ends with this transport at the latest.

        Raises:
            RuntimeError: The session was closed meanwhile.
        """
        return await result_of(self.start(coroutine), owner="session")

    def _ended(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # or asyncio would print it if no reader ever asks for it

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        try:
            await cancel(self._tasks)
        finally:
            self._pace.leave(self._line)

    async def _exchange(self, query: CdrQuery, page: int, per_page: int) -> PageBytes:
        answer, _ = await self._post(self._url, query, page, per_page)
        return answer

    async def _post(self, url: URL, query: CdrQuery, page: int, per_page: int) -> tuple[PageBytes, Mapping[str, str]]:
        try:
            async with self._http.post(
                url,
                data=form(self._credentials, query, page, per_page),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                allow_redirects=False,
                raise_for_status=False,
            ) as response:
                self.clock.hear(response.headers)
                answer = read_page(
                    response.status,
                    response.headers,
                    await _whole_body(response, page),
                    page=page,
                    per_page=per_page,
                    secret=self._credentials.accesskey,
                )
                return answer, response.headers
        except TimeoutError as error:
            detail = f"nothing whole from {url.host}:{url.port} within {self._timeout:g} s"
            raise TransportError(detail) from error.with_traceback(None)
        except (aiohttp.ClientError, OSError) as error:
            detail = masked(_in_words(error, url), self._credentials.accesskey)
            final = isinstance(error, aiohttp.ClientSSLError)
            # Its frames hold what had come of the body so far, phone numbers and all.
            raise TransportError(detail, transient=not final) from error.with_traceback(None)


def _in_words(error: aiohttp.ClientError | OSError, url: URL) -> str:
    """What went wrong, and with which host and port."""
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        # In aiohttp's own words there is an `ssl:default`, and the address as Python writes a tuple.
        cause = error.os_error
        reason = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror or str(cause)
        return f"Cannot connect to host {error.host}:{error.port}: {reason}"
    return f"{url.host}:{url.port}: {str(error) or type(error).__name__}"


def _says_nothing_of_load(error: Infin8Error) -> bool:
    return not isinstance(error, ResponseError) or error.status != HTTPStatus.TOO_MANY_REQUESTS


def _closed_as_we_sent(error: Exception) -> bool:
    """Whether the server closed a connection instead of answering, as it may after its keep-alive time."""
    closed = isinstance(error.__cause__, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
    return closed and not isinstance(error.__cause__, aiohttp.ClientConnectorError)


def _most_connections(http: aiohttp.ClientSession, concurrency: int) -> int:
    """How many requests find a connection at once: the wait for one would count against a request's timeout."""
    connector: aiohttp.BaseConnector | None = getattr(http, "connector", None)  # a stand-in in a test may have none
    limits = (connector.limit, connector.limit_per_host) if connector else ()
    return min([concurrency, *filter(None, limits)])


async def _whole_body(response: aiohttp.ClientResponse, page: int) -> bytes:
    """The body after decompression, refused while it streams once it is larger than any page could be."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            response.close()
            raise ResponseError(response.status, page, f"a body of more than {LARGEST_BODY >> 20} MiB")
    log.debug("page %d: HTTP %d, %d bytes", page, response.status, size)
    return b"".join(chunks)
