"""Where the calls of a pull go: lines of JSON, CSV, a table on a terminal."""

import asyncio
import csv
import io
import json
import os
import secrets
import select
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec
from attrs import fields
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from .models import CallMethod, Cdr

Writer = Callable[[Sequence[Cdr]], None]
"""Writes the calls of one page. It may block for as long as a reader of its output likes."""

SUFFIXES: Final = (".jsonl", ".csv")
"""The kinds of file there are."""

_FIELDS: Final = tuple(field.name for field in fields(Cdr) if field.name != "extra")
_CSV_HEADER: Final = ",".join((*_FIELDS, "extra")).encode() + b"\n"

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

_values: Final = attrgetter(*_FIELDS)
_encoder: Final = msgspec.json.Encoder()
_R = TypeVar("_R")


def json_lines(cdrs: Sequence[Cdr]) -> bytes:
    """One object a line under the platform's names, and under `extra` what else the platform sent, if anything."""
    return _encoder.encode_lines(
        [dict(zip(_FIELDS, _values(cdr), strict=True)) | ({"extra": cdr.extra} if cdr.extra else {}) for cdr in cdrs]
    )


def csv_lines(cdrs: Sequence[Cdr]) -> bytes:
    """One call a line, and in a last column, as JSON, what else the platform sent, if anything."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for cdr in cdrs:
        values = [value.isoformat() if isinstance(value, datetime) else value for value in _values(cdr)]
        rows.writerow((*values, json.dumps(dict(cdr.extra), ensure_ascii=False) if cdr.extra else ""))
    return text.getvalue().encode()


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


@contextmanager
def writing(file: Path | None) -> Generator[Writer]:
    """
    Where the calls go: to *file*, as a table to a terminal, or as lines of JSON to what else standard output is.

    A file appears under its name when the block is left without an exception, whole, and not before.
    """
    if file is None:
        lines = Tables(Console()).lines if sys.stdout.isatty() else json_lines
        yield lambda cdrs: write_out(lines(cdrs))
        return
    with _whole(file) as out:
        lines = json_lines
        if file.suffix == ".csv":
            lines = csv_lines
            out.write(_CSV_HEADER)

        def write(cdrs: Sequence[Cdr]) -> None:
            out.write(lines(cdrs))

        yield write


@contextmanager
def _whole(file: Path) -> Generator[BinaryIO]:
    target = Path(os.path.realpath(file))  # what a link points to is replaced, not the link
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error
    finally:
        with suppress(OSError):
            part.unlink()


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
