"""What a report is about: the calls of a window, and those of the period before."""

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from math import ceil

from attrs import evolve, frozen

from ..errors import IncompleteResultError
from ..figures import LONGEST_TALK, Figures, Tally, figures
from ..models import BEIJING, Cdr, CdrQuery
from ..stream import CdrStream

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@frozen(kw_only=True)
class Report:
    """
    What a report says.

    Attributes:
        query: Which calls it is about; its end is not in the future.

        zone: Whose hours and days are meant.

        figures: Of these calls.

        certified: Whether the platform counts exactly these calls; None if they come from elsewhere.

        before: The query of the period before.

        figures_before: Of its calls; None if they could not be read completely.

        extensions: The calls by extension; "" for those that reached none.

        sides: How many calls each side hung up, under the platform's names.
    """

    query: CdrQuery
    zone: tzinfo
    figures: Figures
    certified: bool | None
    before: CdrQuery
    figures_before: Figures | None
    extensions: Mapping[str, Tally]
    sides: Mapping[str, int]


def before(query: CdrQuery, zone: tzinfo) -> CdrQuery:
    """A window of the same length and time of day, some days earlier: it ends before the query begins."""
    start, end = (time.astimezone(zone) for time in query.ends)
    days = timedelta(days=ceil((end + _SECOND - start) / _DAY))
    return evolve(query, starttime=start - days, endtime=end - days)


async def gather(query: CdrQuery, cdrs: Callable[[CdrQuery], AsyncIterable[Cdr]], *, zone: tzinfo) -> Report:
    """
    Read the calls of a query and of the period before.

    Args:
        query: Which calls. It has an end.

        cdrs: What gives the calls of a query, such as `session.cdrs` or `store.cdrs`.

        zone: Whose hours and days are meant.

    Raises:
        Infin8Error: The calls could not be read. If they could be in part, there is a report of that part.
    """
    start, end = query.ends
    query = evolve(query, endtime=max(start, min(end, datetime.now(BEIJING).replace(microsecond=0))))
    earlier = before(query, zone)
    source, past = cdrs(query), cdrs(earlier)
    extensions: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    sides = Counter[str]()
    made = await _figures(source, _counted(source, extensions, sides), zone)
    made_before = await _figures(past, past, zone)
    return Report(
        query=query,
        zone=zone,
        figures=made,
        certified=source.report.certified if isinstance(source, CdrStream) else None,
        before=earlier,
        figures_before=None if made_before.complete is False else made_before,
        extensions={
            name: Tally(calls, answered, timedelta(seconds=talk))
            for name, (calls, answered, talk) in extensions.items()
        },
        sides=sides,
    )


async def _figures(source: AsyncIterable[Cdr], cdrs: AsyncIterable[Cdr], zone: tzinfo) -> Figures:
    """The figures of what can be read of calls that come from a source."""
    failed = False

    async def readable() -> AsyncGenerator[Cdr]:
        nonlocal failed
        try:
            async for cdr in cdrs:
                yield cdr
        except IncompleteResultError:
            failed = True

    made = await figures(readable(), zone=zone)
    complete = source.report.complete if isinstance(source, CdrStream) else None
    return evolve(made, complete=False if failed else complete)


async def _counted(
    cdrs: AsyncIterable[Cdr], extensions: defaultdict[str, list[int]], sides: Counter[str]
) -> AsyncGenerator[Cdr]:
    """The same calls, counted as they pass. Figures of each group would say this too, for ten times the memory."""
    async for cdr in cdrs:
        count = extensions[cdr.extnumber]
        count[0] += 1
        count[1] += cdr.answered
        count[2] += cdr.billsec if 0 <= cdr.billsec <= LONGEST_TALK else 0
        sides[cdr.hangupdirection] += 1
        yield cdr
