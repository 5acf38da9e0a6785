"""A call as the values of its columns."""

from operator import attrgetter
from typing import Final

import msgspec
from attrs import fields

from .models import Cdr

FIELDS: Final = tuple(field.name for field in fields(Cdr) if field.name != "extra")
"""The columns of a call, without `extra`."""

values_of: Final = attrgetter(*FIELDS)
"""The values of a call in these columns."""


def extra_text(cdr: Cdr) -> str:
    """The call's `extra` as JSON on one line; "" if it has none."""
    # An indent of 0 puts a space after each colon and comma, and no line ends.
    return msgspec.json.format(msgspec.json.encode(cdr.extra), indent=0).decode() if cdr.extra else ""
