"""Rows of a page out of JSON: as the platform documents them if they are, or whatever they are."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from attrs import fields

from ..models import Cdr

# Rows as the platform documents them: some fields may be missing. msgspec looks at names and types while it decodes, so
# that what is a text or a number already is handed on.
_FIELDS: Final = [field for field in fields(Cdr) if field.name not in ("id", "extra")]
_WIRE: Final[Mapping[object, object]] = {int: int, datetime | None: str | None}
_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Documented(msgspec.Struct, gc=False):
    """A row as the platform documents it. Its times are texts."""


Row: Final = msgspec.defstruct(
    "Row",
    [("id", _INT64), *((field.name, _WIRE.get(field.type, str), field.default) for field in _FIELDS)],
    bases=(Documented,),
    forbid_unknown_fields=True,
    gc=False,
)


class Mark(Documented, gc=False):
    """The fields by which a pull knows a call and its place in time. Nothing else of the row has been looked at."""

    id: _INT64  # type: ignore[valid-type]  # an alias that is final is one
    starttime: str | None = None
    answertime: str | None = None
    endtime: str | None = None


_decode_documented: Final = msgspec.json.Decoder(list[Row]).decode  # type: ignore[valid-type]  # made at run time
_decode_marks: Final = msgspec.json.Decoder(list[Mark]).decode
_decode: Final = msgspec.json.Decoder().decode


def decode_rows(body: msgspec.Raw, *, marks: bool = False) -> Sequence[object]:
    """
    The rows of a page, for `structure`.

    They may come as an object keyed by index, which is what PHP makes of a list with gaps. They keep the order in
    which they were sent, whatever their keys are.

    Args:
        body: The page.

        marks: Whether marks are enough.

    Returns:
        `Documented` rows, if all are: of marks, those if theirs are. If not: whatever they are; objects, one hopes.

    Raises:
        msgspec.DecodeError: It is no JSON, or neither a list nor an object.
    """
    try:
        return _decode_marks(body) if marks else _decode_documented(body)
    except msgspec.ValidationError:
        rows = _decode(body)
        if isinstance(rows, dict):
            rows = list(rows.values())
        if not isinstance(rows, list):
            raise
        return rows
