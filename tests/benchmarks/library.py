"""The library, as a user calls it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from infin8_async import CdrQuery, CdrStream, Credentials, Infin8Session

from .calls import WINDOW

QUERY = CdrQuery(*WINDOW)


def session(url: str, *, concurrency: int, per_page: int = 1000) -> Infin8Session:
    credentials = Credentials("a", "k", username="u")
    return Infin8Session(credentials, base_url=url, concurrency=concurrency, per_page=per_page)


@asynccontextmanager
async def stream(url: str, *, concurrency: int, per_page: int = 1000) -> AsyncIterator[CdrStream]:
    async with (
        session(url, concurrency=concurrency, per_page=per_page) as opened,
        opened.cdrs(QUERY) as pull,
    ):
        yield pull


async def count(url: str, *, concurrency: int, per_page: int = 1000) -> int:
    """Read every call, one by one, and keep none."""
    calls = 0
    async with stream(url, concurrency=concurrency, per_page=per_page) as pull:
        async for _ in pull:
            calls += 1
    assert pull.report.certified
    return calls


async def count_to_the_last(url: str, rows: int, *, concurrency: int, per_page: int = 1000) -> int:
    """Read every call, one by one, and leave with the last: what proves that it was the last is not waited for."""
    calls = 0
    async with stream(url, concurrency=concurrency, per_page=per_page) as pull:
        async for _ in pull:
            calls += 1
            if calls == rows:
                break
    return calls


async def count_by_pages(url: str, *, concurrency: int, per_page: int = 1000) -> int:
    """The same, page by page."""
    calls = 0
    async with stream(url, concurrency=concurrency, per_page=per_page) as pull:
        async for page in pull.pages():
            for _ in page.cdrs:
                calls += 1
    return calls


async def count_by_place(url: str, *, concurrency: int, per_page: int = 1000) -> int:
    """The same by page numbers alone, however deep the window is."""
    async with session(url, concurrency=concurrency, per_page=per_page) as opened:
        numbers = iter(range(1, -(-await opened.count(QUERY) // per_page) + 1))

        async def work() -> int:
            return sum([len((await opened.page(QUERY, number)).cdrs) for number in numbers])

        return sum(await asyncio.gather(*(work() for _ in range(concurrency))))


def run(work: Coroutine[Any, Any, int], expected: int) -> None:
    """Run it in a loop of its own; speed that comes from missing rows is found out."""
    calls = asyncio.run(work)
    assert calls == expected, f"{calls} calls instead of {expected}"
