"""Dividing time: windows too deep for page numbers, and windows that have to be looked through again."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from attrs import evolve

from .models import Cdr, CdrQuery

_SECOND = timedelta(seconds=1)


def divide(query: CdrQuery, parts: int) -> list[CdrQuery]:
    """
    Divide a closed window into parts of equal length, in the order of time.

    Each part reaches one second into the next. Whichever of its bounds the platform includes, both, one or none,
    no second is then left out; what two neighbours both hold is told by its ids.

    Args:
        query: A query with both ends.

        parts: How many at the most; fewer where a part would not be shorter than the whole.

    Returns:
        The parts; the query alone where it can't be divided, which is at two seconds.
    """
    first, last = query.ends
    seconds = (last - first) // _SECOND
    parts = min(parts, seconds - 1)
    if parts < 2:
        return [query]
    borders = [first + _SECOND * (seconds * part // parts) for part in range(parts)]
    return [
        *(evolve(query, starttime=start, endtime=end + _SECOND) for start, end in pairwise(borders)),
        evolve(query, starttime=borders[-1]),
    ]


def direction(cdrs: Sequence[Cdr]) -> int:
    """
    Which way the dial times of a page run.

    Returns:
        1 for the oldest call first, -1 for the newest first, 0 where they show no direction.
    """
    times = [cdr.starttime for cdr in cdrs if cdr.starttime is not None]
    if len(times) < len(cdrs) or not times or times[0] == times[-1]:
        return 0
    step = 1 if times[0] < times[-1] else -1
    return step if all(earlier <= later for earlier, later in pairwise(times[::step])) else 0
