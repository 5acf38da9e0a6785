"""Which calls are meant, in SQL."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import frozen
from sqlalchemy import ColumnElement, Select, and_, case, func, literal_column, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..models import CdrQuery
from . import _schema
from ._ledger import filters, shifted
from ._rows import FIELDS, Fit

_column: Final = _schema.calls.c
_INDEXED: Final = frozenset(("extnumber", "disnumber", "callnumber"))
_LONGEST_CALL: Final = timedelta(days=1)
"""A call that began longer before a window is not looked for in it."""


def answers(fit: Fit, account: str | None, query: CdrQuery | None) -> list[ColumnElement[bool]]:
    """The conditions under which a call is one of an account, and passes the filters of a query."""
    conditions = [] if account is None else [_column.account == account]
    if query is None:
        return conditions
    for name, value in filters(query).items():
        if (name, value) != ("callmethod", "0"):
            conditions.append(_column[name] == fit.text(value, indexed=name in _INDEXED))
    return conditions


def dialled(query: CdrQuery | None) -> list[ColumnElement[bool]]:
    """The conditions under which a call was dialled in the window of a query, both ends included."""
    if query is None:
        return []
    conditions: list[ColumnElement[bool]] = [_column.starttime >= query.starttime]
    return conditions + ([_column.starttime <= query.endtime] if query.endtime else [])


def records(*conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """The calls that fulfil conditions, as `Fit.record` takes them: without SQLAlchemy's types, which cost most."""
    return select(*(literal_column(name) for name in FIELDS)).select_from(_schema.calls).where(*conditions)


@frozen
class Held:
    """
    A call that the store holds.

    Attributes:
        id: Its id.

        first: The first of its times.

        last: The last of them.
    """

    id: int
    first: datetime
    last: datetime


class HeldCalls:
    """The calls of an account that pass the filters of a query, and have not vanished."""

    def __init__(self, fit: Fit, account: str, query: CdrQuery) -> None:
        self._conditions = [*answers(fit, account, query), _column.vanished.is_(None)]

    async def any(self, connection: AsyncConnection) -> bool:
        """Whether there are any."""
        found = select(_column.id).where(*self._conditions).limit(1)
        return (await connection.execute(found)).first() is not None

    async def absent(
        self, connection: AsyncConnection, window: CdrQuery, given: Iterable[int], inside: int
    ) -> tuple[list[Held], list[Held]]:
        """
        Find those that may belong to a window and were not given for it.

        Args:
            connection: To the database.

            window: The window.

            given: The ids of the calls that the platform gave for it.

            inside: How many of these have all their times inside it.

        Returns:
            Those that have all their times inside the window, and those that may belong to a neighbour.
        """
        start, end = window.ends
        near = and_(*self._conditions, _column.starttime >= shifted(start, -_LONGEST_CALL), _column.starttime <= end)
        times = (_column.answertime, _column.endtime)
        within = [_column.starttime > start, _column.starttime < end]
        within += [or_(time.is_(None), and_(time > start, time < end)) for time in times]
        sure = and_(*self._conditions, *within)
        ids = set(given)
        number = (await connection.execute(select(func.count()).where(sure))).scalar_one()
        missed = [] if number == inside else await self._held(connection, sure)
        reaches = or_(_column.starttime >= start, _column.answertime >= start, _column.endtime >= start)
        unsure = await self._held(connection, and_(near, reaches, not_(and_(*within))))
        return [call for call in missed if call.id not in ids], [call for call in unsure if call.id not in ids]

    async def _held(self, connection: AsyncConnection, condition: ColumnElement[bool]) -> list[Held]:
        wanted = select(_column.id, _column.starttime, _column.answertime, _column.endtime).where(condition)
        rows = [(call, [time for time in times if time]) for call, *times in await connection.execute(wanted)]
        return [Held(call, min(times), max(times)) for call, times in rows]

    async def counted(self, connection: AsyncConnection, window: CdrQuery, time: str) -> tuple[int, int]:
        """How many have one of their times in a window, its ends included, and how many of these at its very ends."""
        start, end = window.ends
        column = _column[time]
        wanted = select(func.count(), func.count(case((column.in_((start, end)), 1))))
        wanted = wanted.where(*self._conditions, column >= start, column <= end)
        number, at_ends = (await connection.execute(wanted)).one()
        return number, at_ends

    async def seconds(self, connection: AsyncConnection, window: CdrQuery, time: str) -> set[datetime]:
        """The seconds of a window at which one of their times is."""
        column = _column[time]
        start, end = window.ends
        wanted = select(column).where(*self._conditions, column >= start, column <= end).distinct()
        return set((await connection.execute(wanted)).scalars())

    async def has_unanswered(self, connection: AsyncConnection, window: CdrQuery) -> bool:
        """Whether one dialled in a window has no answer time."""
        wanted = select(_column.id).where(*self._conditions, *dialled(window), _column.answertime.is_(None)).limit(1)
        return (await connection.execute(wanted)).first() is not None
