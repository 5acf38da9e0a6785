"""Calls as CSV."""

import csv
from collections.abc import AsyncIterable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Final

from .._files import StrPath, written_whole
from ..models import Cdr
from .columns import FIELDS, extra_text, values_of
from .writing import Write, written

_CSV_HEADER: Final = ",".join((*FIELDS, "extra")).encode() + b"\n"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # how a text begins that a spreadsheet takes for a formula


async def to_csv(cdrs: AsyncIterable[Cdr], path: StrPath, *, spreadsheet: bool = False) -> int:
    """
    Write calls as CSV in UTF-8, with a line of headings, times in ISO 8601 with +08:00.

    The last column is `extra`, as JSON. CSV has no null: what is missing is empty. Read numbers of phones and
    extensions as text, or their leading zeros are lost. Written whole or not at all, as by `to_jsonl`.

    Args:
        cdrs: The calls, as for `to_jsonl`.

        path: The file. One that is there is replaced.

        spreadsheet: Put a `'` before each text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return. A
            spreadsheet then shows the number +8613800000000, and runs no formula that a caller made the platform send.
            Without it every value reads back equal.

    Returns:
        How many calls were written.

    Raises:
        OSError: The file can't be written; `filename` is *path*.
    """
    return await written(cdrs, csv_writer(path, spreadsheet=spreadsheet))


def csv_lines(cdrs: Sequence[Cdr], *, spreadsheet: bool = False) -> bytes:
    """One call a line, and in a last column, as JSON, what else the platform sent, if anything."""
    lines: list[str] = []
    # Readers take a lone \r for the end of a row, so that a text with one needs quotes. Python 3.11 gives it them only
    # where \r belongs to its own ends of rows.
    rows = csv.writer(SimpleNamespace(write=lambda line: lines.append(line[:-2] + "\n")), lineterminator="\r\n")
    for cdr in cdrs:
        values = [value.isoformat() if isinstance(value, datetime) else value for value in values_of(cdr)]
        if spreadsheet:
            values = [f"'{v}" if isinstance(v, str) and v.startswith(_FORMULA) else v for v in values]
        rows.writerow((*values, extra_text(cdr)))
    return "".join(lines).encode()


@contextmanager
def csv_writer(path: StrPath, *, spreadsheet: bool = False) -> Generator[Write]:
    """The file of `to_csv`, written when the block is left."""
    with written_whole(path) as out:
        out.write(_CSV_HEADER)
        yield lambda cdrs: out.write(csv_lines(cdrs, spreadsheet=spreadsheet))
