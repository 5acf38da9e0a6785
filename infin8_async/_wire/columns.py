"""
Rows straight to columns, by Arrow's own reader of JSON.

It takes what is documented and nothing else: no number as a text, no text as a number, no field twice or unknown. It
works without the interpreter's lock, so in a thread it holds nobody up. Columns made of msgspec's structs cost the
processor as much, and hold the lock all the time.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from .._arrow import arrow
from .values import TIME_LENGTH, ZERO_TIME

if TYPE_CHECKING:
    from pyarrow import Array, Field, RecordBatch, Schema

_BEIJING: Final = 8 * 3_600_000  # milliseconds that its clocks are ahead of UTC
_YEAR_1: Final = -62_135_596_800_000  # when it begins; Python's calendar has no earlier year
_split: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def batch_of_rows(body: msgspec.Raw, schema: "Schema") -> "RecordBatch":
    """
    The rows of a page, at least one, as columns. It takes some 5 ms for 1,000 rows, almost all of it without the lock.

    Args:
        body: The list of rows.

        schema: The columns. If `extra` is not one of them, fields that the schema does not name are skipped unread.

    Raises:
        ValueError: There are rows that are not as documented. What they mean, or what is wrong with them, is for
            `structure` to say.
    """
    pa = arrow()
    lines = b"\n".join(_split(body))
    read = pa.json.read_json(
        pa.BufferReader(lines),
        pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),  # one block, so one piece a column
        pa.json.ParseOptions(
            explicit_schema=_as_sent(schema),
            unexpected_field_behavior="error" if "extra" in schema.names else "ignore",
        ),
    ).combine_chunks()
    columns = [
        pa.nulls(len(read), field.type) if field.name == "extra" else _column(field, read.column(field.name).chunk(0))
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


def _as_sent(schema: "Schema") -> "Schema":
    """The same columns with times as texts. The id is always there: rows without any column could not be counted."""
    pa = arrow()
    fields = {field.name: field.type if field.type == pa.int64() else pa.string() for field in schema}
    return pa.schema({"id": pa.int64()} | {name: kind for name, kind in fields.items() if name != "extra"})


def _column(field: "Field", values: "Array") -> "Array":
    pa = arrow()
    if pa.types.is_timestamp(field.type):
        return _instants(field, values)
    if values.null_count:  # fields that are missing
        values = values.fill_null(0 if field.type == pa.int64() else "")
    return values


def _instants(field: "Field", times: "Array") -> "Array":
    pa = arrow()
    compute = pa.compute
    absent = compute.is_in(times, pa.array(["", ZERO_TIME]))
    times = compute.if_else(absent, None, times)
    lengths = compute.min_max(compute.binary_length(times)).as_py().values()
    if not {TIME_LENGTH, None}.issuperset(lengths):
        raise ValueError("not of the platform's form: Arrow would take a date for a time")
    clock = times.cast(pa.timestamp("ms")).view(pa.int64())
    if (compute.min(clock).as_py() or 0) < _YEAR_1:
        raise ValueError("before the year 1")
    return compute.subtract(clock, _BEIJING).view(field.type)
