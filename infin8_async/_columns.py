"""The column `extra`."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class AnyCall(Protocol):
    """A record, or a row for a file of texts."""

    @property
    def extra(self) -> Mapping[str, object]: ...


def extra_text(cdr: AnyCall) -> str:
    """The call's `extra` as JSON on one line; "" if it has none."""
    # An indent of 0 puts a space after each colon and comma, and no line ends.
    return msgspec.json.format(msgspec.json.encode(cdr.extra), indent=0).decode() if cdr.extra else ""
