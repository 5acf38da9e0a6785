"""What the host of a pull notices of it: how late its own work comes, and what is fetched for nobody."""

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable, Coroutine
from statistics import median, quantiles

from infin8_async import Credentials, Infin8Session

from . import library, peers, reference
from .figures import Figure, in_turn, ratio, skipped
from .server import Server

_TICK = 0.001
_MANY = 32


async def lags_during(work: Awaitable[object]) -> list[float]:
    """How many milliseconds too late a tick of one came, each time, while the work was done."""
    lags = []

    async def tick() -> None:
        while True:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            lags.append(1000 * (time.perf_counter() - due))

    ticker = asyncio.ensure_future(tick())
    await work
    ticker.cancel()
    return lags


class _Counting(selectors.DefaultSelector):
    """Counts the turns of an event loop: each of them looks once at its sockets."""

    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        return super().select(timeout)


def _turns(work: Coroutine[object, object, object]) -> int:
    """How many turns of its loop some work takes."""
    selector = _Counting()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(work)
    return selector.turns


async def _give_turns(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def thrown_away(url: str) -> None:
    async with peers.connections(_MANY) as http:
        async for _ in peers.window(peers.getter(http, url, 1000), reference.total, 1000, _MANY):
            pass


def p99(these: list[float]) -> float:
    return quantiles(these, n=100, method="inclusive")[98]


def loop(*, quick: bool) -> list[Figure]:
    """A clock that ticks during a pull, and while the same bytes are fetched and thrown away."""
    pages, rounds = (5, 1) if quick else (200, 5)
    row = "host's loop"
    with Server(pages * 1000) as server:
        url = server.url

        works: dict[str, Callable[[], Coroutine[object, object, object]]] = {
            "library": lambda: library.count(url, concurrency=_MANY),
            "bytes": lambda: thrown_away(url),
        }
        lags: dict[str, list[list[float]]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                lags[name].append(sorted(asyncio.run(lags_during(work()))))
        given = _turns(works["library"]()) - _turns(works["bytes"]())
        contenders = {
            "library": lambda: library.run(library.count(url, concurrency=_MANY), pages * 1000),
            "turns": lambda: asyncio.run(_give_turns(given)),
        }
        taken = in_turn(contenders, rounds, warm=False)

    def middle(name: str, part: Callable[[list[float]], float]) -> float:
        return median(map(part, lags[name]))

    figures = []
    for name, what in (("library", "lag"), ("bytes", "lag, bytes thrown away")):
        most = 20 if name == "library" else None
        figures += [
            Figure(row, f"{what}, p50", middle(name, median), "ms"),
            Figure(row, f"{what}, p99", middle(name, p99), "ms"),
            Figure(
                row, f"{what}, max", middle(name, max), "ms", most=most, note=f"worst {max(map(max, lags[name])):.0f}"
            ),
        ]
    figures.append(Figure(row, "lag p99 / bytes thrown away", middle("library", p99) / middle("bytes", p99), most=2))
    share = ratio(taken["turns"], taken["library"])
    figures.append(Figure(row, "cost of giving turns", 100 * share, "%", most=5, note=f"{given} turns"))
    return figures


def unread(*, quick: bool) -> list[Figure]:
    """Requests for rows that nobody reads: behind a reader who stays at the first row, and after a `break`."""
    pages, concurrency, pause = 40, 16, 0.2 if quick else 1.0
    row = "unread"

    async def ours(url: str, *, leave: bool) -> None:
        credentials = Credentials("a", "k", username="u")
        async with Infin8Session(credentials, base_url=url, concurrency=concurrency, per_page=10) as session:
            async for _ in session.cdrs(library.QUERY):
                if leave:
                    break
                await asyncio.sleep(pause)
                return
            await asyncio.sleep(pause)

    async def aiostream(url: str, *, leave: bool) -> None:
        async with peers.connections(concurrency) as http:
            async for _ in peers.aiostream_map(peers.getter(http, url, 10), pages, concurrency):
                if leave:
                    break
                await asyncio.sleep(pause)
                return
            await asyncio.sleep(pause)

    async def gather(url: str, *, leave: bool) -> None:
        async with peers.connections(concurrency) as http:
            for _ in await peers.gathered(peers.getter(http, url, 10), pages, concurrency):
                return

    figures = []
    for name, pull in {"library": ours, "gather": gather, "aiostream": aiostream}.items():
        if name == "aiostream" and not peers.installed(name):
            figures.append(skipped(row, name, name))
            continue
        for leave, what in ((False, "behind a reader at its first row"), (True, "after a break at the first row")):
            with Server(pages * 10, latency=0.01) as server:
                asyncio.run(pull(server.url, leave=leave))
                most = concurrency if name == "library" else None
                figures.append(Figure(row, f"{name}, {what}", server.requests() - 1, "requests", most=most))
    return figures
