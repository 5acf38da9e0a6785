"""Dividing windows of time. Decides, never awaits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from attrs import evolve

from ..models import CdrQuery

SECOND: Final = timedelta(seconds=1)


def divide(query: CdrQuery, parts: int, *, overlap: timedelta = SECOND) -> list[CdrQuery]:
    """
    Divide a closed window into parts of equal length, oldest first.

    Args:
        query: A query with both ends.

        parts: The most parts. Fewer are made if a part would not be shorter than the whole.

        overlap: How far each part reaches into the next. With a second, no second is left out, whichever bounds the
            platform includes. With nothing, the second between two parts is left out if it includes neither bound.

    Returns:
        The parts, or the query alone if it is too short: with an overlap of a second, fewer than three seconds.
    """
    start, end = query.ends
    seconds = (end - start) // SECOND
    parts = min(parts, (end - start - overlap) // SECOND)
    if parts < 2:
        return [query]
    borders = [start + SECOND * (seconds * part // parts) for part in range(parts)]
    return [
        *(evolve(query, starttime=earlier, endtime=later + overlap) for earlier, later in pairwise(borders)),
        evolve(query, starttime=borders[-1]),
    ]


def cut(query: CdrQuery, border: datetime) -> tuple[CdrQuery, CdrQuery] | None:
    """
    Cut a closed window in two at a second inside it.

    Both parts hold the second *border*, whichever bounds the platform includes.

    Returns:
        The older and the newer part, or None if the window spans fewer than three seconds.
    """
    start, end = query.ends
    if end - start < 3 * SECOND:
        return None
    border = min(max(border.replace(microsecond=0), start + SECOND), end - 2 * SECOND)
    return evolve(query, endtime=border + SECOND), evolve(query, starttime=border)


def around(older: CdrQuery, newer: CdrQuery, length: timedelta) -> list[CdrQuery]:
    """The parts of two neighbouring windows that lie within *length* of their border, oldest first."""
    start, end = max(older.ends[0], older.ends[1] - length), min(newer.ends[1], newer.ends[0] + length)
    return [evolve(older, starttime=start), evolve(newer, endtime=end)]


def direction(times: Sequence[str] | None) -> int:
    """
    Find out how the calls of a page are sorted by dial time.

    Args:
        times: Their dial times, as the platform writes them; None if a call has none.

    Returns:
        1 for oldest first, -1 for newest first, 0 if they are not sorted or all were dialled in the same second.
    """
    if not times or times[0] == times[-1]:
        return 0
    step = 1 if times[0] < times[-1] else -1
    return step if all(earlier <= later for earlier, later in pairwise(times[::step])) else 0
