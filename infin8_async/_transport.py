"""The only place that speaks HTTP: one request, its limits, its retries."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

import aiohttp
import stamina
from aiolimiter import AsyncLimiter
from attrs import define
from yarl import URL

from ._protocol import LARGEST_BODY, PATH, PageBytes, form, masked, read_page, wait_before_retry
from .errors import ResponseError, TransportError
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
        self._permits = asyncio.Semaphore(concurrency)
        self._pace = AsyncLimiter(1, 1 / max_rate) if max_rate else None
        self._timeout = timeout
        self._retry = retry
        self._tasks: set[asyncio.Task[PageBytes]] = set()

    async def fetch(self, query: CdrQuery, page: int, per_page: int, tally: Tally) -> PageBytes:
        """
        One page, after as many tries as the policy allows. A wait between two tries holds no permit.

        Raises:
            Infin8Error: As the last try ended.
        """
        async for attempt in stamina.retry_context(
            on=wait_before_retry,
            attempts=self._retry.attempts,
            timeout=None,
            wait_initial=self._retry.wait_initial,
            wait_max=self._retry.wait_max,
            wait_jitter=self._retry.wait_initial,
        ):
            with attempt:
                async with self._permits:
                    if self._pace is not None:
                        await self._pace.acquire()
                    tally.requests += 1
                    tally.retries += attempt.num > 1
                    return await self._request(query, page, per_page)
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

    async def _request(self, query: CdrQuery, page: int, per_page: int) -> PageBytes:
        try:
            async with self._http.post(
                self._url,
                data=form(self._credentials, query, page, per_page),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                allow_redirects=False,
                raise_for_status=False,
            ) as response:
                body = await _whole_body(response, page)
        except TimeoutError as error:
            raise TransportError(f"nothing whole within {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            detail = masked(str(error) or type(error).__name__, self._credentials.accesskey)
            raise TransportError(detail, transient=not isinstance(error, aiohttp.ClientSSLError)) from error
        log.debug("page %d: HTTP %d, %d bytes", page, response.status, len(body))
        return read_page(
            response.status,
            response.headers,
            body,
            page=page,
            per_page=per_page,
            secret=self._credentials.accesskey,
        )


async def _whole_body(response: aiohttp.ClientResponse, page: int) -> bytes:
    """The body after decompression, refused while it streams once it is larger than any page could be."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_BODY:
            response.close()
            raise ResponseError(response.status, page, f"a body of more than {LARGEST_BODY >> 20} MiB")
    return bytes(body)


async def cancel(tasks: Iterable["asyncio.Task[PageBytes]"]) -> None:
    """Cancel tasks and wait until every one has ended, however it ends."""
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)
