"""
A FastAPI service: calls of a window as JSON Lines, and the missed calls of the last hours.

    pip install infin8-async 'fastapi>=0.118' uvicorn
    INFIN8_APPID=… INFIN8_ACCESSKEY=… INFIN8_USERNAME=… python examples/fastapi_service.py

    GET /calls?start=2020-06-10 00:00:00&end=2020-06-11 00:00:00
    GET /missed

The service opens one session when it starts, and closes it when it stops. A client that reads slowly slows its pull
down; a client that goes away ends it. Missed calls are followed in the background, for all clients at once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from msgspec import json

from infin8_async import BEIJING, CallDirection, Cdr, CdrPage, CdrQuery, CdrStream, Infin8Error, Infin8Session


async def window(request: Request, start: str, end: str) -> AsyncIterator[CdrStream]:
    """Pull a window. FastAPI leaves the block when the response has been sent, or its client has gone."""
    try:
        query = CdrQuery(start, end)
    except ValueError as error:
        raise HTTPException(422, f"start or end: {error}") from None
    async with request.app.state.session.cdrs(query) as stream:
        yield stream


async def calls(stream: Annotated[CdrStream, Depends(window)]) -> StreamingResponse:
    """Stream the calls of a window, each as one line of JSON."""
    pages = stream.pages()
    try:
        first = await anext(pages, None)  # the status is sent after it, so that a refusal can still be one
    except Infin8Error as error:
        raise HTTPException(502, str(error)) from error
    return StreamingResponse(lines(first, pages), media_type="application/x-ndjson")


async def lines(page: CdrPage | None, pages: AsyncGenerator[CdrPage]) -> AsyncIterator[bytes]:
    """Make lines of pages. An error cuts the connection, so that the client can't take what it has for the whole."""
    while page is not None:
        yield b"".join(json.encode(cdr.to_dict()) + b"\n" for cdr in page.cdrs)
        page = await anext(pages, None)


async def missed(request: Request) -> list[dict[str, object]]:
    """Give the missed calls of the last hours, newest first."""
    if request.app.state.following.done():
        raise HTTPException(503, "calls are not followed any more: restart the service")
    return [cdr.to_dict() for cdr in request.app.state.missed]


async def follow(session: Infin8Session, missed: deque[Cdr]) -> None:
    """Keep the latest missed calls, newest first. Ends only if the platform refuses."""
    query = CdrQuery(datetime.now(BEIJING) - timedelta(hours=4), context=CallDirection.INCOMING)
    async with session.follow(query) as feed:
        async for cdr in feed:
            if not cdr.answered:
                missed.appendleft(cdr)


def make_app(session: Infin8Session) -> FastAPI:
    """Build the service around a session that it opens and closes."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.session = session
        app.state.missed = deque[Cdr](maxlen=1000)
        async with session:
            app.state.following = following = asyncio.create_task(follow(session, app.state.missed))
            yield
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following  # if the platform has refused, this says why

    app = FastAPI(title="Calls", lifespan=lifespan)
    app.get("/calls")(calls)
    app.get("/missed")(missed)
    return app


if __name__ == "__main__":
    # Without a limit, a client that still reads would keep the service from stopping.
    uvicorn.run(make_app(Infin8Session.from_env()), timeout_graceful_shutdown=5)
