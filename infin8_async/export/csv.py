"""Calls as CSV."""

import csv
from collections.abc import AsyncIterable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from functools import partial
from operator import attrgetter
from types import SimpleNamespace
from typing import Final

from attrs import fields

from .._columns import AnyCall, extra_text
from .._files import StrPath, written_whole
from ..models import BEIJING, FIELDS, Cdr, platform_text
from ..stream import CdrStream
from .writing import Write, batches_of, written

COLUMNS: Final = (*FIELDS, "extra")
"""The columns of `to_csv`, from left to right."""

_TIMES: Final = frozenset(field.name for field in fields(Cdr) if field.type == datetime | None)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a text that begins like this for a formula
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # without it Excel reads UTF-8 in the country's old encoding


async def to_csv(cdrs: AsyncIterable[Cdr], path: StrPath, *, spreadsheet: bool = False, zone: tzinfo = BEIJING) -> int:
    """
    Write calls as CSV in UTF-8, with a heading line, times in ISO 8601 with +08:00.

    The last column is `extra`, as JSON. CSV has no null: a missing value is empty. Read phone numbers and extensions as
    text, or their leading zeros are lost. Like the file of `to_jsonl`, it is written completely or not at all.

    Args:
        cdrs: The calls, as for `to_jsonl`.

        path: The file. An existing one is replaced.

        spreadsheet: Write for Excel and LibreOffice, not for programs: a byte order mark, so that Chinese is read as
            such; times as `2020-06-10 09:30:00`, which they know as times; an invisible tab before each text with a
            digit, so that no phone number becomes a number and loses its zeros; and a `'` before each text that begins
            with `=`, `+`, `-`, `@`, a tab or a carriage return, so that they do not run a formula that a caller has put
            into a record. Without this option, every value reads back equal.

        zone: Whose times a spreadsheet shows.

    Returns:
        How many calls were written.

    Raises:
        OSError: The file can't be written; `filename` is *path*.
    """
    read = CdrStream.pages if spreadsheet else CdrStream.texts
    return await written(batches_of(cdrs, read), csv_writer(path, spreadsheet=spreadsheet, zone=zone))


def csv_heading(columns: Sequence[str] = COLUMNS, *, spreadsheet: bool = False) -> bytes:
    """The first line of `to_csv`."""
    return _BYTE_ORDER_MARK * spreadsheet + ",".join(columns).encode() + b"\n"


def csv_lines(
    cdrs: Sequence[AnyCall],
    columns: Sequence[str] = COLUMNS,
    *,
    spreadsheet: bool = False,
    zone: tzinfo = BEIJING,
) -> bytes:
    """The lines of `to_csv`, without the heading. A spreadsheet gets the calls as records."""
    lines: list[str] = []
    # Readers take a lone \r for the end of a row, so a text that holds one needs quotes. Python 3.11 only quotes it if
    # \r is part of the line terminator.
    rows = csv.writer(SimpleNamespace(write=lambda line: lines.append(line[:-2] + "\n")), lineterminator="\r\n")
    rows.writerows(zip(*(_cells(cdrs, name, zone if spreadsheet else None) for name in columns), strict=True))
    return "".join(lines).encode()


def _cells(cdrs: Sequence[AnyCall], name: str, zone: tzinfo | None) -> list[object]:
    """One column, for a spreadsheet if a zone is given."""
    values: list[object] = list(map(extra_text if name == "extra" else attrgetter(name), cdrs))
    if zone is not None:
        return [_for_spreadsheet(value, zone) for value in values]
    if name in _TIMES:
        return [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return values


def _for_spreadsheet(value: object, zone: tzinfo) -> object:
    """The value in a form that a spreadsheet shows as it is."""
    if isinstance(value, datetime):
        try:
            return platform_text(value.astimezone(zone))
        except OverflowError:  # a time at the end of the calendar
            return platform_text(value)
    if not isinstance(value, str):
        return value
    if value.startswith(_FORMULA):
        return f"'{value}"
    # 0100 would become 100, 1E5 would become 100000, 1-2 a date. The JSON of `extra` is none of these.
    return f"\t{value}" if any(map(str.isdigit, value)) and not value.startswith("{") else value


@contextmanager
def csv_writer(path: StrPath, *, spreadsheet: bool = False, zone: tzinfo = BEIJING) -> Generator[Write]:
    """The file of `to_csv`. It appears when the block is left."""
    with written_whole(path) as out:
        out.write(csv_heading(spreadsheet=spreadsheet))
        lines = partial(csv_lines, spreadsheet=spreadsheet, zone=zone)
        yield lambda batches: out.writelines(map(lines, batches))
