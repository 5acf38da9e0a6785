"""Rows of an answer: what a pull knows of them, and what they become when the reader says what it wants."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from .._arrow import arrow, record_batch
from .._wire.columns import columns_of
from .._wire.decoding import ALL, TIMES, Documented, Row, row_type
from .._wire.protocol import PageBytes, without_frames
from .._wire.values import in_iso_form, in_platform_form
from ..errors import ResponseError
from ..models import BEIJING, Cdr, platform_text

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch, Schema

_PORTION: Final = 100  # rows structured before the host's loop gets its turn: about half a millisecond of work


class Rows:
    """
    Some rows of an answer, in their order.

    A pull needs to know which calls they are and when they were: `ids` and `times`. Documented rows stay what the
    decoder gives until the reader wants records or columns. Other rows are records from the start: there is no other
    way to say what they are.

    Args:
        rows: Documented rows, or records.

        page: The page that documented rows come from.

        numbers: Their numbers on it.

    Attributes:
        ids: The ids of the calls.
    """

    def __init__(self, rows: Sequence[Any], page: PageBytes | None = None, numbers: Sequence[int] = ()) -> None:
        self.ids: Final[list[int]] = [row.id for row in rows]
        self._rows = rows
        self._page = page
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self.ids)

    def times(self, name: str) -> list[str] | None:
        """One of the times of each, as the platform writes it; None if a call has none."""
        times = list(map(attrgetter(name), self._rows))
        if self._page is not None:
            return in_platform_form(times)
        return None if None in times else list(map(platform_text, times))

    def pick(self, places: Sequence[int]) -> "Rows":
        """Those in these places, counted from 0."""
        numbers = [self._numbers[place] for place in places] if self._page else ()
        return Rows([self._rows[place] for place in places], self._page, numbers)

    async def records(self) -> list[Cdr]:
        """
        The records, made in small portions: the loop gets its turn between two of them. The rows are let go.

        Raises:
            ResponseError: Names page, row and field of what can't be read.
        """
        if self._page is None:
            return list(self._taken())
        return await _structured(self._taken(), self._page, self._numbers)

    def _taken(self) -> Sequence[Any]:
        rows, self._rows = self._with(ALL), ()
        return rows

    async def batch(self, schema: "Schema") -> "RecordBatch":
        """
        The columns of a schema. Records are made on the way only if the rows need the careful way.

        Raises:
            ResponseError: Names page, row and field of what can't be read.

            ValueError: A number of more than 64 bits, or half a character. The message names the call and the field.
        """
        rows = self._with(frozenset(schema.names))
        if any(isinstance(row, Documented) for row in rows[:1]):
            with suppress(ValueError, OverflowError):
                columns: dict[str, Array] = {}
                for made in columns_of(rows, schema):
                    columns |= made
                    await asyncio.sleep(0)
                return arrow().record_batch(columns).select(schema.names)
        del rows
        return await asyncio.to_thread(record_batch, schema, await self.records())

    async def texts(self) -> Sequence[Documented | Cdr]:
        """
        What a file of texts holds: documented rows, their times in ISO 8601 with +08:00, without a record for each.

        Rows of any other kind come as records. The rows are let go.

        Raises:
            ResponseError: Names page, row and field of what can't be read.
        """
        rows = self._with(ALL)
        if any(isinstance(row, Documented) for row in rows[:1]):
            with suppress(ValueError):
                times: dict[str, list[str | None]] = {}
                for name in TIMES:
                    times[name] = in_iso_form([getattr(row, name) for row in rows])
                    await asyncio.sleep(0)
                for name, texts in times.items():
                    for row, text in zip(rows, texts, strict=True):
                        setattr(row, name, text)
                self._rows = ()
                return rows
        del rows
        return await self.records()

    def _with(self, columns: frozenset[str]) -> Sequence[Any]:
        """The rows with these fields, which were not all read if the reader wanted others."""
        if self._page is None or all(isinstance(row, row_type(columns) | Row) for row in self._rows[:1]):
            return self._rows
        every = self._page.rows(columns)
        return [every[number - 1] for number in self._numbers]


def time_of(text: str) -> datetime:
    """The time that a text in the platform's form says; what says none counts as the earliest there is."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=BEIJING)
    except ValueError:  # the reader gets the error with the call's row, unless it did not ask for this field
        return datetime.min.replace(tzinfo=BEIJING)


async def rows_of(page: PageBytes, columns: frozenset[str] = ALL) -> Rows:
    """
    The rows of a page, for a reader who wants these fields of them.

    Raises:
        ResponseError: Names page, row and field of what can't be read, if it is found already.
    """
    await asyncio.sleep(0)  # the page before has just been handed over
    rows = page.rows(columns)
    numbers = range(1, len(rows) + 1)
    await asyncio.sleep(0)  # that took a millisecond or two
    if all(isinstance(row, Documented) for row in rows[:1]):
        return Rows(rows, page, numbers)
    structured = _structured(rows, page, numbers)
    del rows  # or a traceback that shows local variables would show phone numbers
    return Rows(await structured)


async def _structured(rows: Sequence[object], page: PageBytes, numbers: Sequence[int]) -> list[Cdr]:
    cdrs: list[Cdr] = []
    for first in range(0, len(rows), _PORTION):
        if first:
            await asyncio.sleep(0)
        portion = slice(first, first + _PORTION)
        try:
            cdrs += page.structure(rows[portion], numbers[portion])
        except ResponseError as error:
            failure = error
            break
    else:
        return cdrs
    del rows
    raise without_frames(failure)
