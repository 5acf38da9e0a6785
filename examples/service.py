"""
An aiohttp service that streams a window of calls as JSON Lines.

    GET /calls?start=2020-06-10 00:00:00&end=2020-06-11 00:00:00

One session for the whole service, opened and closed with it. A client that reads slowly slows the pull down; a client
that goes away ends it: the handler is cancelled, and with it every request to the platform under way.
"""

from collections.abc import AsyncIterator

from aiohttp import web
from msgspec import json

from infin8_async import CdrQuery, Infin8Error, Infin8Session

SESSION = web.AppKey("SESSION", Infin8Session)


async def calls(request: web.Request) -> web.StreamResponse:
    """Stream the calls of one window, each as one line of JSON."""
    try:
        query = CdrQuery(request.query["start"], request.query["end"])
    except (KeyError, ValueError) as error:
        raise web.HTTPBadRequest(
            text=f"start and end, please, as 'YYYY-MM-DD HH:MM:SS' in Beijing time: {error}"
        ) from None
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    async with request.app[SESSION].cdrs(query) as stream:
        try:
            async for page in stream.pages():
                if not response.prepared:
                    await response.prepare(request)
                await response.write(b"".join(json.encode(cdr.to_dict()) + b"\n" for cdr in page.cdrs))
        except Infin8Error as error:
            if not response.prepared:
                raise web.HTTPBadGateway(text=str(error)) from error
            raise  # the connection is cut, so that the client can't take what it has for the whole
    if not response.prepared:
        await response.prepare(request)
    await response.write_eof()
    return response


def make_app(session: Infin8Session) -> web.Application:
    """Build the service around a session that it opens and closes."""

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        async with session:
            app[SESSION] = session
            yield

    app = web.Application()
    app.cleanup_ctx.append(lifetime)
    app.router.add_get("/calls", calls)
    return app


if __name__ == "__main__":
    web.run_app(make_app(Infin8Session.from_env()), handler_cancellation=True)
