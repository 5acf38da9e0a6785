"""Reading calls once, and counting them."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import tzinfo
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from attrs import fields

from ..models import BEIJING, Cdr, check_number
from ..stream import CdrStream
from ._callbacks import MOST_DIGITS
from ._figures import Figures, made
from ._hours import Hours
from ._sums import Settings, Sums

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table

_PORTION: Final = 250  # calls counted before the host's loop gets its turn: less than a millisecond of work
_ENOUGH: Final = 50  # calls of a group that are worth counting at once
_MOST_HELD: Final = 10_000  # calls held back until there are enough of their group
_ROWS: Final = 10_000  # rows of record batches counted at once: each time has its price
_GROUPS: Final = frozenset(field.name for field in fields(Cdr)) - {"extra"}

Key = Callable[[Cdr], Hashable]
"""Which group a call belongs to."""


Source = AsyncIterable["Cdr | RecordBatch"] | Iterable["Cdr | RecordBatch"]
"""What gives calls, or columns of them."""


async def figures(
    cdrs: Source,
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
        cdrs: A stream, a store, or whatever else gives calls, each once; or record batches with the columns of
            `to_arrow`, which are counted almost twice as fast. It is read to its end and not closed. What it raises
            ends the reading.

        zone: Whose hours and days are meant.

        by: Make the figures of each group as well: the name of a field, such as `"extnumber"`, or a function of a call.
            Record batches are then read call by call, and no faster.

        within: The seconds within which an incoming call should be answered.

        short: An answered call that talked for less than this many seconds is a short one.

        increment: By how many seconds calls are billed; each answered call is rounded up.

        digits: How many of their last digits numbers are compared by, 18 at most.

    Raises:
        ValueError: A number that makes no sense, or *by* is the name of no field: nothing has been read. Or a record
            batch lacks a column.

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
            if isinstance(calls, Sequence):
                sums[group].add(calls)
                await asyncio.sleep(0)
            else:
                await asyncio.to_thread(_add_table, sums[group], calls)
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


async def _groups(cdrs: Source, key: Key) -> AsyncGenerator[tuple[Hashable, Sequence[Cdr]]]:
    """The calls, each portion of one group."""
    # They are held back until there are enough of a group, as each portion has its price.
    held: defaultdict[Hashable, list[Cdr]] = defaultdict(list)
    async with aclosing(_portions(cdrs)) as portions:
        async for _, portion in portions:
            for cdr in portion if isinstance(portion, Sequence) else _calls_of(portion):
                held[key(cdr)].append(cdr)
            least = _ENOUGH if sum(map(len, held.values())) < _MOST_HELD else 0
            for group in [group for group, calls in held.items() if len(calls) >= least]:
                yield group, held.pop(group)
    for group, calls in held.items():
        yield group, calls


async def _portions(cdrs: Source) -> AsyncGenerator[tuple[None, "Sequence[Cdr] | Table"]]:
    """The calls, in portions that are counted in less than a millisecond; and record batches, many rows at once."""
    if isinstance(cdrs, CdrStream):
        async with aclosing(cdrs.pages()) as pages:
            async for page in pages:
                for start in range(0, len(page.cdrs), _PORTION):
                    yield None, page.cdrs[start : start + _PORTION]
        return
    calls: list[Cdr] = []
    batches: list[RecordBatch] = []
    async for item in cdrs if isinstance(cdrs, AsyncIterable) else _as_async(cdrs):
        if isinstance(item, Cdr):
            calls.append(item)
            if len(calls) == _PORTION:
                yield None, calls
                calls = []
        else:
            batches.append(item)
            if sum(batch.num_rows for batch in batches) >= _ROWS:
                yield None, _table(batches)
                batches = []
    if calls:
        yield None, calls
    if batches:
        yield None, _table(batches)


def _table(batches: Sequence["RecordBatch"]) -> "Table":
    from pyarrow import Table  # noqa: PLC0415  # it is optional

    return Table.from_batches(batches)


def _add_table(sums: Sums, table: "Table") -> None:
    from ._columns import add_columns, columns_of  # noqa: PLC0415  # pyarrow is optional

    add_columns(sums, columns_of(table))


def _calls_of(table: "Table") -> Iterator[Cdr]:
    for row in table.to_pylist():
        yield Cdr(**row | {"extra": json.loads(row["extra"] or "{}")})


async def _as_async(items: Iterable["Cdr | RecordBatch"]) -> AsyncGenerator["Cdr | RecordBatch"]:
    for item in items:
        yield item
