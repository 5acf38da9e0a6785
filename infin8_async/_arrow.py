"""Calls as columns of Arrow: which columns there are, and a batch of them out of records."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import fields

from ._columns import extra_text
from ._extras import requires
from .models import FIELDS, Cdr

if TYPE_CHECKING:
    from pyarrow import Array, Field, RecordBatch, Schema


def arrow() -> Any:  # noqa: ANN401  # pyarrow has no types
    """
    The module `pyarrow`, with the parts that are used here.

    Raises:
        ImportError: It is not installed. The message says what to install.
    """
    with requires("arrow", "pyarrow", what="Arrow and Parquet need"):
        import pyarrow.compute  # noqa: PLC0415  # it is optional, and slow to import
        import pyarrow.parquet  # noqa: PLC0415  # as above
    return pyarrow


def call_schema(columns: Sequence[str] | None = None) -> "Schema":
    """
    The columns of `to_arrow`, or some of them.

    Raises:
        ValueError: There is no such column.
    """
    pa = arrow()
    pa.array([])  # the first array makes pyarrow import pandas for half a second: not later, in somebody's loop
    types: dict[object, object] = {int: pa.int64(), datetime | None: pa.timestamp("ms", tz="+08:00")}
    every = {field.name: pa.field(field.name, types.get(field.type, pa.string())) for field in fields(Cdr)}
    if columns is None:
        return pa.schema(every.values())
    if unknown := [name for name in columns if name not in every]:
        raise ValueError(f"there is no column {', '.join(map(repr, unknown))}; the columns are {', '.join(every)}")
    return pa.schema([every[name] for name in dict.fromkeys(columns)])


def record_batch(schema: "Schema", cdrs: Sequence[Cdr]) -> "RecordBatch":
    """
    Calls as columns.

    Raises:
        ValueError: A number of more than 64 bits, or half a character. The message names the call and the field.
    """
    return arrow().record_batch([_column(cdrs, field) for field in schema], schema=schema)


def _column(cdrs: Sequence[Cdr], field: "Field") -> "Array":
    pa = arrow()
    if field.name in FIELDS:
        values = [getattr(cdr, field.name) for cdr in cdrs]
    else:
        values = [extra_text(cdr) or None for cdr in cdrs]
    try:
        return pa.array(values, field.type)
    except (OverflowError, UnicodeEncodeError):
        for cdr, value in zip(cdrs, values, strict=True):
            try:
                pa.scalar(value, field.type)
            except (OverflowError, UnicodeEncodeError):
                misfit = cdr.id
    raise ValueError(f"call {misfit}: its {field.name} does not fit the column's type, {field.type}")
