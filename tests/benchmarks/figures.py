"""What is measured, how contenders take turns, and the table at the end."""

import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Final

_VERSIONS: Final = ("infin8-async", "aiohttp", "attrs", "cattrs", "msgspec", "requests", "aiostream", "dlt")


@dataclass(frozen=True)
class Figure:
    """
    One line of the table.

    Attributes:
        value: None if it was skipped.

        most, least: The target, where there is one.

        against_library: Whether it is a peer's time over the library's, which the picture shows.
    """

    row: str
    what: str
    value: float | None
    unit: str = "x"
    most: float | None = None
    least: float | None = None
    note: str = ""
    against_library: bool = False

    @property
    def target(self) -> str:
        if self.most is not None:
            return f"<= {self.most:g}"
        return f">= {self.least:g}" if self.least is not None else ""

    @property
    def verdict(self) -> str:
        if self.value is None or not self.target:
            return ""
        met = (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)
        return "met" if met else "MISSED"


def skipped(row: str, what: str, package: str) -> Figure:
    return Figure(row, what, None, note=f"skipped: {package} is not installed")


def in_turn(
    contenders: Mapping[str, Callable[[], object]], rounds: int, *, warm: bool = True
) -> dict[str, list[float]]:
    """Seconds that each contender took in each round; they take turns, and each round another one begins."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    if warm:
        for run in contenders.values():
            run()
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            begun = time.perf_counter()
            contenders[name]()
            taken[name].append(time.perf_counter() - begun)
    return taken


def ratio(these: list[float], those: list[float]) -> float:
    """The median of the ratios of each round: what slows a whole round down slows both."""
    return median(this / that for this, that in zip(these, those, strict=True))


def spread(seconds: list[float]) -> str:
    """How far the rounds lie apart: what a figure can be trusted for."""
    return f"+-{50 * (max(seconds) - min(seconds)) / median(seconds):.0f} %"


def machine() -> str:
    """Where, with what and when this was measured."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    processor = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {processor}, {os.cpu_count()} cores, {sys.platform}, {python}"


def versions() -> str:
    found = []
    for name in _VERSIONS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} -")
    return ", ".join(found)


def table(figures: list[Figure]) -> str:
    """All figures as a Markdown table, under a line that says where they come from."""
    cells = [("row", "figure", "value", "target", "", "note"), ("-",) * 6]
    cells += [(f.row, f.what, shown(f), f.target, f.verdict, f.note) for f in figures]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(c.ljust(w, "-" if c == "-" else " ") for c, w in zip(line, widths, strict=True)) + " |"
             for line in cells]  # fmt: skip
    return "\n".join([machine(), versions(), "", *lines])


def shown(figure: Figure) -> str:
    """The value with its unit, to three digits."""
    if figure.value is None:
        return "-"
    digits = 0 if figure.value >= 100 else 1 if figure.value >= 10 else 2
    return f"{figure.value:.{0 if figure.unit in ('requests', 'modules') else digits}f} {figure.unit}"
