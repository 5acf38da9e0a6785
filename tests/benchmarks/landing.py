"""
Calls into a database: as fast as they are pulled, and as fast as the driver writes them.

`python -m tests.benchmarks.landing URL ROWS` prints how many seconds that many calls took `CdrStore.save` and the
driver's plain `executemany`, and by how many MB the process grew.
"""

# ruff: noqa: T201

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import asyncmy
import asyncpg
from attrs import evolve
from sqlalchemy import make_url

from infin8_async import Cdr, CdrQuery, Infin8Session
from infin8_async.store import CdrStore
from infin8_async.store._backends import backend_for
from infin8_async.store._rows import COLUMNS
from infin8_async.testing import Sandbox

from .centre import CREDENTIALS, DAY_ONE, Centre
from .databases import addresses, emptied, not_set
from .figures import Figure
from .processes import printed

_CONCURRENCY: Final = 8
_AT_ONCE: Final = 5000  # calls in one transaction, for both


def landing(*, quick: bool) -> list[Figure]:
    """A year of some 160 calls a day at 50 ms a request into SQLite, compared with its pull and its plain writing."""
    days, a_day, rounds = (20, 20, 1) if quick else (365, 160, 3)
    first, again, pulls, writes, requests, changed = [], [], [], [], [], []
    for _ in range(rounds):
        with Centre(days * a_day, days, latency=0.05) as centre, TemporaryDirectory() as folder:
            cdrs, seconds = asyncio.run(_pulled(centre))
            pulls.append(seconds)
            writes.append(_written_to_sqlite(f"{folder}/plain.db", cdrs))
            seconds, _ = asyncio.run(_synced(centre, folder))
            first.append(seconds)
            seconds, asked = asyncio.run(_synced(centre, folder))
            again.append(seconds)
            requests.append(asked)
            centre.ask("add")
            changed.append(asyncio.run(_synced(centre, folder))[1])
    ratios = [sync / (2 * pull + write) for sync, pull, write in zip(first, pulls, writes, strict=True)]
    row = "landing"
    return [
        Figure(row, "first sync / (2 pulls + executemany)", median(ratios), most=1, note=f"{median(first):.1f} s"),
        Figure(row, "nothing new", median(again), "s", most=0.2),
        Figure(row, "nothing new", median(requests), "requests", most=1),
        Figure(row, "one changed day", median(changed), "requests", most=25),
        Figure(row, "another writer waits", asyncio.run(_waited(quick=quick)), "s", most=1),
    ]


def writing(*, quick: bool) -> list[Figure]:
    """Many calls into each database, compared with the driver's plain `executemany` in the same run."""
    rows = 10_000 if quick else 1_000_000
    figures = []
    with TemporaryDirectory() as folder:
        for name, url in addresses(folder).items():
            ours, plain, grown = map(float, printed("landing", url, rows).split())
            what = f"{name}: rate / executemany"
            figures.append(
                Figure("writing", what, plain / ours, note=f"{rows / ours / 1000:.0f}k a second, {grown:.0f} MB")
            )
    return figures + not_set("writing")


def _session(centre: Centre) -> Infin8Session:
    return Infin8Session(CREDENTIALS, base_url=centre.url, concurrency=_CONCURRENCY)


async def _pulled(centre: Centre) -> tuple[list[Cdr], float]:
    async with _session(centre) as session:
        begun = time.perf_counter()
        cdrs = await session.cdrs(centre.query).collect()
        return cdrs, time.perf_counter() - begun


async def _synced(centre: Centre, folder: str) -> tuple[float, int]:
    """Seconds and requests of a sync."""
    before = centre.requests()
    async with _session(centre) as session, CdrStore(f"sqlite:///{folder}/calls.db") as store:
        begun = time.perf_counter()
        await store.sync(session, centre.query)
        seconds = time.perf_counter() - begun
    return seconds, centre.requests() - before


