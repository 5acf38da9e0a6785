"""
A service that the platform's push wakes: each call is handed over, once, within a second of its end. Until Ctrl-C.

    python examples/push.py --sandbox                                                         # needs no account
    INFIN8_APPID=… INFIN8_ACCESSKEY=… INFIN8_USERNAME=… python examples/push.py --host 0.0.0.0 --checkpoint calls.json

Have the platform push to http://this-machine:8080/push. A push can get lost, be forged or come twice, and it bears no
signature. So what it says is not even read: it means that it is time to ask the platform. A lost push costs one
interval, and a flood of forged pushes at most one poll a second.
"""

import argparse
import asyncio
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta

from aiohttp import web

from infin8_async import BEIJING, Cdr, CdrFeed, CdrQuery, Infin8Session
from infin8_async.testing import Sandbox

PATH = "/push"


def make_app(feed: CdrFeed) -> web.Application:
    """Build the service that wakes a feed. Which answer the platform expects is not documented."""

    async def push(_: web.Request) -> web.Response:
        feed.poll_now()
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post(PATH, push)
    return app


def take(cdr: Cdr) -> None:
    """Do with a call what the service is for."""
    print(f"{datetime.now(BEIJING):%H:%M:%S}  call {cdr.id} ended at {cdr.endtime:%H:%M:%S}", flush=True)


async def main(options: argparse.Namespace) -> None:
    """Hand over calls until cancelled, or until the platform refuses."""
    async with AsyncExitStack() as stack:
        if options.sandbox:
            address = f"http://{options.host}:{options.port}{PATH}"
            sandbox = await stack.enter_async_context(Sandbox(0, live=1, push_to=address))
            session = Infin8Session(sandbox.credentials, base_url=sandbox.base_url)
        else:
            session = Infin8Session.from_env()
        await stack.enter_async_context(session)
        query = CdrQuery(datetime.now(BEIJING) - timedelta(minutes=10))
        feed = await stack.enter_async_context(session.follow(query, checkpoint=options.checkpoint))
        runner = web.AppRunner(make_app(feed), access_log=None)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port).start()
        async for cdr in feed:
            take(cdr)


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Hand over each call as soon as the platform pushes.")
    parser.add_argument("--sandbox", action="store_true", help="made-up calls; needs no account")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen; the platform must get there")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--checkpoint", help="a file that remembers which calls have been taken")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(options()))
