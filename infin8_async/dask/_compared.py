"""Finds out whether the platform compares the dial time of a call with a window."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve

from ..errors import UnreadableRowsError
from ..models import Cdr, CdrQuery
from ..session import Infin8Session

SECOND: Final = timedelta(seconds=1)
_SAMPLE: Final = 1000  # calls


async def goes_by_dial_time(session: Infin8Session, query: CdrQuery) -> bool:
    """
    Whether it is proved that the platform gives the calls that were dialled in a window, and no others.

    A call that was neither answered nor ended within a second is looked for, and then the two seconds around its dial
    time are asked for. If they give such a call, no other time is compared. If there are no calls at all, there is
    nothing to be wrong about.

    Args:
        session: Asks.

        query: A query with both ends.
    """
    sample = await _sample(session, query)
    if not _are_dialled_in(query, sample):
        return False
    windows = (around(query, cdr.starttime, cdr.starttime) for cdr in sample if cdr.starttime)
    for cdr, window in zip(sample, windows, strict=True):
        if _shows_dial_time(cdr, window):
            answer = await _sample(session, window)
            return _are_dialled_in(window, answer) and any(_shows_dial_time(cdr, window) for cdr in answer)
    return not sample


def around(query: CdrQuery, start: datetime, end: datetime) -> CdrQuery:
    """A piece of the query's window, a second longer on both sides: the platform may include neither bound."""
    first, last = query.ends
    # In this order, no time before the year 1 or after 9999 is computed.
    return evolve(query, starttime=max(first + SECOND, start) - SECOND, endtime=min(last - SECOND, end) + SECOND)


async def _sample(session: Infin8Session, query: CdrQuery) -> list[Cdr]:
    cdrs: list[Cdr] = []
    with suppress(UnreadableRowsError):
        async with session.cdrs(query, integrity="off") as stream:
            async for page in stream.pages():
                cdrs += page.cdrs
                if len(cdrs) >= _SAMPLE:
                    break
    return cdrs


def _shows_dial_time(cdr: Cdr, window: CdrQuery) -> bool:
    """Whether of all times of a call only the dial time lies in a window."""
    inside = [_lies_in(window, time) for time in (cdr.starttime, cdr.answertime, cdr.endtime)]
    return inside == [True, False, False]


def _are_dialled_in(window: CdrQuery, cdrs: Iterable[Cdr]) -> bool:
    return all(_lies_in(window, cdr.starttime) for cdr in cdrs)


def _lies_in(window: CdrQuery, time: datetime | None) -> bool:
    start, end = window.ends
    return time is not None and start <= time <= end
