"""Calls in a database, each exactly once: SQLite or PostgreSQL, through SQLAlchemy."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from attrs import evolve, frozen

from .errors import IncompleteResultError, StoreError
from .models import BEIJING, Cdr, CdrQuery
from .session import Infin8Session

try:
    from sqlalchemy import Connection, Dialect, delete, event, func, insert, make_url, select
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

    from . import _schema
except ModuleNotFoundError as error:
    raise ImportError("a store needs: pip install 'infin8-async[sql]'", name=error.name) from error

__all__ = ["CdrStore", "SaveResult", "SyncProgress", "SyncReport"]

_DRIVERS: Final = {
    "sqlite": ("sqlite+aiosqlite", "sql"),
    "postgresql": ("postgresql+asyncpg", "postgres"),
    "postgres": ("postgresql+asyncpg", "postgres"),
}
_AT_ONCE: Final = 1000  # ids in one question: SQLite takes 32,766 values, and older ones 999 beside the account
_READ_AT_ONCE: Final = 1000
_LOCK: Final = 0x1F18C0D5  # any number that nobody else locks in this database
_SECOND: Final = timedelta(seconds=1)


@frozen
class SaveResult:
    """
    What became of calls that were saved.

    Attributes:
        inserted: Were not there.

        updated: Were there, and said something else.

        unchanged: Were there just so; nothing was written.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: "SaveResult") -> "SaveResult":
        return SaveResult(
            self.inserted + other.inserted, self.updated + other.updated, self.unchanged + other.unchanged
        )


@frozen(kw_only=True)
class SyncReport:
    """
    What a sync has done.

    Attributes:
        days: The days of the window, the first and the last of them perhaps in part.

        unchanged: Those among them that the ledger holds certified, and the platform's count confirms: one small
            request each, and nothing written.

        certified: Those that were pulled, and hold exactly what the platform counts.

        saved: What became of the calls of the days that were pulled.
    """

    days: int
    unchanged: int = 0
    certified: int = 0
    saved: SaveResult = SaveResult()


@frozen(kw_only=True)
class SyncProgress:
    """
    How far a sync is.

    Attributes:
        window: The day it is at.

        number: Which of the days that is, from 1.

        days: How many there are.

        received: Calls of this day that are saved, though not yet committed.

        total: The platform's count for this day.
    """

    window: CdrQuery
    number: int
    days: int
    received: int
    total: int


