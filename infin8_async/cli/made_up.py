"""The sandboxes of `--sandbox` and of `infin8 sandbox`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ..models import BEIJING, CdrQuery

if TYPE_CHECKING:
    from ..testing import Sandbox

_CALLS: Final = 10_000
_SECONDS_APART: Final = 30  # calls that were there before somebody began to follow
_LIVE: Final = 1.0  # new calls a second
_IDS_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)


def made_up(query: CdrQuery, *, following: bool = False) -> "Sandbox":
    """
    A platform with 10,000 calls in the window of a query, as far as that lies in the past.

    Args:
        query: The window.

        following: A call every half minute is enough, but another one appears each second.
    """
    from ..testing import Sandbox  # noqa: PLC0415  # a server takes its time to load, and most commands need none

    start, end = query.until_now().ends
    now = datetime.now(BEIJING).replace(microsecond=0)
    end = min(end, now)
    calls, live = _CALLS, 0.0
    if following:
        calls, live = int((end - start).total_seconds()) // _SECONDS_APART, _LIVE
    if start > now:
        return Sandbox(0, live=live)
    # Each window has calls and ids of its own, so that a database can hold the calls of two.
    number = int((start - _IDS_FROM).total_seconds())
    return Sandbox(calls, start=start, until=end, seed=number, first_id=max(number, 1), live=live)
