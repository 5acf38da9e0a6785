"""Where the calls of a pull go: a file, a pipe, a table on a terminal."""

import asyncio
import select
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from ..export.csv import csv_writer
from ..export.jsonl import json_lines, jsonl_writer
from ..export.parquet import parquet_writer
from ..export.writing import AsyncWrite, in_threads
from ..models import CallMethod, Cdr

SUFFIXES: Final = (".jsonl", ".csv", ".parquet")
"""The kinds of file there are."""

# The columns of the table, from left to right, and which of them a narrow terminal goes without, the last one first.
_COLUMNS: Final = (
    "id", "starttime", "context", "callmethod", "extnumber", "disnumber", "callnumber", "duration", "billsec",
    "hangupdirection", "userid", "memberid",
)  # fmt: skip
_WANTED: Final = (
    "starttime", "disnumber", "callnumber", "billsec", "context", "extnumber", "id", "callmethod", "duration",
    "userid", "memberid", "hangupdirection",
)  # fmt: skip
_WIDE: Final = 100  # columns of a terminal that has room for wider gaps

_R = TypeVar("_R")


class Tables:
    """
    A table that is printed as its rows come. The first page decides which columns there are, and how wide.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._gap = 2 if console.width >= _WIDE else 1
        self._widths: dict[str, int] = {}

    def lines(self, cdrs: Sequence[Cdr]) -> bytes:
        """The rows of one page; those of calls that nobody answered are dim."""
        rows = [{name: _cell(cdr, name) for name in _COLUMNS} for cdr in cdrs]
        first = not self._widths
        if first:
            self._widths = self._fit(rows)
        table = Table(box=None, show_header=first, pad_edge=False, padding=(0, self._gap, 0, 0), header_style="bold")
        for name, width in self._widths.items():
            justify: JustifyMethod = "right" if name in ("id", "duration", "billsec") else "left"
            table.add_column(name, width=width, justify=justify, overflow="fold")
        for cdr, row in zip(cdrs, rows, strict=True):
            table.add_row(*(Text(row[name]) for name in self._widths), style="" if cdr.answered else "dim")
        with self._console.capture() as captured:
            self._console.print(table)
        return captured.get().encode(self._console.encoding, "replace")

    def _fit(self, rows: Sequence[dict[str, str]]) -> dict[str, int]:
        """How wide the columns are that find room."""
        widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in _COLUMNS}
        room, found = self._console.width + self._gap, set[str]()
        for name in _WANTED:
            room -= widths[name] + self._gap
            if room < 0 and found:
                break
            found.add(name)
        return {name: width for name, width in widths.items() if name in found}


def call_lines(cdrs: Sequence[Cdr]) -> bytes:
    """One line a call, for people who watch them come."""
    lines = []
    for cdr in cdrs:
        way = {"callin": "in ", "callout": "out"}.get(cdr.context, cdr.context)
        talked = f"{cdr.billsec} s" if cdr.answered else "not answered"
        lines.append(
            f"{_cell(cdr, 'starttime')}  {cdr.id}  {way}  {printable(cdr.disnumber)} > {printable(cdr.callnumber)}"
            f"{f' ({printable(cdr.extnumber)})' if cdr.extnumber else ''}  {talked}\n"
        )
    return "".join(lines).encode()


def _cell(cdr: Cdr, name: str) -> str:
    value: object = getattr(cdr, name)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    return printable(value.name.lower() if isinstance(value, CallMethod) else str(value if value is not None else ""))


def printable(text: str) -> str:
    """The text on one line, without what could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def say(line: str, *, name: bool = True) -> None:
    """One line on standard error, led by the program's name if it is a complaint."""
    print(f"{'infin8: ' * name}{printable(line)}", file=sys.stderr)  # noqa: T201  # this is where people look


def write_out(data: bytes) -> None:
    """
    Write to standard output, whole and at once.

    Raises:
        BrokenPipeError: Nobody reads it any more.
    """
    # Below Python's buffer: a thread that waits for a reader holds no lock that the interpreter's exit would need.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as out:
        left = memoryview(data)
        while left:
            written: int | None = out.write(left)
            if written is None:  # standard output came to us in non-blocking mode
                select.select((), (out,), ())
            left = left[written or 0 :]


@asynccontextmanager
async def writing(file: Path | None, *, spreadsheet: bool = False) -> AsyncGenerator[AsyncWrite]:
    """
    Where the calls go: to *file*, as a table to a terminal, or as lines of JSON to what else standard output is.

    A file appears under its name when the block is left without an exception, whole, and not before.
    """
    if file is None:
        lines = Tables(Console()).lines if sys.stdout.isatty() else json_lines
        yield lambda cdrs: in_thread(lambda: write_out(lines(cdrs)))
        return
    if file.suffix == ".csv":
        writer = csv_writer(file, spreadsheet=spreadsheet)
    else:
        writer = parquet_writer(file) if file.suffix == ".parquet" else jsonl_writer(file)
    async with in_threads(writer) as write:
        yield write


async def in_thread(work: Callable[[], _R]) -> _R:
    """
    Await work that may block.

    Nobody waits for it once the caller is cancelled: a pager that reads no further can't hold up Ctrl-C, as it would
    with `asyncio.to_thread`, whose threads are joined before the program ends.
    """
    done: Future[_R] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  # handed to the caller
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(done)
