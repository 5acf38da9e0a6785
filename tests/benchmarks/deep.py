"""A window too deep for page numbers: in parts, as the library reads it, and by page numbers all the same."""

from collections.abc import Callable, Coroutine
from statistics import median
from typing import Any

from . import library
from .figures import Figure, in_turn, ratio
from .memory import grown
from .server import Server


def deep(*, quick: bool) -> list[Figure]:
    """A million rows in a database, where a page costs what it skips."""
    rows, rounds = (60_000, 1) if quick else (1_000_000, 1)
    row = "deep window"
    asked: dict[str, int] = {}
    with Server(rows, sqlite=True) as server:

        def pull(name: str, count: Callable[..., Coroutine[Any, Any, int]]) -> None:
            before = server.requests()
            library.run(count(server.url, concurrency=8), rows)
            asked[name] = server.requests() - before

        contenders = {
            "parts": lambda: pull("parts", library.count),
            "places": lambda: pull("places", library.count_by_place),
        }
        taken = in_turn(contenders, rounds, warm=False)
        many = grown("library", server.url)
    with Server(rows // 10, sqlite=True) as server:
        few = grown("library", server.url)
    own = taken["parts"]
    return [
        Figure(
            row, f"{rows:,} rows in parts", median(own), "s", note=f"by page numbers {median(taken['places']):.1f} s"
        ),
        Figure(row, "time, in parts / by page numbers", ratio(own, taken["places"])),
        Figure(row, "requests, in parts / by page numbers", asked["parts"] / asked["places"], note=f"{asked['parts']}"),
        Figure(row, f"memory / that of {rows // 10:,} rows", many / few, most=1.1, note=f"{many:.0f} MB above idle"),
    ]
