"""
A page to leave open on a screen: today's figures, calls by hour, calls to return, live, for any number of browsers.

    pip install 'infin8-async'
    python examples/wallboard.py --sandbox                                                    # and open what it prints
    INFIN8_APPID=… INFIN8_ACCESSKEY=… INFIN8_USERNAME=… python examples/wallboard.py --port 8080

One task follows the platform, however many browsers watch. Each is sent the newest state as it changes, and a browser
that loses its connection comes back by itself. Nothing is stored: started again, it reads today's calls once more.
"""

import argparse
import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from datetime import datetime, time, timedelta
from pathlib import Path

from aiohttp import web
from msgspec import json

from infin8_async import BEIJING, Cdr, CdrQuery, Infin8Error, Infin8Session
from infin8_async.figures import Figures, figures
from infin8_async.testing import Sandbox

PAGE = Path(__file__).with_suffix(".html")
POLICY = "default-src 'none'; connect-src 'self'; img-src data:; script-src 'nonce-{0}'; style-src 'nonce-{0}'"
HEARTBEAT = 15.0  # seconds; a browser that has gone is noticed when something is sent to it
PAUSE = 10.0


class Board:
    """
    What the screens show.

    Args:
        session: The platform.

        interval: From one poll to the next.

        numbers: Whether phone numbers are shown.
    """

    def __init__(self, session: Infin8Session, *, interval: timedelta, numbers: bool = False) -> None:
        self._session = session
        self._interval = interval
        self._numbers = numbers
        self._today: Figures | None = None
        self._midnight = midnight()
        self._trouble = ""
        self._changed = asyncio.Condition()
        self._closed = False

    async def follow(self) -> None:
        """Keep up with the platform until cancelled; while it refuses or can't be reached, say so and try again."""
        while True:
            self._today, self._midnight = await figures([]), midnight()
            query = CdrQuery(self._midnight)
            try:
                async with (
                    self._session.follow(query, interval=self._interval) as feed,
                    aclosing(feed.batches()) as batches,
                ):
                    async for cdrs in batches:
                        await self._count(cdrs)
            except Infin8Error as error:
                await self._say(str(error))
            await asyncio.sleep(PAUSE)

    async def states(self) -> AsyncGenerator[bytes]:
        """What to show, now and whenever it changes; and from time to time the same again."""
        while not self._closed:
            yield json.encode(self._state())
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT), self._changed:
                    await self._changed.wait()

    async def close(self) -> None:
        """Let all browsers go."""
        self._closed = True
        await self._say("")

    async def _count(self, cdrs: Sequence[Cdr]) -> None:
        """Count calls. Figures of parts add up, so no call has to be kept."""
        self._turn_over()
        today = [cdr for cdr in cdrs if cdr.starttime is not None and cdr.starttime >= self._midnight]
        self._today = (self._today or await figures([])) + await figures(today)
        await self._say("")

    async def _say(self, trouble: str) -> None:
        self._trouble = trouble
        async with self._changed:
            self._changed.notify_all()

    def _turn_over(self) -> None:
        if midnight() != self._midnight:
            self._today, self._midnight = None, midnight()

    def _state(self) -> dict[str, object]:
        self._turn_over()
        now = self._today
        if now is None:
            return {"day": f"{self._midnight:%Y-%m-%d}", "trouble": self._trouble}
        callbacks = now.callbacks()
        return {
            "day": f"{self._midnight:%Y-%m-%d}",
            "trouble": self._trouble,
            "calls": now.calls,
            "answered": percent(now.answered.value),
            "missed": now.missed.part,
            "within": percent(now.within.value),
            "wait": "" if now.time_to_answer.p50 is None else f"{now.time_to_answer.p50} s",
            "talk": f"{now.talk_time / timedelta(hours=1):.1f} h",
            "atOnce": now.most_at_once.calls,
            "toReturn": len(callbacks),
            "hours": [[now.by_hour[hour].calls, now.by_hour[hour].answered] for hour in range(24)],
            "callbacks": [
                {"number": self._shown(who.number), "calls": who.calls, "last": f"{who.last:%H:%M}"}
                for who in callbacks[:10]
            ],
        }

    def _shown(self, number: str) -> str:
        return number if self._numbers else f"***{number[-4:]}"


def midnight() -> datetime:
    """When today began, in Beijing."""
    return datetime.combine(datetime.now(BEIJING).date(), time(), BEIJING)


def percent(share: float | None) -> str:
    """A share in words."""
    return "" if share is None else f"{100 * share:.0f} %"


def make_app(board: Board) -> web.Application:
    """Build the service around a board."""

    async def page(_: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe()
        text = PAGE.read_text("utf-8").replace("{nonce}", nonce)
        headers = {"Content-Security-Policy": POLICY.format(nonce), "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n")
        with suppress(ConnectionResetError):  # the browser has gone
            async with aclosing(board.states()) as states:
                async for state in states:
                    await response.write(b"data: " + state + b"\n\n")
        return response

    async def following(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.get_running_loop().create_task(board.follow())
        yield
        task.cancel()
        await asyncio.wait([task])

    async def shut_down(_: web.Application) -> None:
        await board.close()

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/events", events)
    app.cleanup_ctx.append(following)
    app.on_shutdown.append(shut_down)
    return app


async def main() -> None:
    """Serve the board until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A page to leave open on a screen: today's calls, live.")
    parser.add_argument("--sandbox", action="store_true", help="show made-up calls; needs no account")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen; anybody who gets there can watch")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--interval", type=float, help="seconds from one poll to the next")
    parser.add_argument("--numbers", action="store_true", help="show phone numbers whole")
    options = parser.parse_args()
    interval = timedelta(seconds=options.interval or (2 if options.sandbox else 30))
    async with AsyncExitStack() as stack:
        if options.sandbox:
            sandbox = await stack.enter_async_context(Sandbox(2000, start=datetime.now(BEIJING).date(), live=0.5))
            session = Infin8Session(sandbox.credentials, base_url=sandbox.base_url)
        else:
            session = Infin8Session.from_env()
        await stack.enter_async_context(session)
        app = make_app(Board(session, interval=interval, numbers=options.numbers))
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, options.host, options.port).start()
        host, port = runner.addresses[0][:2]
        print(f"http://{host}:{port}/", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
