"""`python -m tests.benchmarks [--quick] [--only ROW] [--svg PATH]`: one table at the end, and a picture."""

# ruff: noqa: T201

import argparse
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from . import columns, counting, deep, host, landing, memory, reading, timing
from .figures import Figure, table
from .picture import picture

ROWS: Final[Mapping[str, Callable[..., list[Figure]]]] = {
    "waiting": timing.waiting,
    "working": timing.working,
    "memory": memory.memory,
    "loop": host.loop,
    "deep": deep.deep,
    "unread": host.unread,
    "figures": counting.counting,
    "columns": columns.columns,
    "landing": landing.landing,
    "writing": landing.writing,
    "reading": reading.reading,
    "imports": memory.imports,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="What the client costs.")
    parser.add_argument("--quick", action="store_true", help="small and once: shows that it runs, proves nothing")
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW", help=f"one of {', '.join(ROWS)}")
    parser.add_argument("--svg", type=Path, metavar="PATH", help="where to draw the picture")
    options = parser.parse_args()
    figures: list[Figure] = []
    # Each in a process of its own: what a peer loads would burden every later round of garbage collection.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in options.only or ROWS:
            print(f"{name} …", file=sys.stderr, flush=True)
            figures += processes.submit(ROWS[name], quick=options.quick).result()
    print(table(figures))
    if options.svg:
        options.svg.write_text(picture(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
