"""What a store asks of a database."""

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import ColumnElement, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from .._rows import COLUMNS, Fit, Row

T = TypeVar("T")

ANY_NUMBER: Final[dict[str, Any]] = {"max_overflow": -1, "hide_parameters": True}
"""Options of an engine: slow readers do not keep a writer from its connection, and no error shows a value."""

REPLACED: Final = tuple(name for name in (*COLUMNS, "vanished") if name not in ("account", "id"))
"""The columns that an upsert replaces."""


class Backend(ABC):
    """
    One kind of database, and how to reach one of its kind.

    Attributes:
        engine: Its connections.

        fit: What it can hold.
    """

    fit: ClassVar[Fit]

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @abstractmethod
    async def begin(self, connection: AsyncConnection) -> None:
        """
        Begin to write, once no other writer is at work.

        Two that wrote the same calls in a different order would wait for each other.
        """

    @abstractmethod
    async def upsert(self, connection: AsyncConnection, rows: Sequence[Row]) -> tuple[int, int]:
        """
        Insert or update rows. None of them counts as vanished any more.

        Args:
            connection: With a transaction that has begun to write.

            rows: Rows of one account, each id once, sorted by id.

        Returns:
            How many were inserted, and how many were there and are different now.
        """

    @abstractmethod
    def is_busy(self, error: DBAPIError) -> bool:
        """Whether another writer was in the way: the same transaction may succeed a moment later."""

    @abstractmethod
    def is_down(self, error: DBAPIError) -> bool:
        """Whether the server stops, starts, or has no connection left."""

    async def begin_opening(self, connection: AsyncConnection) -> None:
        """Begin to make or upgrade the tables."""
        await self.begin(connection)

    async def settled(self, work: Coroutine[Any, Any, T]) -> T:
        """Await a transaction; the driver breaks it off if the caller is cancelled."""
        return await work


def timeout_of(query: Mapping[str, object]) -> float:
    """
    How many seconds an address allows for connecting; 60 if it says nothing, or 0.

    Raises:
        ValueError: It is not a number.
    """
    try:
        return float(str(query.get("connect_timeout", 60))) or 60.0
    except ValueError:
        raise ValueError("connect_timeout in the address is a number of seconds") from None


def same(table: Table, account: str, ids: Sequence[int]) -> ColumnElement[bool]:
    """The rows of some calls of an account."""
    return (table.c.account == account) & table.c.id.in_(ids)
