"""The library, as a user calls it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest import mock

from infin8_async import CdrQuery, CdrStream, Credentials, Infin8Session
from infin8_async._pull.scan import Depth, Scan

from .calls import WINDOW

QUERY = CdrQuery(*WINDOW)


@asynccontextmanager
async def stream(url: str, *, concurrency: int, per_page: int = 1000) -> AsyncIterator[CdrStream]:
    credentials = Credentials("a", "k", username="u")
    async with (
        Infin8Session(credentials, base_url=url, concurrency=concurrency, per_page=per_page) as session,
        session.cdrs(QUERY) as pull,
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


async def count_by_pages(url: str, *, concurrency: int, per_page: int = 1000) -> int:
    """The same, page by page."""
    calls = 0
    async with stream(url, concurrency=concurrency, per_page=per_page) as pull:
        async for page in pull.pages():
            for _ in page.cdrs:
                calls += 1
    return calls


@contextmanager
def undivided() -> Iterator[None]:
    """However deep a window is, it is read by page numbers alone."""
    with mock.patch.dict(Scan.__init__.__kwdefaults__, depth=Depth(deep=sys.maxsize)):
        yield


def run(work: Coroutine[Any, Any, int], expected: int) -> None:
    """Run it in a loop of its own; whoever is fast because rows are missing is found out."""
    calls = asyncio.run(work)
    assert calls == expected, f"{calls} calls instead of {expected}"
