"""Reading calls once, and counting them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Hashable, Iterable, Sequence
from contextlib import aclosing
from datetime import tzinfo
from operator import attrgetter
from typing import Final

from attrs import fields

from ..models import BEIJING, Cdr, check_number
from ..stream import CdrStream
from ._callbacks import MOST_DIGITS
from ._figures import Figures, made
from ._hours import Hours
from ._sums import Settings, Sums

_PORTION: Final = 250  # calls counted before the host's loop gets its turn: less than a millisecond of work
_ENOUGH: Final = 50  # calls of a group that are worth counting at once
_MOST_HELD: Final = 10_000  # calls held back until there are enough of their group
_GROUPS: Final = frozenset(field.name for field in fields(Cdr)) - {"extra"}

Key = Callable[[Cdr], Hashable]
"""Which group a call belongs to."""


async def figures(
    cdrs: AsyncIterable[Cdr] | Iterable[Cdr],
    *,
    zone: tzinfo = BEIJING,
    by: str | Key | None = None,
    within: float = 20,
    short: float = 6,
    increment: int = 60,
    digits: int = 10,
) -> Figures:
    """
    Read calls once, in any order, and say what they amount to.

    What is remembered of them is a few hundred bytes for each hour of the window, and

    - for `most_at_once`, 8 bytes for each answered call, but never more than 700 kB for a day,
    - for `unreturned`, 16 bytes for each number that somebody talked to and for each missed call that nobody returned;
      up to twice as much again, and at most 4 MB, while calls are read.

    That is for each group, if there are groups. A million calls of half a million numbers take 15 MB.

    Args:
        cdrs: A stream, a store, or whatever else gives calls, each once. It is read to its end and not closed. What it
            raises ends the reading.

        zone: Whose hours and days are meant.

        by: Make the figures of each group as well: the name of a field, such as `"extnumber"`, or a function of a call.

        within: The seconds within which an incoming call should be answered.

        short: An answered call that talked for less than this many seconds is a short one.

        increment: By how many seconds calls are billed; each answered call is rounded up.

        digits: How many of their last digits numbers are compared by, 18 at most.

    Raises:
        ValueError: A number that makes no sense, or *by* is the name of no field. Nothing has been read.

        TypeError: *zone* is no `tzinfo`.
    """
    check_number("within", within, least=0)
    check_number("short", short, least=0)
    check_number("increment", increment, least=1, whole=True)
    check_number("digits", digits, least=1, whole=True)
    if digits > MOST_DIGITS:
        raise ValueError(f"digits must be {MOST_DIGITS} at most, not {digits}")
    if not isinstance(zone, tzinfo):
        raise TypeError(f"zone must be a tzinfo such as ZoneInfo('America/Mexico_City'), not {zone!r}")
    settings = Settings(zone=zone, within=within, short=short, increment=increment, digits=digits)
    key = None if by is None else _key(by)
    hours = Hours(zone)
    sums: defaultdict[Hashable, Sums] = defaultdict(lambda: Sums(settings, hours))
    async with aclosing(_portions(cdrs) if key is None else _groups(cdrs, key)) as portions:
        async for group, calls in portions:
            sums[group].add(calls)
            await asyncio.sleep(0)
    complete = cdrs.report.complete if isinstance(cdrs, CdrStream) else None

    def finished() -> Figures:
        if key is None:
            return made(sums[None], {}, complete=complete)
        total = Sums(settings, hours)
        for part in sums.values():
            total.merge(part)
        return made(
            total, {group: made(part, {}, complete=complete) for group, part in sums.items()}, complete=complete
        )

    return await asyncio.to_thread(finished)  # about a second for a million calls, in which the loop goes on


def _key(by: str | Key) -> Key:
    if not isinstance(by, str):
        return by
    if by not in _GROUPS:
        raise ValueError(f"by is a field of a call, {', '.join(sorted(_GROUPS))}, or a function of one, not {by!r}")
    return attrgetter(by)


async def _groups(cdrs: AsyncIterable[Cdr] | Iterable[Cdr], key: Key) -> AsyncGenerator[tuple[Hashable, Sequence[Cdr]]]:
    """The calls, each portion of one group."""
    # They are held back until there are enough of a group, as each portion has its price.
    held: defaultdict[Hashable, list[Cdr]] = defaultdict(list)
    async with aclosing(_portions(cdrs)) as portions:
        async for _, portion in portions:
            for cdr in portion:
                held[key(cdr)].append(cdr)
            least = _ENOUGH if sum(map(len, held.values())) < _MOST_HELD else 0
            for group in [group for group, calls in held.items() if len(calls) >= least]:
                yield group, held.pop(group)
    for group, calls in held.items():
        yield group, calls


async def _portions(cdrs: AsyncIterable[Cdr] | Iterable[Cdr]) -> AsyncGenerator[tuple[None, Sequence[Cdr]]]:
    """The calls, in portions that are counted in less than a millisecond."""
    if isinstance(cdrs, CdrStream):
        async with aclosing(cdrs.pages()) as pages:
            async for page in pages:
                for start in range(0, len(page.cdrs), _PORTION):
                    yield None, page.cdrs[start : start + _PORTION]
        return
    portion: list[Cdr] = []
    async for cdr in cdrs if isinstance(cdrs, AsyncIterable) else _as_async(cdrs):
        portion.append(cdr)
        if len(portion) == _PORTION:
            yield None, portion
            portion = []
    if portion:
        yield None, portion


async def _as_async(cdrs: Iterable[Cdr]) -> AsyncGenerator[Cdr]:
    for cdr in cdrs:
        yield cdr
