"""The only place that speaks HTTP: one request, its limits, its retries."""

import asyncio
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import aiohttp
import stamina
from attrs import define
from yarl import URL

from ._pace import Pace
from ._protocol import (
    LARGEST_BODY,
    LONGEST_RETRY_AFTER,
    PATH,
    PageBytes,
    form,
    masked,
    read_page,
    wait_before_retry,
    without_frames,
)
from .errors import Infin8Error, ResponseError, TransportError
from .models import CdrQuery, Credentials, RetryPolicy

log: Final = logging.getLogger("infin8_async")


@define
class Tally:
    """What one pull has cost so far: every HTTP request, and those among them that repeat a failed one."""

    requests: int = 0
    retries: int = 0


class Transport:
    """
    Requests pages, at most *concurrency* at once, and owns every task that does so ahead of a reader.

    Args:
        http: What the requests go through; its owner closes it.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        credentials: Credentials,
        base_url: URL,
        *,
        concurrency: int,
        timeout: float,
        retry: RetryPolicy,
        max_rate: float | None,
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._url = base_url / PATH
        self._pace = Pace(concurrency, max_rate)
        self._timeout = timeout
        self._retry = retry
        self._tasks: set[asyncio.Task[PageBytes]] = set()

    async def fetch(self, query: CdrQuery, page: int, per_page: int, tally: Tally) -> PageBytes:
        """
        One page, after as many tries as the policy allows. A wait between two tries holds no permit.

        Raises:
            Infin8Error: As the last try ended.
        """
        failed: Exception | None = None

        def decide(error: Exception) -> bool | float:
            nonlocal failed
            failed = error
            return wait_before_retry(error)

        async for attempt in stamina.retry_context(
            on=decide,
            attempts=self._retry.attempts,
            timeout=None,
            wait_initial=self._retry.wait_initial,
            wait_max=self._retry.wait_max,
            wait_jitter=self._retry.wait_initial,
        ):
            with attempt:
                if attempt.num > 1:
                    await self._pace.retry()
                    tally.retries += 1
                    log.warning("page %d: try %d of %d, after: %s", page, attempt.num, self._retry.attempts, failed)
                async with self._pace.turn() as mark:
                    tally.requests += 1
                    return await self._request(query, page, per_page, mark)
        raise AssertionError("stamina either returns or raises")

    def start(self, query: CdrQuery, page: int, per_page: int, tally: Tally) -> "asyncio.Task[PageBytes]":
        """Begin to fetch a page in a task of its own, which ends with this transport at the latest."""
        task = asyncio.get_running_loop().create_task(self.fetch(query, page, per_page, tally))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[PageBytes]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at here, so that nothing is printed where no reader ever comes for it

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        await cancel(self._tasks)

    async def _request(self, query: CdrQuery, page: int, per_page: int, mark: int) -> PageBytes:
        """One request, whose outcome sets the pace of those to come."""
        try:
            answer = await self._exchange(query, page, per_page)
        except Infin8Error as error:
            failure = error
        else:
            self._pace.good()
            return answer
        if failure.transient:
            response = failure if isinstance(failure, ResponseError) else None
            pause = min(response.retry_after or 0.0, LONGEST_RETRY_AFTER) if response else 0.0
            too_many = response is not None and response.status == HTTPStatus.TOO_MANY_REQUESTS
            self._pace.trouble(mark, too_many=too_many, pause=pause)
        raise without_frames(failure)

    async def _exchange(self, query: CdrQuery, page: int, per_page: int) -> PageBytes:
        try:
            async with self._http.post(
                self._url,
                data=form(self._credentials, query, page, per_page),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                allow_redirects=False,
                raise_for_status=False,
            ) as response:
                return read_page(
                    response.status,
                    response.headers,
                    await _whole_body(response, page),
                    page=page,
                    per_page=per_page,
                    secret=self._credentials.accesskey,
                )
        except TimeoutError as error:
            raise TransportError(f"nothing whole within {self._timeout:g} s") from error.with_traceback(None)
        except (aiohttp.ClientError, OSError) as error:
            detail = masked(str(error) or type(error).__name__, self._credentials.accesskey)
            final = isinstance(error, aiohttp.ClientSSLError)
            # Its frames hold what had come of the body so far, phone numbers and all.
            raise TransportError(detail, transient=not final) from error.with_traceback(None)


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


async def cancel(tasks: Iterable["asyncio.Task[PageBytes]"]) -> None:
    """Cancel tasks and wait until every one has ended, however it ends and however often the caller is cancelled."""
    pending = {task for task in tasks if not task.done()}
    for task in pending:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while pending:
        try:
            _, pending = await asyncio.wait(pending)
        except asyncio.CancelledError as error:  # a cancel scope of anyio cancels again at every wait
            cancelled = error
            pending = {task for task in pending if not task.done()}
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            del cancelled  # or it and this frame would hold each other
