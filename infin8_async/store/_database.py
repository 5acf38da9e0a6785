"""The one object that connects, begins and saves: for the store, and for what works in it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from random import random
from typing import Any, Final, TypeVar

from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import StoreError
from ..models import Cdr
from ._backends import backend_for
from ._finish import finished
from ._reports import SaveResult
from ._rows import Fit, Row
from ._upgrade import is_current, upgrade

T = TypeVar("T")

_NOT_OPEN: Final = "not open: use it inside 'async with CdrStore(…) as store:'"
_PATIENCE: Final = 30.0  # seconds for which another writer may be in the way
_LONGEST_PAUSE: Final = 0.1  # seconds between two tries
_LONG_NUMBER: Final = re.compile(r"\d{6,}")
_ROWS_AT_ONCE: Final = 1000  # rows fetched at once
_PORTION: Final = 250  # calls made rows of before the host's loop gets its turn


class Database:
    """
    Transactions on the database of an address.

    Args:
        address: As for `CdrStore`.
    """

    def __init__(self, address: str) -> None:
        self._backend = backend_for(address)
        self._state = _NOT_OPEN

    @property
    def fit(self) -> Fit:
        """What it can hold."""
        return self._backend.fit

    async def open(self) -> None:
        """
        Make the tables if there are none, and upgrade older ones.

        Raises:
            StoreError: The tables are those of a newer version, or of somebody else. Nothing has been changed.
        """
        if self._state != _NOT_OPEN:
            raise RuntimeError(f"this store is {'open already' if self._state == 'open' else self._state}")
        begin = self._backend.begin_opening
        try:
            if not await self._transaction(lambda connection: connection.run_sync(is_current), begin=None):
                await self._transaction(lambda connection: connection.run_sync(upgrade), begin=begin)
        except BaseException:
            await self.aclose()
            raise
        self._state = "open"

    async def aclose(self) -> None:
        """Close all connections."""
        self._state = "closed: make a new one"
        await finished(self._backend.engine.dispose())

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """
        Do *work* in a transaction, alone among the writers of the store, and commit it.

        Args:
            work: Awaits nothing but the database. It is done again if another writer got in its way.

        Raises:
            StoreError: The database refused, or can't be reached. Nothing has been changed.
        """
        self._check_open()
        return await self._transaction(work, begin=self._backend.begin)

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """
        Do *work* in a transaction that changes nothing.

        Raises:
            StoreError: The database refused, or can't be reached.
        """
        self._check_open()
        return await self._transaction(work, begin=None)

    async def batches(self, wanted: Select[*tuple[Any, ...]]) -> AsyncGenerator[Sequence[Row]]:
        """
        Read rows, many at once, as they were at one moment. The next ones are fetched while these are used.

        If the reader stops early, the connection is closed: otherwise all rows that are left would be fetched.

        Raises:
            StoreError: The database refused, or can't be reached.
        """
        self._check_open()
        opening = asyncio.ensure_future(self._backend.engine.connect().start())
        fetching: asyncio.Future[Any] | None = None
        try:
            with self.translated():
                connection = await asyncio.shield(opening)
                result = await connection.stream(wanted, execution_options={"yield_per": _ROWS_AT_ONCE})
            rows: Sequence[Row] = ()
            while True:
                fetching = following = asyncio.ensure_future(result.fetchmany(_ROWS_AT_ONCE))
                if rows:
                    yield rows
                with self.translated():
                    rows = await following
                if not rows:
                    break
        except BaseException:
            await finished(_broken_off(opening, fetching))
            raise
        await finished(connection.close())

    async def rows(self, account: str, cdrs: Sequence[Cdr]) -> list[Row]:
        """
        Make what `save` takes: a row for each id, sorted by id. If an id comes twice, the last one counts.

        Raises:
            ValueError: A call can't be stored: a naive time, an id beyond 64 bits.
        """
        latest = {cdr.id: cdr for cdr in cdrs}
        calls = [latest[call] for call in sorted(latest)]
        rows: list[Row] = []
        for start in range(0, len(calls), _PORTION):
            if start:
                await asyncio.sleep(0)
            rows += self.fit.rows(account, calls[start : start + _PORTION])
        return rows

    async def save(self, connection: AsyncConnection, rows: Sequence[Row]) -> SaveResult:
        """Insert or update rows, in the transaction of `write`."""
        if not rows:
            return SaveResult()
        inserted, updated = await self._backend.upsert(connection, rows)
        return SaveResult(inserted, updated, len(rows) - inserted - updated)

    @contextmanager
    def translated(self) -> Generator[None]:
        """Turn a database's errors into ours. SQLAlchemy is set up to keep values out of its messages."""
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(_detail(error), transient=self._may_pass(error)) from error.with_traceback(None)
        except OSError as error:
            detail = f"the database can't be reached: {error.strerror or type(error).__name__}"
            raise StoreError(detail, transient=True) from error

    def _check_open(self) -> None:
        if self._state != "open":
            raise RuntimeError(f"this store is {self._state}")

    async def _transaction(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        *,
        begin: Callable[[AsyncConnection], Awaitable[None]] | None,
    ) -> T:
        async def attempt() -> T:
            async with self._backend.engine.connect() as connection:
                if begin is not None:
                    await begin(connection)
                result = await work(connection)
                if begin is not None:
                    await connection.commit()
                return result

        loop = asyncio.get_running_loop()
        give_up = loop.time() + _PATIENCE
        pause = 0.002
        with self.translated():
            while True:
                try:
                    return await self._backend.settled(attempt())
                except DBAPIError as error:
                    if not self._backend.is_busy(error) or loop.time() > give_up:
                        raise
                await asyncio.sleep(pause * (0.5 + random()))  # noqa: S311  # so that two do not meet again
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _may_pass(self, error: SQLAlchemyError) -> bool:
        return isinstance(error, DBAPIError) and (
            error.connection_invalidated or self._backend.is_busy(error) or self._backend.is_down(error)
        )


async def _broken_off(opening: "asyncio.Future[AsyncConnection]", fetching: "asyncio.Future[Any] | None") -> None:
    """End a connection that may still be opening, or on which rows are fetched."""
    for under_way in (opening, fetching):
        if under_way is not None:
            await asyncio.wait((under_way,))
    if fetching is not None and not fetching.cancelled():
        fetching.exception()
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().invalidate()
        await opening.result().close()


def _detail(error: SQLAlchemyError) -> str:
    """What a database said. Drivers put values into what they say of values."""
    original = getattr(error, "orig", None)
    text = str(original or error)
    if "invalid input for query argument" in text or type(original).__name__ == "DataError":
        return "the database can't hold a value of a call"
    return _LONG_NUMBER.sub("***", text)
