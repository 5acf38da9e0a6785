"""Rows of a page out of JSON: as the platform documents them if they are, or whatever they are."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, ClassVar, Final

import msgspec
from attrs import fields

from ..models import Cdr

ALL: Final = frozenset(field.name for field in fields(Cdr))

_MARKS: Final = frozenset({"id", "starttime", "answertime", "endtime"})  # by these a pull knows a call and its time
_FIELDS: Final = [field for field in fields(Cdr) if field.name not in ("id", "extra")]
TIMES: Final = [field.name for field in _FIELDS if field.type == datetime | None]
_WIRE: Final[Mapping[object, object]] = {int: int, datetime | None: str | None}
_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Documented(msgspec.Struct, gc=False):
    """A row as the platform documents it: some fields may be missing. Its times are texts, its `extra` is empty."""

    extra: ClassVar[Mapping[str, object]] = {}
    id: _INT64  # type: ignore[valid-type]  # an alias that is final is one


@cache
def row_type(columns: frozenset[str]) -> type[Documented]:
    """Rows of which these fields are read, and no others but the id and the times that a pull compares."""
    # msgspec looks at names and types while it decodes, so that what is a text or a number already is handed on.
    read = [field for field in _FIELDS if field.name in columns | _MARKS]
    made: type[Documented] = msgspec.defstruct(  # type: ignore[assignment]  # what it says is any struct
        "Row",
        [(field.name, _WIRE.get(field.type, str), field.default) for field in read],
        bases=(Documented,),
        forbid_unknown_fields="extra" in columns,
        gc=False,
    )
    return made


Row: Final = row_type(ALL)


@cache
def _decoder(columns: frozenset[str]) -> Callable[[msgspec.Raw], list[Documented]]:
    return msgspec.json.Decoder(list[row_type(columns)]).decode  # type: ignore[misc]  # made at run time


_decode: Final = msgspec.json.Decoder().decode


def decode_rows(body: msgspec.Raw, columns: frozenset[str] = ALL) -> Sequence[object]:
    """
    The rows of a page, for `structure` or `column`.

    They may come as an object keyed by index, which is what PHP makes of a list with gaps. They keep the order in
    which they were sent, whatever their keys are.

    Args:
        body: The page.

        columns: The fields that are wanted; "extra" for those that are not listed.

    Returns:
        Rows of `row_type(columns)`, if all are documented as far as they are read. If not: whatever they are; objects,
        one hopes.

    Raises:
        msgspec.DecodeError: It is no JSON, or neither a list nor an object.
    """
    try:
        return _decoder(columns)(body)
    except msgspec.ValidationError:
        rows = _decode(body)
        if isinstance(rows, dict):
            rows = list(rows.values())
        if not isinstance(rows, list):
            raise
        return rows
