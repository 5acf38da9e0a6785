"""The address of the sandbox: it receives requests, takes note of them, and sends answers."""

import asyncio
import gzip
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from email.utils import formatdate
from typing import Final

from aiohttp import web

from ..models import Secret
from ._platform import SandboxRequest
from ._quirks import Quirks

Answer = Callable[[web.Request, SandboxRequest], Awaitable[web.StreamResponse]]

_COMPRESS: Final[Mapping[str, Callable[[bytes], bytes]]] = {"gzip": gzip.compress, "deflate": zlib.compress}
_RETRY_AFTER: Final = "1"  # seconds, which is the time in which requests are counted


class Server:
    """
    An HTTP server on a loopback port.

    Args:
        answer: Gives the answer to a request that is taken.

        port: Where to listen; 0 for any free port.

    Attributes:
        requests: Every request, in the order of arrival.

        in_flight: Requests being answered at this moment.

        most_in_flight: The most requests that were answered at the same moment.

        closing: Set when the server closes.
    """

    def __init__(self, answer: Answer, quirks: Quirks, *, port: int) -> None:
        self.requests: list[SandboxRequest] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closing = asyncio.Event()
        self._answer = answer
        self._quirks = quirks
        self._port = port
        self._workers = asyncio.Semaphore(quirks.workers) if quirks.workers else nullcontext()
        self._taken: deque[float] = deque()  # the last ones, as many as any second may have
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Its host and port while it runs."""
        return self._runner.addresses[0][:2] if self._runner else None

    @property
    def connections(self) -> int:
        """Open connections at this moment."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    async def wait_for_requests(self, count: int) -> None:
        """Wait until *count* requests have arrived in total."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def start(self) -> None:
        """Begin to listen."""
        app = web.Application()
        app.router.add_post("/api/cdrs", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def aclose(self) -> None:
        """Stop at once, with every answer that is under way."""
        self.closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        posted = await http.post()
        form = {name: Secret(value) if name == "accesskey" else str(value) for name, value in posted.items()}
        request = SandboxRequest(form, asyncio.get_running_loop().time())
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        async with self._arrived:
            self._arrived.notify_all()
        try:
            if self._too_many(request.at):
                response: web.StreamResponse = web.Response(status=429, headers={"Retry-After": _RETRY_AFTER})
            else:
                async with self._workers:
                    response = await self._answer(http, request)
        finally:
            self.in_flight -= 1
        if not response.prepared:
            self._dress(http, response)
        return response

    def _too_many(self, now: float) -> bool:
        limit = self._quirks.rate_limit
        if limit is None:
            return False
        if len(self._taken) == limit:
            if now - self._taken[0] < 1:
                return True
            self._taken.popleft()
        self._taken.append(now)
        return False

    def _dress(self, http: web.Request, response: web.StreamResponse) -> None:
        """Give a response the habits of the platform's HTTP server."""
        quirks = self._quirks
        if quirks.clock_skew:
            response.headers["Date"] = formatdate(time.time() + quirks.clock_skew, usegmt=True)
        if not quirks.keep_alive:
            response.force_close()
        accepted = quirks.compression in http.headers.get("Accept-Encoding", "")
        if accepted and isinstance(response, web.Response) and isinstance(response.body, bytes):
            # Not by aiohttp, which compresses in a thread: a simulated clock does not wait for threads.
            response.headers["Content-Encoding"] = quirks.compression
            response.body = _COMPRESS[quirks.compression](response.body)


class Served:
    """What a test can see of a server: its address, and what it is asked."""

    _server: Server

    @property
    def base_url(self) -> str:
        """Its address, for the `base_url` of an `Infin8Session`."""
        if self._server.address is None:
            raise RuntimeError("the sandbox is not running: use it inside 'async with Sandbox(…) as sandbox:'")
        host, port = self._server.address
        return f"http://{host}:{port}"

    @property
    def requests(self) -> list[SandboxRequest]:
        """Every request, in the order of arrival."""
        return self._server.requests

    @property
    def in_flight(self) -> int:
        """Requests being answered at this moment."""
        return self._server.in_flight

    @property
    def most_in_flight(self) -> int:
        """The most requests that were answered at the same moment."""
        return self._server.most_in_flight

    @property
    def connections(self) -> int:
        """Open connections at this moment."""
        return self._server.connections

    async def wait_for_requests(self, count: int) -> None:
        """Wait until *count* requests have arrived in total."""
        await self._server.wait_for_requests(count)
