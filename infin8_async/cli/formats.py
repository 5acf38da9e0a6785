"""Which calls are written where, and in which form."""

import gzip
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

import msgspec
from attrs import frozen
from cyclopts import Group, Parameter
from rich.console import Console

from .._arrow import arrow
from .._files import written_whole
from ..export.csv import COLUMNS, csv_heading, csv_lines
from ..export.jsonl import json_lines
from ..export.parquet import ROW_GROUP, parquet_writer
from ..export.writing import AsyncWrite, Batch, Read, Write, in_threads
from ..models import Cdr
from ..stream import CdrStream
from .options import UsageError
from .output import Tables, in_thread, write_out

Format = Literal["jsonl", "csv", "table"]
Lines = Callable[[Batch], bytes]

OUTPUT: Final = Group("Output", sort_key=0)
_SUFFIXES: Final = (".jsonl", ".csv", ".parquet")
_PACKED: Final = ".gz"
_encoder: Final = msgspec.json.Encoder()

Quiet = Annotated[bool, Parameter(group=OUTPUT, negative="", alias="-q")]


@Parameter(name="*")
@frozen(kw_only=True)
class Shape:
    """
    In which form calls are written.

    Attributes:
        format: jsonl, csv or table. If not given, a terminal gets a table, a pipe gets JSON Lines, and the name of a
            file decides.

        fields: Only these fields, with commas between them: id,starttime,billsec.

        quiet: Say nothing on standard error, except about what went wrong.
    """

    format: Annotated[Format | None, Parameter(group=OUTPUT)] = None
    fields: Annotated[str | None, Parameter(group=OUTPUT)] = None
    quiet: Quiet = False

    @property
    def columns(self) -> Sequence[str] | None:
        """
        The names in *fields*; None if it was not given.

        Raises:
            UsageError: There is no such field.
        """
        if self.fields is None:
            return None
        names = [name.strip() for name in self.fields.split(",")]
        if unknown := [name for name in names if name not in COLUMNS]:
            raise UsageError(f"--fields {self.fields}: {unknown[0]!r} is no field; there are {', '.join(COLUMNS)}")
        return names

    def on_terminal(self) -> bool:
        """Whether standard output is a terminal that gets a table."""
        return self.format in (None, "table") and sys.stdout.isatty()


@frozen
class Target:
    """
    Where calls are written, and how. Made by `target`, which checks it.

    Attributes:
        path: The file; None for standard output.

        form: `"jsonl"`, `"csv"`, `"table"` or `"parquet"`.

        columns: The fields; None for all.

        spreadsheet: Whether a CSV is for a spreadsheet.

        packed: Whether the file is compressed with gzip.

        zone: Whose times a table and a spreadsheet show.
    """

    path: Path | None
    form: str
    columns: Sequence[str] | None
    spreadsheet: bool
    packed: bool
    zone: tzinfo

    @property
    def read(self) -> Read:
        """How a stream is read to be written like this."""
        if self.form == "parquet":
            return CdrStream.arrow
        return CdrStream.pages if self.form == "table" or self.spreadsheet else CdrStream.texts

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncWrite]:
        """What writes calls. A file appears under its name when the block is left without an exception."""
        if self.path is None:
            lines = lines_of(self.form, self.columns, self.zone, spreadsheet=self.spreadsheet)
            await in_thread(lambda: write_out(lines(())))
            yield lambda cdrs: in_thread(lambda: write_out(lines(cdrs)))
        else:
            is_parquet = self.form == "parquet"
            file = parquet_writer(self.path) if is_parquet else self._file(self.path)
            async with in_threads(file, together=ROW_GROUP if is_parquet else 1) as write:
                yield write

    @contextmanager
    def _file(self, path: Path) -> Generator[Write]:
        lines = lines_of(self.form, self.columns, self.zone, spreadsheet=self.spreadsheet)
        with written_whole(path) as file, self._packing(file) as out:
            out.write(lines(()))
            yield lambda batches: out.writelines(map(lines, batches))

    def _packing(self, file: BinaryIO) -> AbstractContextManager[BinaryIO | gzip.GzipFile]:
        # Without mtime=0 the time would be in the file, and two equal pulls would differ.
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) if self.packed else nullcontext(file)


def target(shape: Shape, output: Path | None, zone: tzinfo, *, spreadsheet: bool) -> Target:
    """
    Where calls go, and how.

    Raises:
        UsageError: Options contradict each other, the file can't be one, or an extra is missing.
    """
    path = None if output is None or str(output) == "-" else output
    if path is None:
        form = shape.format or ("table" if output is None and shape.on_terminal() else "jsonl")
        found = Target(None, form, shape.columns, spreadsheet, packed=False, zone=zone)
    else:
        found = _file_target(shape, path, zone, spreadsheet=spreadsheet)
    if spreadsheet and found.form != "csv":
        raise UsageError("--spreadsheet needs an --output that ends in .csv, or --format csv")
    return found


def _file_target(shape: Shape, path: Path, zone: tzinfo, *, spreadsheet: bool) -> Target:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [_PACKED]
    suffix = "".join(suffixes[:-1][-1:] if packed else suffixes[-1:])
    form = shape.format or suffix.removeprefix(".")
    if shape.format is None and (suffix not in _SUFFIXES or (packed and suffix == ".parquet")):
        raise UsageError(
            f"--output {path}: the name must end in {' or '.join(_SUFFIXES)}, .jsonl.gz or .csv.gz; or give --format"
        )
    if form == "table":
        raise UsageError(f"--output {path}: a table is for the terminal")
    if path.exists() and not path.is_file():
        raise UsageError(f"--output {path}: exists and is not a regular file")
    if form == "parquet":
        if shape.fields is not None:
            raise UsageError("--fields: a .parquet file has all fields, and gives what a reader asks for")
        try:
            arrow()
        except ImportError as error:
            raise UsageError(f"--output {path}: {error}") from error
    return Target(path, form, shape.columns, spreadsheet, packed, zone)


def lines_of(form: str, columns: Sequence[str] | None, zone: tzinfo, *, spreadsheet: bool = False) -> Lines:
    """Return what turns calls into lines. The first time, even for no calls, the heading of a CSV comes before them."""
    if form == "table":
        return Tables(Console(), columns, zone=zone).lines
    if form == "csv":
        return _csv(columns or COLUMNS, zone, spreadsheet=spreadsheet)
    return json_lines if columns is None else lambda cdrs: _some_fields(cdrs, columns)


def _csv(columns: Sequence[str], zone: tzinfo, *, spreadsheet: bool) -> Lines:
    heading = csv_heading(columns, spreadsheet=spreadsheet)

    def lines(cdrs: Sequence[Cdr]) -> bytes:
        nonlocal heading
        above, heading = heading, b""
        return above + csv_lines(cdrs, columns, spreadsheet=spreadsheet, zone=zone)

    return lines


def _some_fields(cdrs: Sequence[Cdr], names: Sequence[str]) -> bytes:
    return _encoder.encode_lines([{name: getattr(cdr, name) for name in names} for cdr in cdrs])


SHAPE: Final = Shape()
