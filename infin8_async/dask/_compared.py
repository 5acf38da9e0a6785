"""Finds out whether the platform compares the dial time of a call with a window."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve

from ..errors import UnreadableRowsError
from ..models import CdrQuery
from ..session import Infin8Session

_SECOND: Final = timedelta(seconds=1)
_SAMPLE: Final = 1000  # calls
_TIMES: Final = ("starttime", "answertime", "endtime")

_Times = Mapping[str, datetime | None]
"""The times of a call."""


def around(query: CdrQuery, start: datetime, end: datetime) -> CdrQuery:
    """A piece of the query's window, a second longer on both sides: the platform may include neither bound."""
    first, last = query.ends
    # In this order, no time before the year 1 or after 9999 is computed.
    return evolve(query, starttime=max(first + _SECOND, start) - _SECOND, endtime=min(last - _SECOND, end) + _SECOND)


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
    for call in sample:
        dialled = call["starttime"]
        window = query if dialled is None else around(query, dialled, dialled)
        if _shows_dial_time(call, window):
            calls = await _sample(session, window)
            return _are_dialled_in(window, calls) and any(_shows_dial_time(call, window) for call in calls)
    return not sample


async def _sample(session: Infin8Session, query: CdrQuery) -> list[_Times]:
    calls: list[_Times] = []
    with suppress(UnreadableRowsError):
        async with session.cdrs(query, integrity="off") as stream, aclosing(stream.arrow(columns=_TIMES)) as batches:
            async for batch in batches:
                calls += batch.to_pylist()
                if len(calls) >= _SAMPLE:
                    break
    return calls


def _shows_dial_time(call: _Times, window: CdrQuery) -> bool:
    """Whether of all times of a call only the dial time lies in a window."""
    return [_lies_in(window, call[name]) for name in _TIMES] == [True, False, False]


def _are_dialled_in(window: CdrQuery, calls: Sequence[_Times]) -> bool:
    return all(_lies_in(window, call["starttime"]) for call in calls)


def _lies_in(window: CdrQuery, time: datetime | None) -> bool:
    start, end = window.ends
    return time is not None and start <= time <= end
