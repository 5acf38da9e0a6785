"""Calls that the store holds and the platform does not give: looked for once more before they count as vanished."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Final

from ..errors import IncompleteResultError, UnreadableRowsError
from ..models import Cdr, CdrQuery
from ..session import Infin8Session
from ._ledger import SECOND, shifted
from ._select import Held

_NEAR: Final = timedelta(hours=1)
"""Calls that are nearer to each other than this are looked for in one window."""

Found = Callable[[Sequence[Cdr]], Awaitable[object]]
"""Takes calls that the platform gives after all."""


async def gone(session: Infin8Session, absent: Iterable[Held], found: Found) -> list[int]:
    """
    Look for calls where their times say that they are, without any filter.

    A call can be absent from what was pulled though the platform has it: it appeared since, it no longer passes the
    filter, or it belongs to a neighbouring window.

    Args:
        session: Where to look.

        absent: Calls that the store held before this began.

        found: Takes those that the platform gives.

    Returns:
        The ids of those that it does not give.
    """
    missing: list[int] = []
    for calls in _groups(absent):
        ids = {call.id for call in calls}
        window = CdrQuery(shifted(calls[0].first, -SECOND), shifted(max(call.last for call in calls), SECOND))
        async with session.cdrs(window) as stream:
            with suppress(IncompleteResultError, UnreadableRowsError):
                async with aclosing(stream.pages()) as pages:
                    async for page in pages:
                        if there := [cdr for cdr in page.cdrs if cdr.id in ids]:
                            ids.difference_update(cdr.id for cdr in there)
                            await found(there)
            if stream.report.complete:
                missing += sorted(ids)
    return missing


def _groups(absent: Iterable[Held]) -> list[list[Held]]:
    """Calls that are near each other in time, together."""
    groups: list[list[Held]] = []
    last = None
    for call in sorted(absent, key=lambda call: (call.first, call.id)):
        if last is None or call.first - last > _NEAR:
            groups.append([])
            last = call.last
        groups[-1].append(call)
        last = max(last, call.last)
    return groups
