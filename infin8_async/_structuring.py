"""Rows to records, by a cattrs converter of our own."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import fields
from cattrs import ClassValidationError, Converter
from cattrs.gen import make_dict_structure_fn, override

from .models import BEIJING, CallDirection, CallMethod, Cdr

_FIELDS: Final = frozenset(a.name for a in fields(Cdr) if a.name != "extra")
_TIME_LENGTH: Final = len("YYYY-MM-DD HH:MM:SS")
_parse, _combine = datetime.fromisoformat, datetime.combine
_EXTRA: Final = "\0extra"  # where a row carries its unlisted fields to the generated hook; no field of the platform


class UnreadableRowError(ValueError):
    """
    A row that no record can be made of.

    Attributes:
        row: Which one, from 1.

        field: The name of its first field that can't be read; None where the row is no object at all.

        reason: What is wrong with it. Never the value itself.
    """

    def __init__(self, row: int, field: str | None, reason: str) -> None:
        super().__init__(row, field, reason)
        self.row, self.field, self.reason = row, field, reason


def integer(value: object, _: object = None) -> int:
    """A number, which may come as text; nothing is 0."""
    if value.__class__ is int:
        return value  # the fast form of isinstance, and without bool
    if value is None or value == "":
        return 0
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
        return int(value)
    raise ValueError(f"is {_kind(value)}, not a whole number")


def _id(value: object, _: object = None) -> int:
    if value is None or value == "":
        raise ValueError("is empty")
    number = integer(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError("does not fit 64 bits")
    return number


def _text(value: object, _: object = None) -> str:
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if value.__class__ is int:
        return str(value)
    raise ValueError(f"is {_kind(value)}, not a text")


def _time(value: object, _: object = None) -> datetime | None:
    if value == "" or value is None:
        return None
    if value.__class__ is not str:
        raise ValueError(f"is {_kind(value)}, not a time")
    try:
        time = _parse(value)
    except ValueError:
        if value == "0000-00-00 00:00:00":
            return None
        time = None
    if time is None or time.tzinfo is not None or len(value) != _TIME_LENGTH:
        raise ValueError("is no time of the form YYYY-MM-DD HH:MM:SS")
    # All times share one zone: parsed with "+08:00" in the text each would carry its own, and be almost three times as
    # large. `replace(tzinfo=…)` says the same, and costs five times as much on Python 3.11.
    return _combine(time, time.time(), BEIJING)


def _kind(value: object) -> str:
    """What a value is, in JSON's words: values themselves may be phone numbers and stay out of messages."""
    names = {str: "a text", bool: "a boolean", int: "a number", float: "a fraction", dict: "an object", list: "a list"}
    return names.get(type(value), type(value).__name__)


_DIRECTIONS: Final[Mapping[object, CallDirection]] = {member.value: member for member in CallDirection}
_METHODS: Final[Mapping[object, CallMethod]] = {member.value: member for member in CallMethod}


def call_direction(value: object, _: object = None) -> CallDirection | str:
    if value.__class__ is str:
        return _DIRECTIONS.get(value, value)
    return _text(value)


def call_method(value: object, _: object = None) -> CallMethod | str:
    text = value if value.__class__ is str else _text(value)
    return _METHODS.get(text, text)


def _untouched(value: Mapping[str, object], _: object) -> Mapping[str, object]:
    return value


_HOOKS: Final[Mapping[object, Callable[[object, object], object]]] = {
    int: integer,
    str: _text,
    datetime | None: _time,
    CallDirection | str: call_direction,
    CallMethod | str: call_method,
}


def _make_converter(*, detailed: bool) -> Converter:
    """A converter that hands each field of a row straight to the function for its type."""
    converter = Converter(detailed_validation=detailed)
    hooks = {a.name: override(struct_hook=_HOOKS[a.type]) for a in fields(Cdr) if a.name in _FIELDS}
    hooks["id"] = override(struct_hook=_id)
    hooks["extra"] = override(struct_hook=_untouched, rename=_EXTRA)
    structure = make_dict_structure_fn(
        Cdr,
        converter,
        _cattrs_detailed_validation=detailed,
        **hooks,  # type: ignore[arg-type]  # mypy takes the names of our fields for names of its options
    )

    def structure_row(row: Mapping[str, object], kind: type[Cdr]) -> Cdr:
        if not _FIELDS.issuperset(row):
            row = {**row, _EXTRA: {name: value for name, value in row.items() if name not in _FIELDS}}
        return structure(row, kind)

    converter.register_structure_hook(Cdr, structure_row)
    return converter


_fast = _make_converter(detailed=False).get_structure_hook(Cdr)
_explaining = _make_converter(detailed=True)


def structure(rows: Sequence[object], *, first: int = 1) -> list[Cdr]:
    """
    Make records of decoded rows, in their order.

    Args:
        rows: What JSON held; objects, one hopes.

        first: The number of the first of them on its page.

    Raises:
        UnreadableRowError: A row is no object, has no usable id, or a field that can't be read.
    """
    try:
        return [_fast(row, Cdr) for row in rows]
    except (ValueError, KeyError, AttributeError, TypeError):
        # Each row once more, with the converter that keeps account: it costs more, and is asked only here.
        return [_explained(row, number) for number, row in enumerate(rows, first)]


def _explained(row: object, number: int) -> Cdr:
    if not isinstance(row, dict):
        raise UnreadableRowError(number, None, f"is {_kind(row)}, not an object")
    try:
        return _explaining.structure(row, Cdr)
    except ClassValidationError as error:
        (first, note), *_ = error.group_exceptions()[0]
        reason = "is missing" if isinstance(first, KeyError) else str(first)
        raise UnreadableRowError(number, note.name, reason) from None
