"""Scripted faults: what the next requests get instead of the right answer."""

import asyncio
import socket
import struct
from collections.abc import Mapping

from aiohttp import web
from attrs import define, field

_PIECE = 64  # bytes of a dripping body


@define
class Fault:
    """
    A fault of one kind; see `Sandbox.fail` for the kinds.

    Attributes:
        times: How many more requests get it; None for all.

        page: Only for requests of this page; None for any.
    """

    times: int | None = 1
    page: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(factory=dict)
    code: int | None = None
    msg: str | None = None
    body: bytes | None = None
    cut: bool = False
    hang: bool = False
    reset: bool = False
    drip: float | None = None

    def __attrs_post_init__(self) -> None:
        kinds = [
            self.status is not None or self.body is not None,
            self.code is not None,
            self.cut,
            self.hang,
            self.reset,
        ]
        if [*kinds, self.drip is not None].count(True) != 1:
            raise ValueError("a fault is one of: status and body, code, cut, hang, reset, drip")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times must be at least 1, or None for ever, not {self.times}")


class Faults:
    """Something with a script of faults."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []

    def fail(
        self,
        times: int | None = 1,
        *,
        page: int | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        code: int | None = None,
        msg: str | None = None,
        body: bytes | None = None,
        cut: bool = False,
        hang: bool = False,
        reset: bool = False,
        drip: float | None = None,
    ) -> None:
        """
        Script a fault of one kind. Faults come in the order in which they were scripted.

        Args:
            times: How many requests get it; None for all from now on.

            page: Only for requests of this page.

            status: An HTTP status, with *headers* and *body* if given.

            headers: Of that answer.

            code: A code of the platform, in a complete answer with status 200.

            msg: The message of that code; the documented one if not given.

            body: Any bytes, with status 200 or *status*.

            cut: Half a body, then the connection is closed.

            hang: No answer, until the client leaves or the sandbox ends.

            reset: No answer; the connection is reset.

            drip: The right answer in pieces of 64 bytes, this many seconds apart.

        Raises:
            ValueError: The fault is of no kind, or of two.
        """
        self._coming.append(
            Fault(times, page, status, headers or {}, code, msg, body, cut=cut, hang=hang, reset=reset, drip=drip)
        )

    def recover(self) -> None:
        """Forget all faults that are still to come."""
        self._coming.clear()

    def _take_fault(self, page: int) -> Fault | None:
        """The fault for a request for *page*, or None. It is used up if it was for one request."""
        for fault in self._coming:
            if fault.page in (None, page):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._coming.remove(fault)
                return fault
        return None


async def suffer(fault: Fault, request: web.Request, answer: bytes, closing: asyncio.Event) -> web.StreamResponse:
    """
    Answer a request with a fault.

    Args:
        fault: Any fault but a code of the platform.

        request: What to answer.

        answer: The right body.

        closing: Ends a hang or a drip at once.
    """
    if fault.status is not None or fault.body is not None:
        return web.Response(status=fault.status or 200, headers=fault.headers, body=fault.body or b"")
    if fault.hang:
        await closing.wait()
    elif not fault.reset:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(answer))})
        await response.prepare(request)
        if fault.cut:
            await response.write(answer[: len(answer) // 2])
        for start in range(0, len(answer) if fault.drip is not None else 0, _PIECE):
            await response.write(answer[start : start + _PIECE])
            if await _closed_within(closing, fault.drip or 0):
                break
        else:
            if fault.drip is not None:
                return response
    _hang_up(request, reset=fault.reset)
    return web.Response()


async def _closed_within(closing: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await closing.wait()
    except TimeoutError:
        return False
    return True


def _hang_up(request: web.Request, *, reset: bool) -> None:
    """Close the connection of a request, or reset it."""
    transport = request.transport
    if transport is None:
        return
    if reset:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()
