"""The sandboxes of `--sandbox` and of `infin8 sandbox`."""

from datetime import UTC, datetime
from typing import Final

from ..models import BEIJING, CdrQuery
from ..testing import Sandbox

SANDBOX_CALLS: Final = 10_000
"""How many calls there are in the sandbox of a command, spread over its window."""

_IDS_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)


def made_up(query: CdrQuery, *, calls: int, live: float) -> Sandbox:
    """
    A platform with *calls* calls in the window of a query, as far as that lies in the past.

    Args:
        query: The window.

        calls: How many calls there are when it starts.

        live: How many more appear each second.
    """
    start, end = query.until_now().ends
    now = datetime.now(BEIJING).replace(microsecond=0)
    if start > now:
        return Sandbox(0, live=live)
    # Two windows have other calls under other ids, so that a database can hold both.
    number = int((start - _IDS_FROM).total_seconds())
    return Sandbox(calls, start=start, until=min(end, now), seed=number, first_id=max(number, 1), live=live)
