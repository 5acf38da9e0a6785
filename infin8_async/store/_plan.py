"""
Decide from the ledger which parts of a window to count, and which to read.

A window is looked at day by day in Beijing. Neighbouring windows share a second, so that nothing is left out whichever
bounds the platform includes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import define, field

from ..models import Cdr, CdrQuery
from ._ledger import SECOND, Line, shifted, window_of

_DAY: Final = timedelta(days=1)
_SETTLED: Final = timedelta(hours=1)
"""How old calls of the present day are before they are kept as a part of their own, which most syncs need not read."""

_IN_SPAN: Final = 800  # calls that several days read as one are meant to have: less than the largest page


@define(eq=False)
class Day:
    """
    A day of the window, the first and the last perhaps in part.

    Attributes:
        number: Which of the days it is, from 1.

        window: The day.

        lines: What the ledger knows of it: lines that together cover it, or its beginning.

        todo: The windows that have to be read.

        read: How many of these have been read.

        certified: How many of these the platform counted as they were read.

        received: Calls of the day that have come.

        total: The platform's count of them.

        done: Whether all of it has been committed.
    """

    number: int
    window: CdrQuery
    lines: list[Line] = field(factory=list)
    todo: list[CdrQuery] = field(factory=list)
    read: int = 0
    certified: int = 0
    received: int = 0
    total: int = 0
    done: bool = False


def days_of(query: CdrQuery, now: datetime) -> list[Day]:
    """The days of a window with both ends. What lies after tomorrow belongs to the last one."""
    start, end = query.ends
    latest = min(end, now + _DAY)
    midnight = start.replace(hour=0, minute=0, second=0)
    windows = []
    while latest - midnight > _DAY:
        midnight += _DAY
        windows.append(window_of(query, start, midnight))
        start = midnight - SECOND
    windows.append(window_of(query, start, end))
    return [Day(number, window) for number, window in enumerate(windows, 1)]


def cover(days: Iterable[Day], lines: Sequence[Line]) -> None:
    """Give each day the lines that cover it. *lines* are sorted by their starts."""
    starts = [line.start for line in lines]
    for day in days:
        start, end = day.window.ends
        first, last = bisect_left(starts, shifted(start, -_DAY - SECOND)), bisect_right(starts, start)
        found = max(lines[first:last], key=lambda line: line.end, default=None)
        while found is not None and found.end > start:
            day.lines.append(found)
            if found.end >= end:
                break
            shared = shifted(found.end, -SECOND)
            following = lines[bisect_left(starts, shared) : bisect_right(starts, shared)]
            longer = [line for line in following if line.end > found.end]
            found = max(longer, key=lambda line: line.end, default=None)


def runs(days: Iterable[Day]) -> list[list[Line]]:
    """The lines of the days, divided where one does not touch the next."""
    found: list[list[Line]] = []
    for line in dict.fromkeys(line for day in days for line in day.lines):
        if found and found[-1][-1].touches(line):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def set_todo(day: Day, changed: Collection[Line], now: datetime) -> None:
    """
    Decide what has to be read of a day.

    Of the present day only the end, from the first line on that has changed or that is missing. Of another day that
    the ledger does not know whole, all of it.
    """
    start, end = day.window.ends
    wrong = [line for line in day.lines if line in changed]
    known = day.lines[-1].end if day.lines else start
    today = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
    is_today = end > now - today
    if known >= end and day.lines:
        if wrong:
            day.todo = [window_of(day.window, wrong[0].start, wrong[-1].end)]
        return
    if is_today and day.lines:
        start = wrong[0].start if wrong else known - SECOND
    hour = (now - _SETTLED).replace(minute=0, second=0, microsecond=0)
    if is_today and shifted(start, SECOND) < hour < end:
        day.todo = [window_of(day.window, start, hour), window_of(day.window, hour - SECOND, end)]
    else:
        day.todo = [window_of(day.window, start, end)]


Piece = tuple[Day, CdrQuery]
"""A window that has to be read, and the day it is of."""


def stretches(days: Iterable[Day]) -> list[list[Piece]]:
    """What has to be read, divided where one window does not touch the next."""
    found: list[list[Piece]] = []
    for day in days:
        for window in day.todo:
            if found and found[-1][-1][1].ends[1] == window.starttime + SECOND:
                found[-1].append((day, window))
            else:
                found.append([(day, window)])
    return found


def spans(stretch: Sequence[Piece], counted: int) -> list[Sequence[Piece]]:
    """Group windows of few calls, to be read as one: one request brings a page of calls, from however many days."""
    size = max(1, min(len(stretch), len(stretch) * _IN_SPAN // max(counted, 1)))
    return [stretch[start : start + size] for start in range(0, len(stretch), size)]


def hull(pieces: Sequence[Piece]) -> CdrQuery:
    """The window from the first one's start to the last one's end."""
    return window_of(pieces[0][1], pieces[0][1].starttime, pieces[-1][1].ends[1])


def cut(cdrs: Iterable[Cdr], windows: Sequence[CdrQuery]) -> list[list[Cdr] | None]:
    """
    Cut the calls of a window into those of its parts, which share a second with their neighbours.

    Returns:
        For each part the calls that the platform gives for it, whichever of their times it compares; None if that
        can't be said, as a call is near a border or goes on over it.
    """
    borders = [window.ends[1] for window in windows[:-1]]
    parts: list[list[Cdr] | None] = [[] for _ in windows]
    for cdr in cdrs:
        times = [time for time in (cdr.starttime, cdr.answertime, cdr.endtime) if time is not None]
        first, last = 0, len(borders)
        if cdr.starttime is not None:
            first, last = bisect_left(borders, min(times)), bisect_right(borders, max(times) + SECOND)
        if first == last:
            part = parts[first]
            if part is not None:
                part.append(cdr)
        else:
            parts[first : last + 1] = [None] * (last + 1 - first)
    return parts
