"""
How long each request takes, seen through aiohttp's own tracing hooks on a session of your own.

The same way leads to OpenTelemetry: give the session the trace configuration of its aiohttp instrumentation. What the
hooks are handed holds no credentials; those are in the body of the request.

    python examples/tracing.py              # against the platform, credentials from INFIN8_* variables
    python examples/tracing.py --sandbox    # against the embedded sandbox
"""

import asyncio
import sys
from datetime import date, timedelta
from types import SimpleNamespace

import aiohttp

from infin8_async import CdrQuery, Infin8Session
from infin8_async.testing import Sandbox


async def on_start(_: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestStartParams) -> None:
    """Remember when a request began."""
    context.began = asyncio.get_running_loop().time()


async def on_end(_: aiohttp.ClientSession, context: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
    """Print what became of it."""
    seconds = asyncio.get_running_loop().time() - context.began
    print(f"{end.method} {end.url.path} {end.response.status} after {seconds * 1000:.0f} ms")


def traced() -> aiohttp.TraceConfig:
    """Put the hooks together."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(on_start)
    config.on_request_end.append(on_end)
    return config


async def main() -> None:
    """Count the calls of the last hour, and see the request that does it."""
    async with aiohttp.ClientSession(trace_configs=[traced()]) as http:
        async with Infin8Session.from_env(http_session=http) as session:
            print(await session.count(CdrQuery.last(timedelta(hours=1))), "calls")


async def main_in_sandbox() -> None:
    """Do the same with calls that nobody made."""
    async with Sandbox(200) as sandbox, aiohttp.ClientSession(trace_configs=[traced()]) as http:
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url, http_session=http) as session:
            print(await session.count(CdrQuery.day(date(2020, 6, 10))), "calls")


if __name__ == "__main__":
    asyncio.run(main_in_sandbox() if "--sandbox" in sys.argv else main())
