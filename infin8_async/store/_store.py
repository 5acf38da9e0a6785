"""What a user holds: calls in a database."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from types import TracebackType
from typing import Self

from ..models import Cdr, CdrQuery
from ..session import Infin8Session
from . import _schema
from ._audit import Audit
from ._database import Database
from ._follow import FollowMark, Landed
from ._ledger import Ledger
from ._reports import AuditReport, SaveResult, SyncProgress, SyncReport
from ._select import answers, dialled, records
from ._sync import Sync


class CdrStore:
    """
    A database with calls in it, for the time of an `async with` block. Its tables are made if they are missing.

    `cdrs` holds the calls under the platform's names, keyed by `account` (the credentials' appid) and `id`; `vanished`
    is when the platform was first seen not to give a call any more. `cdr_windows` is the ledger of what was synced,
    `cdr_checkpoints` is where following stands, `cdr_schema` is the version of these tables. Times are `timestamptz` in
    PostgreSQL, `DATETIME` in MySQL and text in SQLite, the last two in Beijing time. `extra` is JSON, null if the
    platform sent nothing else.

    A value that a database cannot hold has a stand-in in its column: U+FFFD for a lone surrogate, and for NUL in
    PostgreSQL; the nearest number of 64 bits; null for a time before the database's first; the first 500 characters of
    an extension or number that is longer, in PostgreSQL. The original lies in `extra`, under
    `"infin8_async.originals"`. Calls that are read through this class have the originals.

    Args:
        url: `sqlite:///calls.db` (a file in the present folder; four slashes for an absolute path),
            `postgresql://user:password@host/database`, with the parameters that libpq knows, or
            `mysql://user:password@host/database`.

    Raises:
        ValueError: Another kind of database, or not an address of one.

        ImportError: The driver is missing; the message says what to install.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    async def __aenter__(self) -> Self:
        """
        Open the store.

        Raises:
            StoreError: The database refused or can't be reached, or its tables are those of a newer version or of
                somebody else. Nothing has been changed.
        """
        await self._database.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._database.aclose()

    async def save(self, cdrs: Sequence[Cdr], *, account: str = "") -> SaveResult:
        """
        Save these calls in one transaction: insert the new ones, and update those that differ.

        Args:
            cdrs: Calls. If an id comes twice, the last one counts.

            account: Whose they are. What `sync` and `follow` save is under the appid of the session's credentials.

        Raises:
            StoreError: The database refused or can't be reached. Nothing has been saved.

            ValueError: A call has a naive time, or an id beyond 64 bits. Nothing has been saved.
        """
        rows = await self._database.rows(account, cdrs)
        return await self._database.write(lambda connection: self._database.save(connection, rows))

    async def sync(
        self,
        session: Infin8Session,
        query: CdrQuery,
        *,
        deep: bool = False,
        progress: Callable[[SyncProgress], object] | None = None,
    ) -> SyncReport:
        """
        Bring every call that answers *query* into the store.

        The window is divided into days of Beijing. The ledger knows how many calls the platform counted when a day was
        read. If it counts as many of the whole window now, that one small request is all. Otherwise the window is
        halved, and both halves asked, down to the days that differ: only they are pulled, several at once, under the
        session's limits. Of the present day only the last hours are pulled again.

        A call that changed without changing the count is not seen by this, and neither are two changes that make up for
        each other: that is what *deep* is for.

        Calls are committed in parts; no transaction is open while the platform is waited for. A line of the ledger is
        committed with the last of the calls that it speaks of: interrupted anywhere and started again, it goes on with
        the days that have no line.

        A call that is no longer among those of a day that was read, and that the platform does not give anywhere near
        its times either, gets the present time in its column `vanished`, and stays. Nothing is marked if several users
        (`username`, `ip`) of the application have landed calls here, as each may see others.

        Args:
            session: Where the calls come from.

            query: Which calls. Without an end: until now.

            deep: Pull every day, whatever its count says.

            progress: Called while it goes on.

        Raises:
            IncompleteResultError: A day could not be read completely. What was found of it has been saved, it is not
                certified, and all other days have been synced.

            UnreadableRowsError: The platform can't encode some rows of a day. All others have been saved, the day is
                not certified, and all other days have been synced.

            Infin8Error: The platform, the network or the database failed. The days before have been synced.
        """
        return await Sync(self._database, session, query.until_now(), deep=deep, show=progress).run()

    async def audit(self, session: Infin8Session, query: CdrQuery, *, deep: bool = False) -> AuditReport:
        """
        Compare the platform with the store, and write nothing.

        Without *deep*, numbers are compared: that is one small request if all agrees, and some 2·log2(n) for one of n
        days that differs. A day is pulled if the store's number depends on what the platform does not document: which
        of a call's times it compares, and whether it includes the ends of a window.

        Args:
            session: The platform.

            query: Which calls. Without an end: until now.

            deep: Pull every day, and say which calls are missing, changed or vanished.

        Raises:
            Infin8Error: The platform, the network or the database failed.
        """
        audit = Audit(self._database, session, query.until_now())
        return await (audit.deep() if deep else audit.counts())

    async def follow(
        self,
        session: Infin8Session,
        query: CdrQuery,
        *,
        interval: timedelta = timedelta(seconds=30),
        lookback: timedelta = timedelta(hours=1),
        landed: Landed | None = None,
    ) -> SaveResult:
        """
        Save each call as it appears, for ever, or until *lookback* has passed since the query's end.

        Calls are written in one transaction with the mark that says they were taken: killed at any moment and started
        again, it goes on where it was. While the database restarts, or is locked, it is tried again. See
        `Infin8Session.follow` for how new calls are found.

        Args:
            session: Where the calls come from.

            query: What to filter by, and from when on if the store has no mark yet.

            interval: From one poll to the next.

            lookback: How long after its dial time a call may appear.

            landed: Awaited with calls that have just been committed.

        Raises:
            Infin8Error: The platform refused, or the database failed in a way that will not pass.
        """
        mark = FollowMark(self._database, Ledger(session.credentials, query), landed)
        feed = session.follow(query, interval=interval, lookback=lookback, checkpoint=mark)
        async with feed, aclosing(feed.batches()) as batches:
            async for cdrs in batches:
                mark.coming = cdrs  # the feed has the mark saved, and these with it, when it is asked for more
        return mark.saved

    def __aiter__(self) -> AsyncIterator[Cdr]:
        return self.cdrs()

    async def cdrs(self, query: CdrQuery | None = None, *, account: str | None = None) -> AsyncGenerator[Cdr]:
        """
        The calls that the store holds, by dial time and id; those that have vanished, too.

        Args:
            query: Only those that answer it, both ends of its window included; None for all.

            account: Only those of this account; None for those of all.

        Raises:
            StoreError: The database refused or can't be reached.
        """
        database = self._database
        column = _schema.calls.c
        wanted = records(*answers(database.fit, account, query), *dialled(query))
        wanted = wanted.order_by(column.starttime, column.id)
        record = database.fit.record
        async with aclosing(database.batches(wanted)) as batches:
            async for rows in batches:
                for row in rows:
                    yield record(row)
