"""Where the calls of a pull go: lines of JSON, CSV, a table on a terminal; and what is said about it."""

import asyncio
import csv
import io
import json
import os
import secrets
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from typing import Final, ParamSpec, Protocol, TypeVar

import msgspec
from attrs import fields
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task
from rich.table import Table
from rich.text import Text

from .models import Cdr
from .stream import StreamReport

FIELDS: Final = tuple(field.name for field in fields(Cdr) if field.name != "extra")
"""The platform's fields, in the order of `Cdr`."""

_values: Final = attrgetter(*FIELDS)
_json: Final = msgspec.json.Encoder()

_SHOWN: Final = (
    "id", "starttime", "context", "callmethod", "extnumber", "disnumber", "callnumber", "duration", "billsec",
    "hangupdirection", "userid", "memberid",
)  # fmt: skip
_WANTED: Final = (
    "starttime", "disnumber", "callnumber", "billsec", "context", "extnumber", "id", "callmethod", "duration",
    "userid", "memberid", "hangupdirection",
)  # fmt: skip
_RIGHT: Final = frozenset(("id", "duration", "billsec"))

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Writer(Protocol):
    """Where calls go, page by page, in their order."""

    def __call__(self, cdrs: Sequence[Cdr]) -> None:
        """Write the calls of one page. It may block."""


def json_lines(cdrs: Sequence[Cdr]) -> bytes:
    """One object a line, under the platform's names; what else the platform sent under `extra`, where there is any."""
    rows = [dict(zip(FIELDS, _values(cdr), strict=True)) | ({"extra": cdr.extra} if cdr.extra else {}) for cdr in cdrs]
    return _json.encode_lines(rows)


def csv_lines(cdrs: Sequence[Cdr]) -> bytes:
    """One call a line, in the order of `FIELDS`, and what else the platform sent as JSON in a last column."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for cdr in cdrs:
        times = (value.isoformat() if hasattr(value, "isoformat") else value for value in _values(cdr))
        rows.writerow((*times, json.dumps(dict(cdr.extra), ensure_ascii=False) if cdr.extra else ""))
    return text.getvalue().encode()


CSV_HEADER: Final = ",".join((*FIELDS, "extra")).encode() + b"\n"


class TableWriter:
    """
    A table that is printed as its rows come. The first page decides what columns there are and how wide.

    Args:
        console: The terminal.

        write: Where the text goes.
    """

    def __init__(self, console: Console, write: Callable[[bytes], None]) -> None:
        self._console = console
        self._write = write
        self._widths: dict[str, int] = {}

    def __call__(self, cdrs: Sequence[Cdr]) -> None:
        """Print the rows of one page."""
        first = not self._widths
        rows = [{name: _cell(cdr, name) for name in _SHOWN} for cdr in cdrs]
        if first:
            self._widths = self._fit(rows)
        table = Table(box=None, show_header=first, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name, width in self._widths.items():
            right = "right" if name in _RIGHT else "left"
            table.add_column(name, width=width, justify=right, overflow="fold")  # type: ignore[arg-type]
        for cdr, row in zip(cdrs, rows, strict=True):
            table.add_row(*(Text(row[name]) for name in self._widths), style="" if cdr.answered else "dim")
        with self._console.capture() as text:
            self._console.print(table)
        self._write(text.get().encode(self._console.encoding, "replace"))
