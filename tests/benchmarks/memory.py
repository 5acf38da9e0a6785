"""
What a pull takes of the memory, and what is loaded before the first one.

`python -m tests.benchmarks.memory library|figures|parquet|sync|gather URL PAGES` prints the most MB that it grew by.
"""

# ruff: noqa: T201

import asyncio
import gc
import os
import sys
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from infin8_async._arrow import arrow
from infin8_async.export import to_parquet
from infin8_async.figures import figures
from infin8_async.store import CdrStore

from . import library, peers
from .figures import Figure
from .processes import printed, printed_by
from .server import Server

_CONCURRENCY = 8
_OPTIONAL = ("cyclopts", "rich", "sqlalchemy", "aiosqlite", "asyncpg", "pyarrow", "dask", "numpy", "pandas")


def memory(*, quick: bool) -> list[Figure]:
    """The most that a pull of many rows adds to an idle process."""
    row = "memory"
    if not Path("/proc/self/status").exists():
        return [Figure(row, "peak above idle", None, note="skipped: needs Linux")]
    peaks: dict[tuple[str, int], float] = {}
    sizes = (1000, 10_000) if quick else (100_000, 1_000_000)
    few, many = sizes
    for rows in sizes:
        with Server(rows) as server:
            for who in ("library", "sync", "gather"):
                if who != "gather" or rows == few or _available() > 8000:
                    peaks[who, rows] = grown(who, server.url, rows // 1000)
    figures = [
        Figure(row, f"library, {few:,} rows", peaks["library", few], "MB", most=40),
        Figure(row, f"library, {many:,} rows", peaks["library", many], "MB", most=40),
        Figure(row, "library, many / few", peaks["library", many] / peaks["library", few], most=1.1),
        Figure(row, f"sync, {few:,} rows", peaks["sync", few], "MB"),
        Figure(row, "sync, many / few", peaks["sync", many] / peaks["sync", few], most=1.1),
    ]
    figures += [Figure(row, f"gather, {n:,} rows", mb, "MB") for (who, n), mb in peaks.items() if who == "gather"]
    return figures


def grown(who: str, url: str, pages: int = 0) -> float:
    """By how many MB a process of its own grows at most while it pulls everything."""
    return float(printed("memory", who, url, pages))


def _available() -> float:
    """Megabytes of memory that are free."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20


def _status(name: str) -> float:
    """A line of the kernel's account of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


async def _pull(url: str) -> None:
    assert await library.count(url, concurrency=_CONCURRENCY)


async def _figures(url: str) -> None:
    async with library.stream(url, concurrency=_CONCURRENCY) as pull:
        assert (await figures(pull)).calls


async def _parquet(url: str) -> None:
    with TemporaryDirectory() as folder:
        async with library.stream(url, concurrency=_CONCURRENCY) as pull:
            assert await to_parquet(pull, Path(folder, "calls.parquet"))


async def _sync(url: str) -> None:
    with TemporaryDirectory() as folder:
        async with (
            library.session(url, concurrency=_CONCURRENCY) as session,
            CdrStore(f"sqlite:///{folder}/c") as store,
        ):
            assert (await store.sync(session, library.QUERY)).saved.inserted


async def _gather(url: str, pages: int) -> None:
    """As it is mostly written: every page decoded as it comes, all of them kept until the last is there."""
    decode = msgspec.json.Decoder().decode
    async with peers.connections(_CONCURRENCY) as http:
        get = peers.getter(http, url, 1000)

        async def decoded(page: int) -> object:
            return decode(await get(page))

        assert len(await peers.gathered(decoded, pages, _CONCURRENCY)) == pages


async def _grown(who: str, url: str, pages: int) -> float:
    async with library.stream(url, concurrency=1, per_page=1) as pull:
        await pull.collect(1)  # all that is imported late is loaded now
    if who == "parquet":
        arrow()
    if who == "sync":
        async with CdrStore("sqlite://"):
            pass
    gc.collect()
    idle = _status("VmRSS")
    ways = {"library": _pull, "figures": _figures, "parquet": _parquet, "sync": _sync}
    await ways.get(who, partial(_gather, pages=pages))(url)
    return _status("VmHWM") - idle


_IMPORT = """
import sys, time, aiohttp
loaded, begun = set(sys.modules), time.perf_counter()
%s
print(time.perf_counter() - begun, *{name.partition(".")[0] for name in set(sys.modules) - loaded})
"""


def imports(*, quick: bool) -> list[Figure]:
    """What `import infin8_async` adds to what aiohttp loads anyhow."""
    figures = []
    optional = set[str]()
    for what, line in {
        "beyond aiohttp": "import infin8_async",
        "beyond aiohttp, with a session": "from infin8_async import Infin8Session",
    }.items():
        with TemporaryDirectory() as compiled:
            printed_by(_IMPORT % line, compiled)
            answers = [printed_by(_IMPORT % line, compiled).split() for _ in range(2 if quick else 15)]
        optional |= set(_OPTIONAL) & {name for answer in answers for name in answer[1:]}
        taken = [1000 * float(answer[0]) for answer in answers]
        most = 30 if "session" not in what else None
        figures.append(Figure("import", what, median(taken), "ms", most=most, note=f"least {min(taken):.0f}"))
    return [
        *figures,
        Figure("import", "optional packages loaded", len(optional), "modules", most=0, note=" ".join(optional)),
    ]


if __name__ == "__main__":
    print(asyncio.run(_grown(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
