"""Rows to records, by a cattrs converter of our own."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from attrs import NOTHING, fields
from cattrs import ClassValidationError, Converter
from cattrs.gen import make_dict_structure_fn_from_attrs, override

from .models import BEIJING, CallDirection, CallMethod, Cdr

_Hook = Callable[[object, object], object]
_FIELDS: Final = {a.name: a for a in fields(Cdr) if a.name != "extra"}
_NAMES: Final = frozenset(_FIELDS)
_TIME_LENGTH: Final = len("YYYY-MM-DD HH:MM:SS")
_parse, _combine = datetime.fromisoformat, datetime.combine
_EXTRA: Final = "\0extra"  # where a row carries what is not listed to the generated function; no field of the platform


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


_HOOKS: Final[Mapping[object, _Hook]] = {
    int: integer,
    str: _text,
    datetime | None: _time,
    CallDirection | str: call_direction,
    CallMethod | str: call_method,
}


def _untouched(value: object, _: object) -> object:
    return value


def _generated(hooks: Mapping[str, _Hook | None], *, detailed: bool = False) -> Callable[[Mapping[str, object]], Cdr]:
    """
    A function of cattrs that makes a record of a row in which every field is there.

    Args:
        hooks: What each field goes through; None where it is taken as it is.

        detailed: Whether an error says which field it comes from.
    """
    # Without defaults, the code that cattrs writes is one call with a keyword for each field. With them it would look
    # for each whether it is there, and gather them in a dict first: half as slow again.
    listed = [
        a.evolve(default=NOTHING, converter=None if hooks[a.name] else str) for a in fields(Cdr) if a.name in hooks
    ]
    overrides = {name: override(struct_hook=hook) for name, hook in hooks.items()}
    if "extra" in hooks:
        overrides["extra"] = override(struct_hook=hooks["extra"], rename=_EXTRA)
    return make_dict_structure_fn_from_attrs(
        listed,
        Cdr,
        Converter(),
        _cattrs_detailed_validation=detailed,
        _cattrs_prefer_attrib_converters=True,  # a field that has one is taken as it is
        **overrides,  # type: ignore[arg-type]  # mypy takes the names of our fields for names of its options
    )


# Rows as the platform documents them. msgspec checks names and types while it decodes, and what is a text or a number
# already is handed on.
_WIRE: Final[Mapping[object, object]] = {int: int, datetime | None: str | None}
_Row: Final = msgspec.defstruct(
    "_Row",
    [
        (name, Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] if name == "id" else _WIRE.get(a.type, str))
        for name, a in _FIELDS.items()
    ],
    forbid_unknown_fields=True,
    gc=False,
)
_decode_documented: Final = msgspec.json.Decoder(list[_Row]).decode  # type: ignore[valid-type]  # made at run time
_documented: Final = _generated({name: None if a.type in (int, str) else _HOOKS[a.type] for name, a in _FIELDS.items()})

# Rows of any other kind: every field is looked at, and may be missing.
_decode: Final = msgspec.json.Decoder().decode
_LENIENT: Final = {name: _HOOKS[a.type] for name, a in _FIELDS.items()} | {"id": _id, "extra": _untouched}
_ABSENT: Final = dict.fromkeys(_NAMES - {"id"})
_lenient: Final = _generated(_LENIENT)
_explaining: Final = _generated(_LENIENT, detailed=True)


def decode_rows(body: msgspec.Raw) -> Sequence[object]:
    """
    The rows of a page, ready to be structured; of no use for anything else.

    Raises:
        msgspec.DecodeError: It is no JSON, or no list.
    """
    try:
        return _decode_documented(body)
    except msgspec.ValidationError:
        rows = _decode(body)
        if not isinstance(rows, list):
            raise
        return rows


def structure(rows: Sequence[Any], *, first: int = 1) -> list[Cdr]:
    """
    Make records of decoded rows, in their order.

    Args:
        rows: Some that `decode_rows` gave; objects, one hopes.

        first: The number of the first of them on its page.

    Raises:
        UnreadableRowError: A row is no object, has no usable id, or a field that can't be read.
    """
    try:
        if rows and isinstance(rows[0], _Row):
            return [_documented(msgspec.structs.asdict(row)) for row in rows]
        return [_lenient(_filled(row)) for row in rows]
    except (ValueError, KeyError, AttributeError, TypeError):
        # Each row once more, by the function that keeps account: it costs more, and is asked only here.
        return [_explained(row, number) for number, row in enumerate(rows, first)]


def _filled(row: Mapping[str, object]) -> dict[str, object]:
    """A row with every field, None where it had none; those that are not listed go into one."""
    extra = {} if _NAMES.issuperset(row) else {name: value for name, value in row.items() if name not in _NAMES}
    return {**_ABSENT, **row, _EXTRA: extra}


def _explained(row: object, number: int) -> Cdr:
    if isinstance(row, _Row):
        row = msgspec.structs.asdict(row)
    if not isinstance(row, dict):
        raise UnreadableRowError(number, None, f"is {_kind(row)}, not an object")
    try:
        return _explaining(_filled(row))
    except ClassValidationError as error:
        (first, note), *_ = error.group_exceptions()[0]
        reason = "is missing" if isinstance(first, KeyError) else str(first)
        raise UnreadableRowError(number, note.name, reason) from None
