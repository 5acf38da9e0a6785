"""
What figures cost on top of the pull, and a report of very many calls.

`python -m tests.benchmarks.counting URL` makes a report, and prints its seconds and the kB of its page.
"""

# ruff: noqa: T201

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta

from attrs import evolve

from infin8_async import BEIJING, Cdr
from infin8_async.figures import figures
from infin8_async.report import Words, gather
from infin8_async.report.page import page

from . import library
from .figures import Figure, in_turn, ratio, spread
from .memory import grown
from .processes import printed
from .server import Server

_CONCURRENCY = 8


async def _counted(url: str) -> int:
    async with library.stream(url, concurrency=_CONCURRENCY) as pull:
        return (await figures(pull)).calls


def counting(*, quick: bool) -> list[Figure]:
    """Figures and a report of a window."""
    row, rounds = "figures", 1 if quick else 5
    few, many = (1000, 2000) if quick else (100_000, 1_000_000)
    with Server(few) as server:
        seconds = in_turn(
            {
                "pull": lambda: library.run(library.count_by_pages(server.url, concurrency=_CONCURRENCY), few),
                "figures": lambda: library.run(_counted(server.url), few),
            },
            rounds,
        )
    with Server(many) as server:
        alone, with_figures = (grown(who, server.url) for who in ("library", "figures"))
        took, size = (float(text) for text in printed("counting", server.url).split())
    share = ratio(seconds["figures"], seconds["pull"]) - 1
    return [
        Figure(row, "on top of the pull", share, most=0.5, note=spread(seconds["figures"])),
        Figure(row, f"memory on top of the pull, {many:,} rows", with_figures - alone, "MB", most=40),
        Figure(row, f"report of {many:,} rows, pull included", took, "s"),
        Figure(row, "its page", size, "kB", most=500),
    ]


async def _report(url: str) -> None:
    begun = time.perf_counter()
    async with library.stream(url, concurrency=_CONCURRENCY) as pull:

        async def nothing() -> AsyncIterator[Cdr]:
            return
            yield

        query = evolve(library.QUERY, endtime=library.QUERY.ends[1] - timedelta(seconds=1))
        made = await gather(query, lambda asked: pull if asked == query else nothing(), zone=BEIJING)
    html = page(made, Words("en"))
    print(time.perf_counter() - begun, len(html.encode()) / 1000)


if __name__ == "__main__":
    asyncio.run(_report(sys.argv[1]))
