"""What a terminal and a pipe get: tables of calls, lines, bytes."""

import asyncio
import select
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, tzinfo
from typing import Final, TypeVar

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from .._columns import extra_text
from ..errors import Infin8Error, NumberFormatError
from ..models import BEIJING, CallMethod, Cdr, platform_text
from .times import zone_name

# The columns of the table from left to right, then by importance: a narrow terminal shows the most important ones.
_COLUMNS: Final = (
    "id", "starttime", "context", "callmethod", "extnumber", "disnumber", "callnumber", "duration", "billsec",
    "hangupdirection", "userid", "memberid",
)  # fmt: skip
_BY_IMPORTANCE: Final = (
    "starttime", "disnumber", "callnumber", "billsec", "context", "extnumber", "id", "callmethod", "duration",
    "userid", "memberid", "hangupdirection",
)  # fmt: skip
_WIDE: Final = 100  # columns of a terminal that has room for wider gaps
_NARROW: Final = 60  # columns of one that has no room for years and seconds

_R = TypeVar("_R")


class Tables:
    """
    A table that is printed page by page. The first page decides which columns it has, and how wide they are.

    Args:
        console: The terminal.

        columns: Which columns to show, even if they don't fit; None for the most important ones that fit.

        zone: In which times are shown. Its name stands above them.
    """

    def __init__(self, console: Console, columns: Sequence[str] | None = None, *, zone: tzinfo = BEIJING) -> None:
        self._console = console
        self._zone = zone
        self._columns = columns
        self._gap = 2 if console.width >= _WIDE else 1
        self._widths: dict[str, int] = {}

    def lines(self, cdrs: Sequence[Cdr]) -> bytes:
        """The rows of one page. Calls that nobody answered are dim."""
        if not cdrs:
            return b""
        rows = [{name: self._text(cdr, name) for name in self._columns or _COLUMNS} for cdr in cdrs]
        first = not self._widths
        if first:
            self._widths = self._fit(rows)
        table = Table(box=None, show_header=first, pad_edge=False, padding=(0, self._gap, 0, 0), header_style="bold")
        for name, width in self._widths.items():
            justify: JustifyMethod = "right" if name in ("id", "duration", "billsec") else "left"
            heading = f"{self._zone_within(width)}\n{name}" if name.endswith("time") else name
            table.add_column(Text(heading), width=width, justify=justify, overflow="fold")
        for cdr, row in zip(cdrs, rows, strict=True):
            table.add_row(*(Text(row[name]) for name in self._widths), style="" if cdr.answered else "dim")
        with self._console.capture() as captured:
            self._console.print(table)
        return captured.get().encode(self._console.encoding, "replace")

    def _zone_within(self, width: int) -> str:
        """The name of the zone: all of it if there is room, else without the continent."""
        name = zone_name(self._zone)
        return name if len(name) <= width else name.rpartition("/")[2]

    def _text(self, cdr: Cdr, name: str) -> str:
        text = _cell(cdr, name, self._zone)
        return text[5:16] if name == "starttime" and self._columns is None and self._console.width < _NARROW else text

    def _fit(self, rows: Sequence[dict[str, str]]) -> dict[str, int]:
        """The columns to show, and their widths."""
        widths = {name: max([len(name), *(len(row[name]) for row in rows)]) for name in self._columns or _COLUMNS}
        if self._columns is not None:
            needed = sum(widths.values()) + self._gap * len(widths)
            if needed > self._console.width:
                self._console = Console(width=needed)  # the terminal wraps what does not fit
            return widths
        room, found = self._console.width + self._gap, set[str]()
        for name in _BY_IMPORTANCE:
            room -= widths[name] + self._gap
            if room < 0 and found:
                break
            found.add(name)
        return {name: width for name, width in widths.items() if name in found}


def call_lines(cdrs: Sequence[Cdr], *, zone: tzinfo = BEIJING, columns: int = _WIDE) -> bytes:
    """
    One line a call, for a terminal.

    Args:
        cdrs: The calls.

        zone: In which times are shown.

        columns: Those of the terminal. A narrow one gets no years, a very narrow one no ids.
    """
    lines = []
    for cdr in cdrs:
        way = {"callin": "in ", "callout": "out"}.get(cdr.context, cdr.context)
        talked = f"{cdr.billsec} s" if cdr.answered else "not answered"
        time = _cell(cdr, "starttime", zone)[5 if columns < _WIDE else 0 :]
        begins = [time, *([str(cdr.id)] if columns >= _NARROW else []), way]
        lines.append(
            f"{'  '.join(begins)}  {printable(cdr.disnumber)} > {printable(cdr.callnumber)}"
            f"{f' ({printable(cdr.extnumber)})' if cdr.extnumber else ''}  {talked}\n"
        )
    return "".join(lines).encode()


def _cell(cdr: Cdr, name: str, zone: tzinfo) -> str:
    if name == "extra":
        return printable(extra_text(cdr))
    value: object = getattr(cdr, name)
    if isinstance(value, datetime):
        return platform_text(value.astimezone(zone))
    return printable(value.name.lower() if isinstance(value, CallMethod) else str(value if value is not None else ""))


def printable(text: str) -> str:
    """The text without line ends and without characters that control a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def say(line: str, *, name: bool = True) -> None:
    """Print a line on standard error. *name* puts the program's name first, as for an error."""
    print(f"{'infin8: ' * name}{printable(line)}", file=sys.stderr)  # noqa: T201  # the command line's own output


def explained(error: Infin8Error) -> str:
    """What went wrong, and what to do about it if the command line can say more than the library."""
    if isinstance(error, NumberFormatError):
        return f"{error}; give --extnumber, --disnumber and --callnumber as the records have them: digits, such as 8001"
    return str(error)


def write_out(data: bytes) -> None:
    """
    Write all of *data* to standard output at once, without Python's buffer.

    Raises:
        BrokenPipeError: The reader has left.
    """
    # A thread that waits for a slow reader would hold the buffer's lock, and the interpreter needs that lock to exit.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as out:
        left = memoryview(data)
        while left:
            written: int | None = out.write(left)
            if written is None:  # standard output is in non-blocking mode, and full
                select.select((), (out,), ())
            left = left[written or 0 :]


async def in_thread(work: Callable[[], _R]) -> _R:
    """
    Run work that may block in a thread of its own.

    After a cancellation nobody waits for the thread. `asyncio.to_thread` would: its threads are joined before the
    program ends, so a pager that has stopped reading would block Ctrl-C.
    """
    done: Future[_R] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  # the caller gets it
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(done)
