"""The awaiting half: what is looked at, in which order. What it means is decided elsewhere."""

from datetime import datetime, timedelta
from typing import Final

from attrs import evolve

from ..models import Cdr, CdrQuery
from ._asking import Asker, Look, StoppedError
from ._observed import Observed
from ._order import border, looks_needed
from ._pages import counts
from ._windows import next_trial, possible

_PAGE: Final = 1000  # the largest that the sibling interface documents
_LARGER: Final = 5000
_SMALL: Final = 10
_BEYOND: Final = 7  # pages after the last
_ENOUGH: Final = 300  # calls
_TOO_MANY: Final = 50_000  # calls, past which a pull divides its window
_SPANS: Final = (1, 7, 30)  # days
_NARROWINGS: Final = 4
_LEAST_LOOKS: Final = 3  # at one window
_MOST_LOOKS: Final = 8
_MOST_TRIALS: Final = 8
_LEAST_TRIALS: Final = 4
_LIVE: Final = timedelta(minutes=15)
_AHEAD: Final = timedelta(days=1)  # of now, for calls that are still to come
_LIVE_LOOKS: Final = 12
_QUIET: Final = 5  # looks without a change, after which no more is expected


async def gather(asker: Asker, query: CdrQuery | None) -> Observed:
    """
    Look at everything, the most telling first.

    Raises:
        Infin8Error: Not even the first request was answered.
    """
    observed = Observed(asker.looks)
    closed = query is not None and query.endtime is not None
    try:
        query = await _wide(asker, observed, query)
        await _base(asker, observed)
        await _trials(asker, observed, query)
        await _small_pages(asker, observed, query)
        await _larger_pages(asker, observed, query)
        await _live(asker, observed, query if closed else evolve(query, endtime=query.ends[1] + _AHEAD))
        observed.https = await asker.look(query, rows=1, https=True)
    except StoppedError as stop:
        observed.stopped = str(stop)
    return observed


async def _wide(asker: Asker, observed: Observed, query: CdrQuery | None) -> CdrQuery:
    """Look at the whole query; if there is none, at a day, or as many days as hold enough calls."""
    spans = [query.until_now()] if query else [CdrQuery.last(timedelta(days=days)) for days in _SPANS]
    for span in spans:
        look = _there(await asker.look_surely(span, rows=_PAGE))
        if look.total >= _ENOUGH:
            break
    if query is None and look.total > _TOO_MANY:
        start, end = look.query.ends
        span = evolve(look.query, starttime=end - (end - start) * (_TOO_MANY / 2 / look.total))
        look = _there(await asker.look_surely(span, rows=_PAGE))
    observed.wide.append(look)
    return look.query


def _there(look: Look) -> Look:
    if look.error is not None:
        raise look.error
    return look


async def _base(asker: Asker, observed: Observed) -> None:
    """Look at one window that fits on a page, until it is clear in which order its calls come."""
    first = await _fitting(asker, observed.wide[0])
    observed.base.append(first)
    for _ in range(_LEAST_LOOKS - 1):
        observed.base.append(await asker.look_surely(first.query, rows=_PAGE))
    if 0 < first.total <= len(first.cdrs):
        size = border(observed)
        upper = await asker.look_surely(first.query, 1, size)
        observed.halves.append((upper, await asker.look_surely(first.query, 2, size)))
    while len(observed.base) <= min(looks_needed(observed), _MOST_LOOKS):
        observed.base.append(await asker.look_surely(first.query, rows=_PAGE))


async def _fitting(asker: Asker, wide: Look) -> Look:
    """A look at as much of the query as fits on a page; the first look if nothing does."""
    times = sorted(cdr.starttime for cdr in wide.cdrs if cdr.starttime is not None)
    look, share = wide, 0.5
    for _ in range(_NARROWINGS):
        if look.page is not None and len(look.cdrs) >= look.total:
            return look
        edge = int(len(times) * (1 - share) / 2)
        window = times[edge : len(times) - edge]
        if not window or not wide.query.ends[0] <= window[0] < window[-1] <= wide.query.ends[1]:
            break
        look = await asker.look_surely(evolve(wide.query, starttime=window[0], endtime=window[-1]), rows=_PAGE)
        # The calls of a page lie next to each other or are scattered over the query: the count of a part shows which.
        share *= min(0.5, 0.5 * len(times) / max(1, look.total))
    return wide  # windows do not matter to this platform, or too many calls have one time


async def _trials(asker: Asker, observed: Observed, query: CdrQuery) -> None:
    """Ask for short windows until one rule alone explains what comes, and then some more to make sure."""
    for number in range(_MOST_TRIALS):
        if number >= _LEAST_TRIALS and len(possible(observed)) <= 1:
            return
        window = next_trial(observed, query, most_rows=max(1, observed.most_rows // 4))
        if window is None:
            return
        observed.trials.append(await asker.look_surely(window, rows=_PAGE))


async def _small_pages(asker: Asker, observed: Observed, query: CdrQuery) -> None:
    """Look at the first page, the last, and at some that do not exist, in small."""
    total = observed.wide[0].total
    size = max(1, min(_SMALL, observed.most_rows // 2))
    last = max(1, -(-total // size))
    for _ in range(3):
        observed.first.append(await asker.look(query, 1, size))
        observed.last.append(await asker.look(query, last, size))
    for _ in range(2):
        observed.zero.append(await asker.look(query, 0, size))
        observed.beyond.append(await asker.look(query, last + _BEYOND, size))


async def _larger_pages(asker: Asker, observed: Observed, query: CdrQuery) -> None:
    """Ask for more rows at once than anybody documents, twice if fewer come."""
    for _ in range(2):
        look = await asker.look(query, rows=_LARGER)
        observed.larger.append(look)
        if len(look.cdrs) >= min(look.total, _LARGER):
            return


async def _live(asker: Asker, observed: Observed, query: CdrQuery) -> None:
    """Look at the newest calls again and again, as long as new ones come."""
    window = newest_part(observed, query)
    if window is None:
        return
    quiet = 0
    for _ in range(_LIVE_LOOKS):
        observed.live.append(await asker.look(window, rows=_PAGE))
        before = observed.live[-2].ids if len(observed.live) > 1 else ()
        quiet = 0 if set(observed.live[-1].ids) - set(before) else quiet + 1
        if quiet >= _QUIET or counts(observed).found:
            return


def newest_part(observed: Observed, query: CdrQuery) -> CdrQuery | None:
    """The newest part of the query that is sure to fit on a page; None if there are no calls."""
    times = sorted(time for cdr in observed.known if (time := latest(cdr)) is not None)
    if not times:
        return None
    start, end = query.ends
    fitting = times[-max(1, min(len(times), observed.most_rows) // 4)]
    return evolve(query, starttime=min(end, max(start, fitting, times[-1] - _LIVE)))


def latest(cdr: Cdr) -> datetime | None:
    """The latest time of a call."""
    return max((time for time in (cdr.starttime, cdr.answertime, cdr.endtime) if time is not None), default=None)