class CdrStore:
    """
    A database with calls in it, for the time of an `async with` block. Its tables are made where they are missing.

    `cdrs` holds the calls under the platform's names, keyed by `account` (the credentials' appid) and `id`;
    `cdr_windows` is the ledger of what was synced; `cdr_checkpoints` is where following stands. Times are `timestamptz`
    in PostgreSQL, and in SQLite text in the platform's own form, Beijing time. `extra` is JSON, null where the platform
    sent nothing else.

    Args:
        url: `sqlite:///calls.db` (a file in the present folder; four slashes for an absolute path), or
            `postgresql://user:password@host/database`.

    Raises:
        ValueError: Another kind of database, or no address of one.

        ImportError: The driver is missing; the message says what to install.
    """

    def __init__(self, url: str) -> None:
        try:
            address = make_url(url)
        except ArgumentError:
            raise ValueError("a store is at sqlite:///… or postgresql://…") from None
        driver, extra = _DRIVERS.get(address.drivername, (address.drivername, ""))
        if driver not in (known for known, _ in _DRIVERS.values()):
            raise ValueError(f"a store is at sqlite:///… or postgresql://…, not at {address.drivername}://…")
        try:
            self._engine = create_async_engine(address.set(drivername=driver), hide_parameters=True)
        except ModuleNotFoundError as error:
            raise ImportError(f"this store needs: pip install 'infin8-async[{extra}]'", name=error.name) from error
        self._is_sqlite = driver.startswith("sqlite")
        self._upsert = _upsert(self._engine.dialect)
        self._writing = self._engine.execution_options(infin8_writes=True)
        if self._is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)

    async def __aenter__(self) -> Self:
        async with self._transaction() as connection:
            await connection.run_sync(_make_tables)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def save(self, cdrs: Sequence[Cdr], *, account: str = "") -> SaveResult:
        """
        Have the store hold these calls just as they are, in one transaction.

        Args:
            cdrs: Calls. Where an id comes twice the last one counts.

            account: Whose they are. What `sync` and `follow` save is under the appid of the session's credentials.

        Raises:
            StoreError: The database refused or was not there. Nothing has been saved.
        """
        async with self._transaction() as connection:
            return await self._save(connection, account, cdrs)

    async def sync(
        self,
        session: Infin8Session,
        query: CdrQuery,
        *,
        progress: Callable[[SyncProgress], object] | None = None,
    ) -> SyncReport:
        """
        Have the store hold every call that answers *query*.

        The window is divided into days of Beijing. A day that the ledger holds certified, and whose count has not
        changed since, costs one small request. Every other one is pulled, and its calls are written in one transaction
        with its line in the ledger: interrupted anywhere and started again, it goes on with the next day. Days reach a
        second into each other, so that nothing is left out whichever bounds the platform includes. Calls that the
        platform no longer has stay in the store.

        Args:
            session: Where the calls come from.

            query: Which calls. Without an end: until now.

            progress: Called while it goes on, after each page.

        Raises:
            IncompleteResultError: A day could not be read completely. What was found of it has been saved, it is not
                certified, and all other days have been synced.

            Infin8Error: The platform, the network or the database failed. The days before have been synced.
        """
        account = session.credentials.appid
        days = _days(query.until_now())
        report = SyncReport(days=len(days))
        incomplete: IncompleteResultError | None = None
        for number, day in enumerate(days, 1):
            held = await self._held(account, day)
            if held is not None:
                window, calls = held
                if await session.count(window) == calls:
                    report = evolve(report, unchanged=report.unchanged + 1)
                    if progress is not None:
                        progress(SyncProgress(window=day, number=number, days=len(days), received=calls, total=calls))
                    continue
            saved = SaveResult()
            async with self._transaction() as connection, session.cdrs(day) as stream:
                try:
                    async with aclosing(stream.pages()) as pages:
                        async for page in pages:
                            saved += await self._save(connection, account, page.cdrs)
                            if progress is not None:
                                received = stream.report.received
                                progress(
                                    SyncProgress(
                                        window=day, number=number, days=len(days), received=received, total=page.total
                                    )
                                )
                except IncompleteResultError as error:
                    incomplete = incomplete or error
                told = stream.report
                await self._enter(connection, account, day, told.received, certified=told.complete and told.certified)
            report = evolve(
                report, saved=report.saved + saved, certified=report.certified + (told.complete and told.certified)
            )
        if incomplete is not None:
            raise incomplete
        return report

    async def follow(
        self,
        session: Infin8Session,
        query: CdrQuery,
        *,
        interval: timedelta = timedelta(seconds=30),
        lookback: timedelta = timedelta(hours=1),
        landed: Callable[[Sequence[Cdr]], Awaitable[object]] | None = None,
    ) -> SaveResult:
        """
        Save each call as it appears, for ever, or until *lookback* has passed since the query's end.

        Calls are written in one transaction with the mark that says they were taken: killed at any moment and started
        again, it goes on where it was. See `Infin8Session.follow` for how new calls are found.

        Args:
            session: Where the calls come from.

            query: What to filter by, and from when on where the store has no mark yet.

            interval: From one poll to the next.

            lookback: How long after its dial time a call may appear.

            landed: Awaited with calls that have just been committed.

        Raises:
            Infin8Error: The platform refused, or the database failed.
        """
        landing = _Landing(self, session.credentials.appid, query, landed)
        feed = session.follow(query, interval=interval, lookback=lookback, checkpoint=landing)
        async with feed, aclosing(feed.batches()) as batches:
            async for cdrs in batches:
                landing.coming = cdrs  # the feed has the mark saved, and these with it, when it is asked for more
        return landing.saved

    def __aiter__(self) -> AsyncIterator[Cdr]:
        return self.cdrs()

    async def cdrs(self, query: CdrQuery | None = None, *, account: str | None = None) -> AsyncGenerator[Cdr]:
        """
        The calls that the store holds, by dial time and id.

        Args:
            query: Only those that answer it, both ends of its window included; None for all.

            account: Only those of this account; None for those of all.
        """
        wanted = select(_schema.calls).where(*_schema.answers(account, query))
        wanted = wanted.order_by(_schema.calls.c.starttime, _schema.calls.c.id)
        async with self._connected() as connection, AsyncExitStack() as stack:
            result = await connection.stream(wanted, execution_options={"yield_per": _READ_AT_ONCE})
            stack.push_async_callback(result.close)
            async for rows in result.mappings().partitions():
                for row in rows:
                    yield _schema.record(row)

    async def _save(self, connection: AsyncConnection, account: str, cdrs: Sequence[Cdr]) -> SaveResult:
        coming = {cdr.id: cdr for cdr in cdrs}
        there = await self._there(connection, account, sorted(coming))
        write = [cdr for cdr in coming.values() if there.get(cdr.id) != cdr]
        if write:
            await connection.exec_driver_sql(self._upsert, _schema.rows(account, write, as_text=self._is_sqlite))
        new = len(coming) - len(there)
        return SaveResult(new, len(write) - new, len(there) - len(write) + new)

    async def _there(self, connection: AsyncConnection, account: str, ids: list[int]) -> dict[int, Cdr]:
        """Those of some calls that the store holds; their ids come sorted."""
        there: dict[int, Cdr] = {}
        table = _schema.calls
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            # The range says nothing new, but has a planner that knows nothing yet of a new table take the right index.
            between = table.c.id.between(some[0], some[-1])
            wanted = select(table).where(table.c.account == account, between, table.c.id.in_(some))
            found = await connection.execute(wanted)
            there |= {row["id"]: _schema.record(row) for row in found.mappings()}
        return there

    async def _held(self, account: str, day: CdrQuery) -> tuple[CdrQuery, int] | None:
        """The certified window of the ledger that holds a day, and its number of calls."""
        table, (start, end) = _schema.windows, day.ends
        line = select(table).where(
            _schema.of(table, account, day), table.c.certified, table.c.starttime <= start, table.c.endtime >= end
        )
        async with self._connected() as connection:
            held = (await connection.execute(line.order_by(table.c.calls).limit(1))).mappings().first()
        return (
            None if held is None else (evolve(day, starttime=held["starttime"], endtime=held["endtime"]), held["calls"])
        )

    async def _enter(
        self, connection: AsyncConnection, account: str, day: CdrQuery, calls: int, *, certified: bool
    ) -> None:
        """Enter a day into the ledger, in the place of what the ledger knows of parts of it."""
        table, (start, end) = _schema.windows, day.ends
        await connection.execute(
            delete(table).where(_schema.of(table, account, day), table.c.starttime >= start, table.c.endtime <= end)
        )
        await connection.execute(
            insert(table).values(
                account=account,
                filters=_schema.filters(day),
                starttime=start,
                endtime=end,
                calls=calls,
                certified=certified,
                synced=datetime.now(BEIJING),
            )
        )

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that is committed when the block is left without an exception. There is one at a time."""
        async with _translated(), self._writing.begin() as connection:
            if not self._is_sqlite:  # two that write the same calls in another order would wait for each other
                await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            yield connection

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[AsyncConnection]:
        async with _translated(), self._engine.connect() as connection:
            yield connection


class _Landing:
    """
    A feed's checkpoint in the store, which saves the calls it is about in the same transaction.

    Attributes:
        coming: Calls that the feed has handed over, and not yet marked as taken.

        saved: What became of all calls before.
    """

    def __init__(
        self,
        store: CdrStore,
        account: str,
        query: CdrQuery,
        landed: Callable[[Sequence[Cdr]], Awaitable[object]] | None,
    ) -> None:
        self._store = store
        self._account = account
        self._query = query
        self._landed = landed
        self.coming: Sequence[Cdr] = ()
        self.saved = SaveResult()

    async def load(self) -> str | None:
        table = _schema.checkpoints
        async with self._store._connected() as connection:  # noqa: SLF001  # a part of it
            wanted = select(table.c.state).where(_schema.of(table, self._account, self._query))
            state: str | None = await connection.scalar(wanted)
        return state

    async def save(self, state: str) -> None:
        table, cdrs = _schema.checkpoints, self.coming
        async with self._store._transaction() as connection:  # noqa: SLF001  # a part of it
            saved = await self._store._save(connection, self._account, cdrs)  # noqa: SLF001  # a part of it
            await connection.execute(delete(table).where(_schema.of(table, self._account, self._query)))
            filters = _schema.filters(self._query)
            await connection.execute(insert(table).values(account=self._account, filters=filters, state=state))
        self.coming = ()
        self.saved += saved
        if self._landed is not None and cdrs:
            await self._landed(cdrs)


def _days(query: CdrQuery) -> list[CdrQuery]:
    """The window of a query, day by day in Beijing, each reaching one second into the one before it."""
    start, end = query.ends
    midnight = start.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    days = []
    while midnight < end:
        days.append(evolve(query, starttime=start, endtime=midnight))
        start, midnight = midnight - _SECOND, midnight + timedelta(days=1)
    return [*days, evolve(query, starttime=start, endtime=end)]


@asynccontextmanager
async def _translated() -> AsyncGenerator[None]:
    """What databases raise, as ours. SQLAlchemy has been told to keep values, which may be numbers, out of it."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(str(getattr(error, "orig", None) or error)) from error
    except OSError as error:
        raise StoreError(f"the database can't be reached: {error.strerror or error}") from error


def _upsert(dialect: Dialect) -> str:
    """Have a call be there, and say what it says now, in the SQL of a database."""
    table = _schema.calls
    statement = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
    replaced = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    statement = statement.on_conflict_do_update(index_elements=["account", "id"], set_=replaced)
    return str(statement.compile(dialect=dialect))


def _make_tables(connection: Connection) -> None:
    _schema.metadata.create_all(connection)


def _set_up_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401  # SQLAlchemy's cloak over a driver
    connection.isolation_level = None  # we say ourselves when a transaction begins
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 30000")
    cursor.execute("PRAGMA journal_mode = WAL")  # readers do not wait for writers, and a commit is one write
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Who will write says so at once: a reader that begins to write is refused where another was faster."""
    writes = connection.get_execution_options().get("infin8_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
