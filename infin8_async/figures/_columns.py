"""Calls as columns: counted by Arrow instead of one by one, with the same sums."""

from array import array
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ..models import CallDirection, CallMethod
from ._callbacks import MOST_DIGITS, NOBODY, packed
from ._hours import QUARTER
from ._sums import LONGEST_TALK, Sums

# ruff: noqa: ANN401  # pyarrow has no types

_SECONDS: Final = pa.timestamp("s", "UTC")
_TYPES: Final[Mapping[str, Any]] = {
    "disnumber": pa.string(),
    "callnumber": pa.string(),
    "context": pa.string(),
    "callmethod": pa.string(),
    "starttime": _SECONDS,
    "answertime": _SECONDS,
    "endtime": _SECONDS,
    "billsec": pa.int64(),
    "aanswertime": _SECONDS,
    "abillsec": pa.int64(),
}


def columns_of(table: Any) -> dict[str, Any]:
    """
    Take from a table the columns that figures are made of; times become seconds since the epoch.

    Raises:
        ValueError: A column is missing, or a time has no zone.
    """
    missing = _TYPES.keys() - set(table.column_names)
    if missing:
        raise ValueError(f"figures need all of the columns {', '.join(_TYPES)}; missing: {', '.join(sorted(missing))}")
    columns = {}
    for name, wanted in _TYPES.items():
        column = table.column(name).combine_chunks()
        if wanted == _SECONDS:
            if pa.types.is_timestamp(column.type) and column.type.tz is None:
                raise ValueError(f"the times in column {name} have no zone")
            column = column.cast(_SECONDS, safe=False).cast(pa.int64())
        columns[name] = column.cast(wanted if wanted != _SECONDS else pa.int64())
    return columns


def add_columns(sums: Sums, columns: Mapping[str, Any]) -> None:
    """Count calls, as `Sums.add` does. It takes some milliseconds for 10,000 calls, and may run in a thread."""
    start, answer, billsec = columns["starttime"], columns["answertime"], columns["billsec"]
    answered = pc.or_(pc.is_valid(answer), pc.greater(billsec, 0))
    incoming = pc.equal(columns["context"], CallDirection.INCOMING.value)
    talk = pc.if_else(pc.and_(pc.greater_equal(billsec, 0), pc.less_equal(billsec, LONGEST_TALK)), billsec, 0)
    _count(sums.oddities, "negative talk", pc.less(billsec, 0))
    _count(sums.oddities, "talk of more than a year", pc.greater(billsec, LONGEST_TALK))
    sums.counts["calls"] += len(start)
    _count(sums.counts, "answered", answered)
    _count(sums.counts, "incoming", incoming)
    _count(sums.counts, "missed", pc.and_not(incoming, answered))
    double = pc.equal(columns["callmethod"], CallMethod.DOUBLE.value)
    answered_a = pc.or_(pc.is_valid(columns["aanswertime"]), pc.greater(columns["abillsec"], 0))
    _count(sums.counts, "double", double)
    _count(sums.counts, "a", pc.and_(double, answered_a))
    _count(sums.counts, "b", pc.and_(double, answered))
    _count_hours(sums, start, answered, talk)
    _count_talks(sums, pa.record_batch([start, answer, columns["endtime"], talk, incoming], list("saeti")), answered)
    _count_contacts(sums, columns, incoming, answered)


def _count_hours(sums: Sums, start: Any, answered: Any, talk: Any) -> None:
    talked = pc.if_else(answered, talk, 0)
    rows = pa.table([start, talked, answered], ["second", "talked", "answered"]).drop_null()
    quarters = pc.cast(pc.floor(pc.divide(pc.cast(rows["second"], pa.float64()), QUARTER)), pa.int64())
    hours = {key: sums.hours.of_quarter(key) for key in pc.unique(quarters).to_pylist()}
    keys = quarters
    if None in hours.values():
        keys = rows["second"]
        hours = {key: sums.hours.of(key) for key in pc.unique(keys).to_pylist()}
    grouped = rows.append_column("key", keys).group_by("key", use_threads=False)
    found = grouped.aggregate([([], "count_all"), ("answered", "sum"), ("talked", "sum")])
    for row in found.to_pylist():
        tally = row["count_all"], row["answered_sum"], row["talked_sum"]
        hour = hours[row["key"]]
        if hour is not None:
            sums.dialled[hour] = [*map(int.__add__, sums.dialled[hour], tally)]


def _count_talks(sums: Sums, rows: Any, answered: Any) -> None:
    rows = rows.filter(answered)
    start, answer, end, talk, incoming = rows.columns
    without = pc.is_null(answer)
    too_early = pc.fill_null(pc.less(answer, start), fill_value=False)
    _count(sums.oddities, "talk without answer time", without)
    _count(sums.oddities, "end before answer", pc.less(end, answer))
    _count(sums.oddities, "answer before start", too_early)
    waits = pc.if_else(too_early, None, pc.subtract(answer, start))
    for lengths, by_length in (
        (talk, sums.talks),
        (waits.filter(incoming), sums.waits_in),
        (waits.filter(pc.invert(incoming)), sums.waits_out),
    ):
        for found in lengths.drop_null().value_counts().to_pylist():
            by_length[found["values"]] += found["counts"]
    began = pc.coalesce(answer, pc.subtract(end, talk), start)
    talked = pc.and_(pc.greater(talk, 0), pc.is_valid(began))
    begun = began.filter(talked)
    sums.changes.add(_integers(begun), _integers(pc.add(begun, talk.filter(talked))))


def _count_contacts(sums: Sums, columns: Mapping[str, Any], incoming: Any, answered: Any) -> None:
    numbers = pc.if_else(incoming, columns["disnumber"], columns["callnumber"])
    contacts = pa.record_batch([_packed(numbers), columns["starttime"], answered], ["number", "second", "talked"])
    number, second, talked = contacts.filter(pc.or_(incoming, answered)).columns
    known = pc.and_(pc.greater(number, NOBODY), pc.is_valid(second))
    sums.contacts.unknown += pc.sum(pc.invert(pc.or_(talked, known))).as_py() or 0
    marks = pc.add(pc.multiply(second, 2), pc.cast(talked, pa.int64()))
    sums.contacts.extend(_integers(number.filter(known)), _integers(marks.filter(known)))


def _packed(numbers: Any) -> Any:
    """Phone numbers as `packed` makes them of one."""
    if not pc.all(pc.string_is_ascii(numbers)).as_py():  # Arrow knows only the digits from 0 to 9
        return pa.array(map(packed, numbers.to_pylist()), pa.int64())
    digits = pc.replace_substring_regex(numbers, r"\D+", "")
    return pc.cast(pc.binary_join_element_wise("1", pc.utf8_slice_codeunits(digits, -MOST_DIGITS), ""), pa.int64())


def _count(counter: dict[str, int], name: str, which: Any) -> None:
    number = pc.sum(which).as_py()
    if number:
        counter[name] += number


def _integers(column: Any) -> "array[int]":
    made = array("q")
    if len(column):
        start = 8 * column.offset
        made.frombytes(memoryview(column.buffers()[1])[start : start + 8 * len(column)])
    return made
