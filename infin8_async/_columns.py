"""The column `extra`."""

import msgspec

from .models import Cdr


def extra_text(cdr: Cdr) -> str:
    """The call's `extra` as JSON on one line; "" if it has none."""
    # An indent of 0 puts a space after each colon and comma, and no line ends.
    return msgspec.json.format(msgspec.json.encode(cdr.extra), indent=0).decode() if cdr.extra else ""