async def _waited(*, quick: bool) -> float:
    """How long a `save` takes at most while a day is synced from a platform that takes its time."""
    slowest = 0.0
    with TemporaryDirectory() as folder:
        async with (
            Sandbox(8000, latency=0.05 if quick else 2) as sandbox,
            CdrStore(f"sqlite:///{folder}/calls.db") as store,
        ):
            session = Infin8Session(sandbox.credentials, base_url=sandbox.base_url, per_page=500)
            async with session, CdrStore(f"sqlite:///{folder}/calls.db") as other:
                syncing = asyncio.ensure_future(store.sync(session, CdrQuery.day(DAY_ONE.date())))
                while not syncing.done():
                    begun = time.perf_counter()
                    await other.save([Cdr(id=1)], account="other")
                    slowest = max(slowest, time.perf_counter() - begun)
                    await asyncio.sleep(0.05)
                await syncing
    return slowest


def _written_to_sqlite(path: str, cdrs: Sequence[Cdr]) -> float:
    """Seconds that the driver's own `executemany` takes for calls, in the store's tables."""
    url = f"sqlite:///{path}"
    asyncio.run(emptied(url))
    fit = backend_for(url).fit
    connection = sqlite3.connect(path)
    begun = time.perf_counter()
    for start in range(0, len(cdrs), _AT_ONCE):
        with connection:
            connection.executemany(_insert("?"), fit.rows("plain", cdrs[start : start + _AT_ONCE]))
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds


def _insert(place: str) -> str:
    places = ", ".join(f"${number}" if place == "$" else place for number in range(1, len(COLUMNS) + 1))
    return f"INSERT INTO cdrs ({', '.join(COLUMNS)}) VALUES ({places})"


def _portions(rows: int) -> Iterator[list[Cdr]]:
    """Calls as they come, oldest first; different each, and none of them kept."""
    templates = [
        Cdr(
            id=0,
            extnumber=f"8{number:03}",
            disnumber=f"0100000{number:04}",
            callnumber=f"1390000{number * 7:04}",
            context="callout",
            callmethod="2",
            duration=number % 90,
            billsec=number % 60,
            downloadip="198.51.100.20",
            hangupdirection="callee",
        )
        for number in range(997)
    ]
    for first in range(0, rows, _AT_ONCE):
        portion = []
        for number in range(first, min(first + _AT_ONCE, rows)):
            start = DAY_ONE + timedelta(seconds=number * 3)
            end = start + timedelta(seconds=60)
            portion.append(evolve(templates[number % 997], id=number, starttime=start, answertime=start, endtime=end))
        yield portion


async def _timed(url: str, rows: int) -> str:
    """Seconds of both, and by how many MB the process grew."""
    await emptied(url)
    idle = _peak()
    ours = plain = 0.0
    fit = backend_for(url).fit
    write, close = await _writer(url)
    async with CdrStore(url) as store:
        for portion in _portions(rows):
            begun = time.perf_counter()
            await store.save(portion, account="ours")
            ours += time.perf_counter() - begun
            begun = time.perf_counter()
            await write(fit.rows("plain", portion))
            plain += time.perf_counter() - begun
    await close()
    return f"{ours} {plain} {_peak() - idle}"


async def _writer(url: str) -> tuple[Any, Any]:
    """The driver's own `executemany`, each time in a transaction."""
    address = make_url(url)
    if address.drivername == "sqlite":
        connection = sqlite3.connect(address.database or "", timeout=60)

        async def into_sqlite(rows: list[Any]) -> None:
            with connection:
                connection.executemany(_insert("?"), rows)

        async def close_sqlite() -> None:
            connection.close()

        return into_sqlite, close_sqlite
    if address.drivername.startswith("postgres"):
        driver = await asyncpg.connect(url)

        async def into_postgres(rows: list[Any]) -> None:
            await driver.executemany(_insert("$"), rows)

        return into_postgres, driver.close
    server = await asyncmy.connect(
        host=address.host, port=address.port, user=address.username, password=address.password, db=address.database
    )

    async def into_mysql(rows: list[Any]) -> None:
        async with server.cursor() as cursor:
            await cursor.executemany(_insert("%s"), rows)
        await server.commit()

    return into_mysql, server.ensure_closed


def _peak() -> float:
    """The most memory that this process had, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    print(asyncio.run(_timed(sys.argv[1], int(sys.argv[2]))))
