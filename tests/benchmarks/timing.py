"""How long a pull takes from a slow platform, and from a fast one."""

from collections.abc import Callable, Sequence
from math import ceil
from statistics import median

import msgspec

from . import library, peers, reference
from .figures import Figure, in_turn, ratio, skipped, spread
from .server import Server

_LATENCY = 0.05
_CONCURRENCY = 16


class _Envelope(msgspec.Struct):
    data: "_Data"


class _Data(msgspec.Struct):
    data: list[dict[str, object]]
    total: int


_dicts = msgspec.json.Decoder(_Envelope).decode


async def _by_hand(url: str, per_page: int, concurrency: int, rows_of: Callable[[bytes], Sequence[object]]) -> int:
    calls = 0
    async with peers.connections(concurrency) as http:
        get = peers.getter(http, url, per_page)
        async for body in peers.window(get, reference.total, per_page, concurrency):
            for _ in rows_of(body):
                calls += 1
    return calls


async def _one_by_one(url: str, pages: int, per_page: int) -> int:
    async with peers.connections(1) as http:
        bodies = peers.one_by_one(peers.getter(http, url, per_page), pages)
        return sum([len(_dicts(body).data.data) async for body in bodies])


async def _gathered(url: str, pages: int, per_page: int) -> int:
    async with peers.connections(_CONCURRENCY) as http:
        bodies = await peers.gathered(peers.getter(http, url, per_page), pages, _CONCURRENCY)
        return sum(len(_dicts(body).data.data) for body in bodies)


async def _aiostream(url: str, pages: int, per_page: int) -> int:
    async with peers.connections(_CONCURRENCY) as http:
        bodies = peers.aiostream_map(peers.getter(http, url, per_page), pages, _CONCURRENCY)
        return sum([len(_dicts(body).data.data) async for body in bodies])


def waiting(*, quick: bool) -> list[Figure]:
    """A platform that takes 50 ms for a page: who lets it wait the least."""
    pages, per_page, rounds = (20, 10, 1) if quick else (200, 100, 5)
    rows, row = pages * per_page, "waiting"
    with Server(rows, latency=_LATENCY) as server:
        url = server.url

        def ours() -> None:
            library.run(library.count_to_the_last(url, rows, concurrency=_CONCURRENCY, per_page=per_page), rows)

        fast: dict[str, Callable[[], object]] = {
            "library": ours,
            "to the proof": lambda: library.run(library.count(url, concurrency=_CONCURRENCY, per_page=per_page), rows),
            "by hand": lambda: library.run(_by_hand(url, per_page, _CONCURRENCY, lambda b: _dicts(b).data.data), rows),
            "gather": lambda: library.run(_gathered(url, pages, per_page), rows),
        }
        if peers.installed("aiostream"):
            fast["aiostream"] = lambda: library.run(_aiostream(url, pages, per_page), rows)
        slow: dict[str, Callable[[], object]] = {
            "aiohttp loop": lambda: library.run(_one_by_one(url, pages, per_page), rows)
        }
        if peers.installed("requests"):
            slow["requests loop"] = lambda: sum(map(len, peers.requests_loop(url, pages, per_page)))
        if peers.installed("dlt"):
            slow["dlt client"] = lambda: sum(map(len, peers.dlt_client(url, pages, per_page)))
        taken = in_turn(fast, rounds, warm=not quick)
        once = in_turn(slow, 1, warm=False)
    ideal = _LATENCY * (1 + ceil((pages - 1) / _CONCURRENCY))
    own = taken["library"]
    figures = [
        Figure(row, "time / by hand", ratio(own, taken["by hand"]), most=1.02, note=spread(own)),
        Figure(
            row,
            "proof after the last call, in latencies",
            (median(taken["to the proof"]) - median(own)) / _LATENCY,
            "x",
            most=1.2,
        ),
        Figure(row, "time / ideal", median(own) / ideal, note=f"ideal {ideal:.2f} s"),
        Figure(row, "by hand: time / library", ratio(taken["by hand"], own), against_library=True),
    ]
    for name, package in {"gather": "", "aiostream": "aiostream"}.items():
        if name in taken:
            figures.append(Figure(row, f"{name}: time / library", ratio(taken[name], own), against_library=True))
        else:
            figures.append(skipped(row, name, package))
    for name, package in {"aiohttp loop": "", "requests loop": "requests", "dlt client": "dlt"}.items():
        if name in once:
            times = once[name][0] / median(own)
            figures.append(Figure(row, f"{name}: time / library", times, note="one round", against_library=True))
        else:
            figures.append(skipped(row, name, package))
    return figures


def working(*, quick: bool) -> list[Figure]:
    """A platform that answers at once: what making records costs."""
    pages, rounds = (3, 1) if quick else (300, 5)
    rows, row = pages * 1000, "working"
    few = min(rows, 50_000)  # the most that are read as one window
    with Server(rows) as server, Server(few) as shallow:
        url = server.url
        contenders: dict[str, Callable[[], object]] = {
            "library": lambda: library.run(library.count(url, concurrency=8), rows),
            "one window": lambda: library.run(library.count(shallow.url, concurrency=8), few),
            "its reference": lambda: library.run(_by_hand(shallow.url, 1000, 8, reference.cdrs), few),
            "pages": lambda: library.run(library.count_by_pages(url, concurrency=8), rows),
            "reference": lambda: library.run(_by_hand(url, 1000, 8, reference.cdrs), rows),
        }
        if peers.installed("requests"):
            contenders["requests"] = lambda: sum(map(len, peers.requests_loop(url, pages, 1000)))
        taken = in_turn(contenders, rounds, warm=not quick)
    own = taken["library"]
    each = ratio(own, taken["pages"]) - 1
    figures = [
        Figure(row, "records a second", rows / median(own) / 1000, "k/s", note=spread(own)),
        Figure(row, "rate / tight loop by hand", ratio(taken["reference"], own), least=0.95),
        Figure(row, "undivided: rate / tight loop", ratio(taken["its reference"], taken["one window"])),
        Figure("per item", "async for beyond pages()", 100 * each, "%", most=10),
    ]
    if "requests" in taken:
        what = "typed rate / dicts of a requests loop"
        figures.insert(2, Figure(row, what, ratio(taken["requests"], own), least=1))
    else:
        figures.insert(2, skipped(row, "requests loop", "requests"))
    return figures
