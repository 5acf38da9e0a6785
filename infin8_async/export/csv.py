"""Calls as CSV."""

import csv
from collections.abc import AsyncIterable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Final

from .._files import StrPath, written_whole
from ..models import FIELDS, Cdr, values_of
from .columns import extra_text
from .writing import Write, written

_HEADING: Final = ",".join((*FIELDS, "extra")).encode() + b"\n"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a text that begins like this for a formula


async def to_csv(cdrs: AsyncIterable[Cdr], path: StrPath, *, spreadsheet: bool = False) -> int:
    """
    Write calls as CSV in UTF-8, with a heading line, times in ISO 8601 with +08:00.

    The last column is `extra`, as JSON. CSV has no null: a missing value is empty. Read phone numbers and extensions as
    text, or their leading zeros are lost. Like the file of `to_jsonl`, it is written completely or not at all.

    Args:
        cdrs: The calls, as for `to_jsonl`.

        path: The file. An existing one is replaced.

        spreadsheet: Put a `'` before each text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return. A
            spreadsheet then shows the number +8613800000000 as it is, and does not run a formula that a caller has put
            into a record. Without this option, every value reads back equal.

    Returns:
        How many calls were written.

    Raises:
        OSError: The file can't be written; `filename` is *path*.
    """
    return await written(cdrs, csv_writer(path, spreadsheet=spreadsheet))


def csv_lines(cdrs: Sequence[Cdr], *, spreadsheet: bool = False) -> bytes:
    """The lines of `to_csv`, without the heading."""
    lines: list[str] = []
    # Readers take a lone \r for the end of a row, so a text that holds one needs quotes. Python 3.11 only quotes it if
    # \r is part of the line terminator.
    rows = csv.writer(SimpleNamespace(write=lambda line: lines.append(line[:-2] + "\n")), lineterminator="\r\n")
    for cdr in cdrs:
        values = [value.isoformat() if isinstance(value, datetime) else value for value in values_of(cdr)]
        if spreadsheet:
            values = [f"'{v}" if isinstance(v, str) and v.startswith(_FORMULA) else v for v in values]
        rows.writerow((*values, extra_text(cdr)))
    return "".join(lines).encode()


@contextmanager
def csv_writer(path: StrPath, *, spreadsheet: bool = False) -> Generator[Write]:
    """The file of `to_csv`. It appears when the block is left."""
    with written_whole(path) as out:
        out.write(_HEADING)
        yield lambda cdrs: out.write(csv_lines(cdrs, spreadsheet=spreadsheet))
