"""The same pull by other means: by hand on aiohttp, as most people write it, and with what others publish."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

import aiohttp

from .calls import WINDOW

T = TypeVar("T")
Rows = list[dict[str, Any]]
FORM = {"appid": "a", "accesskey": "k", "username": "u", "starttime": WINDOW[0], "endtime": WINDOW[1]}


def installed(package: str) -> bool:
    return find_spec(package) is not None


def form(page: int, per_page: int) -> dict[str, str]:
    return {**FORM, "page": str(page), "per_page": str(per_page)}


Get = Callable[[int], Awaitable[bytes]]


def getter(http: aiohttp.ClientSession, url: str, per_page: int) -> Get:
    async def get(page: int) -> bytes:
        async with http.post(f"{url}/api/cdrs", data=form(page, per_page)) as answer:
            return await answer.read()

    return get


def connections(concurrency: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency), cookie_jar=aiohttp.DummyCookieJar())


async def window(get: Get, total_of: Callable[[bytes], int], per_page: int, concurrency: int) -> AsyncIterator[bytes]:
    """By hand, with care: a sliding window, in order, the first page telling how many there are."""
    first = await get(1)
    last = -(-total_of(first) // per_page)
    ahead: deque[asyncio.Task[bytes]] = deque()
    started = 1

    def fill() -> None:
        nonlocal started
        while started < last and len(ahead) < concurrency:
            started += 1
            ahead.append(asyncio.ensure_future(get(started)))

    try:
        fill()
        yield first
        while ahead:
            body = await ahead.popleft()
            fill()
            yield body
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


async def one_by_one(get: Get, pages: int) -> AsyncIterator[bytes]:
    for page in range(1, pages + 1):
        yield await get(page)


async def gathered(get: Callable[[int], Awaitable[T]], pages: int, concurrency: int) -> list[T]:
    """A semaphore and `gather`, the recipe found most often."""
    places = asyncio.Semaphore(concurrency)

    async def limited(page: int) -> T:
        async with places:
            return await get(page)

    return await asyncio.gather(*map(limited, range(1, pages + 1)))


async def aiostream_map(get: Get, pages: int, concurrency: int) -> AsyncIterator[bytes]:
    stream = import_module("aiostream").stream

    async def fetched(page: int, *_: int) -> bytes:
        return await get(page)

    async with stream.map(stream.range(1, pages + 1), fetched, ordered=True, task_limit=concurrency).stream() as bodies:
        async for body in bodies:
            yield body


def requests_loop(url: str, pages: int, per_page: int) -> Iterator[Rows]:
    requests = import_module("requests")

    with requests.Session() as http:
        http.trust_env = False
        for page in range(1, pages + 1):
            yield http.post(f"{url}/api/cdrs", data=form(page, per_page), timeout=30).json()["data"]["data"]


def dlt_client(url: str, pages: int, per_page: int) -> Iterator[Rows]:
    rest = import_module("dlt.sources.helpers.rest_client")

    paginator = rest.paginators.PageNumberPaginator(
        base_page=1, page_param="page", total_path=None, maximum_page=pages + 1
    )
    data = {name: value for name, value in form(1, per_page).items() if name != "page"}
    client = rest.RESTClient(url, paginator=paginator, data_selector="data.data")
    yield from client.paginate("api/cdrs", "POST", data=data)
