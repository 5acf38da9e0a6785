"""A window too deep for page numbers: in parts, as the library reads it, and in one piece."""

from statistics import median

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

        def pull(name: str) -> None:
            before = server.requests()
            library.run(library.count(server.url, concurrency=8), rows)
            asked[name] = server.requests() - before

        def whole() -> None:
            with library.undivided():
                pull("whole")

        taken = in_turn({"parts": lambda: pull("parts"), "whole": whole}, rounds, warm=False)
        many = grown("library", server.url)
    with Server(rows // 10, sqlite=True) as server:
        few = grown("library", server.url)
    own = taken["parts"]
    return [
        Figure(row, f"{rows:,} rows in parts", median(own), "s", note=f"in one piece {median(taken['whole']):.1f} s"),
        Figure(row, "time, in parts / in one piece", ratio(own, taken["whole"])),
        Figure(row, "requests, in parts / in one piece", asked["parts"] / asked["whole"], note=f"{asked['parts']}"),
        Figure(row, f"memory / that of {rows // 10:,} rows", many / few, most=1.1, note=f"{many:.0f} MB above idle"),
    ]
