"""What a report is about: the calls of a window, and those of the period before."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from datetime import datetime, timedelta, tzinfo
from math import ceil

from attrs import evolve, frozen

from ..errors import IncompleteResultError
from ..figures import Figures, figures
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

        figures: Of these calls, in groups by extension and by who hung up.

        certified: Whether the platform counts exactly these calls; None if they come from elsewhere.

        before: The query of the period before.

        figures_before: Of its calls; None if they could not be read completely.
    """

    query: CdrQuery
    zone: tzinfo
    figures: Figures
    certified: bool | None
    before: CdrQuery
    figures_before: Figures | None


def before(query: CdrQuery, zone: tzinfo) -> CdrQuery:
    """The same time so many days earlier that it is over when the query's begins."""
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
    source = cdrs(query)
    made = await _figures(source, zone, by=_extension_and_side)
    past = await _figures(cdrs(earlier), zone)
    return Report(
        query=query,
        zone=zone,
        figures=made,
        certified=source.report.certified if isinstance(source, CdrStream) else None,
        before=earlier,
        figures_before=None if past.complete is False else past,
    )


async def _figures(
    cdrs: AsyncIterable[Cdr], zone: tzinfo, *, by: Callable[[Cdr], tuple[str, str]] | None = None
) -> Figures:
    """The figures of what can be read."""
    failed = False

    async def readable() -> AsyncGenerator[Cdr]:
        nonlocal failed
        try:
            async for cdr in cdrs:
                yield cdr
        except IncompleteResultError:
            failed = True

    made = await figures(readable(), zone=zone, by=by)
    complete = cdrs.report.complete if isinstance(cdrs, CdrStream) else None
    return evolve(made, complete=False if failed else complete)


def _extension_and_side(cdr: Cdr) -> tuple[str, str]:
    return cdr.extnumber, cdr.hangupdirection
