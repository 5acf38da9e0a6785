"""Dividing a window into portions of about as many calls each, found by counting."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any, Final

from attrs import evolve, frozen

from .._wire.tasks import cancel
from ..models import CdrQuery
from .divide import SECOND, divide

_FEWEST_PARTS: Final = 3  # of one division: no call is in the first and in the last of them
_MOST_PARTS: Final = 64

Count = Callable[[CdrQuery], Coroutine[Any, Any, int]]
"""Asks the platform for its count of a window."""


@frozen
class _Portion:
    query: CdrQuery
    calls: int


async def portions(query: CdrQuery, calls: int, count: Count) -> list[CdrQuery]:
    """
    Divide a window, oldest first, as `Infin8Session.plan` documents.

    Args:
        query: A query with both ends.

        calls: How many calls a portion is meant to hold. It may hold a quarter more.

        count: Asks the platform. All counts of a round are asked for at once.
    """
    most = calls + calls // 4
    whole = _Portion(query, await count(query))
    for overlap in (timedelta(), SECOND):
        divided = await _divided(whole, calls, most, overlap, count)
        # If the portions count fewer calls than the whole after them, the platform may include neither bound of a
        # window. Then calls of the seconds between two portions are in none of them.
        if len(divided) == 1 or sum(portion.calls for portion in divided) >= await count(query):
            break
    return [portion.query for portion in _joined(divided, most)]


async def _divided(whole: _Portion, calls: int, most: int, overlap: timedelta, count: Count) -> list[_Portion]:
    """Divide until no portion holds more than *most* calls, or it can't be divided any further."""
    pending, done = [whole], []
    while pending:
        windows: list[CdrQuery] = []
        for portion in pending:
            parts = _parts(portion, calls, overlap) if portion.calls > most else []
            windows += parts
            if not parts:
                done.append(portion)
        pending = [_Portion(*counted) for counted in zip(windows, await _counts(count, windows), strict=True)]
        if pending and all(portion.calls >= whole.calls for portion in pending):
            return [whole]  # the platform does not filter by time
    return sorted(done, key=lambda portion: portion.query.ends)


def _parts(portion: _Portion, calls: int, overlap: timedelta) -> list[CdrQuery]:
    """The parts of a portion, or none if it is too short."""
    number = min(max(_FEWEST_PARTS, -(-portion.calls // calls)), _MOST_PARTS)
    parts = divide(portion.query, number, overlap=overlap)
    return parts if len(parts) > 1 else []


def _joined(portions: Iterable[_Portion], most: int) -> list[_Portion]:
    """Join neighbours that hold no more than *most* calls together."""
    joined: list[_Portion] = []
    for portion in portions:
        if joined and joined[-1].calls + portion.calls <= most:
            older = joined.pop()
            query = evolve(older.query, endtime=portion.query.endtime)
            joined.append(_Portion(query, older.calls + portion.calls))
        else:
            joined.append(portion)
    return joined


async def _counts(count: Count, windows: Iterable[CdrQuery]) -> list[int]:
    tasks = [asyncio.ensure_future(count(window)) for window in windows]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)
