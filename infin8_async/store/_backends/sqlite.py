"""SQLite, through aiosqlite."""

import logging
import os
import sqlite3
from collections.abc import Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import quote

import aiosqlite  # noqa: F401  # whether it is there is asked here
import msgspec
from sqlalchemy import URL, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ...models import BEIJING
from .. import _schema
from .._finish import finished
from .._rows import COLUMNS, Fit, Row
from ._backend import ANY_NUMBER, REPLACED, Backend

T = TypeVar("T")

_parse, _combine = datetime.fromisoformat, datetime.combine
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PRIMARY: Final = 0xFF  # the part of a code that says its kind
_WAIT: Final = 50  # milliseconds in a thread, which no cancellation reaches; all further waiting is asyncio's
_COUNT: Final = "SELECT count(*) FROM cdrs WHERE account = ? AND id IN (SELECT value FROM json_each(?))"


def _to_time(time: datetime) -> str:
    return time.isoformat(" ")[:19]


def _from_time(text: str) -> datetime:
    time = _parse(text)
    return _combine(time, time.time(), BEIJING)


class SQLite(Backend):
    """A file."""

    fit: ClassVar = Fit(earliest=datetime.min.replace(tzinfo=BEIJING), to_time=_to_time, from_time=_from_time)

    def __init__(self, url: URL) -> None:
        in_memory = url.database in (None, "", ":memory:")  # it lives in one connection
        options = {"pool_size": 1, "max_overflow": 0, "hide_parameters": True} if in_memory else ANY_NUMBER
        super().__init__(create_async_engine(url, poolclass=AsyncAdaptedQueuePool, **options))
        event.listen(self.engine.sync_engine, "do_connect", _try_to_open)
        event.listen(self.engine.sync_engine, "connect", _set_up)
        self._upsert = _upsert()
        # At that level aiosqlite logs every row that is written, phone numbers and all.
        logging.getLogger("aiosqlite").addFilter(_is_no_row)

    async def begin(self, connection: AsyncConnection) -> None:
        """Take the write lock at once: to upgrade a read transaction fails if another writer got in first."""
        await connection.exec_driver_sql("BEGIN IMMEDIATE")

    async def upsert(self, connection: AsyncConnection, rows: Sequence[Row]) -> tuple[int, int]:
        """See `Backend.upsert`."""
        ids = msgspec.json.encode([row[1] for row in rows]).decode()
        there = int((await connection.exec_driver_sql(_COUNT, (rows[0][0], ids))).scalar_one())
        written = (await connection.exec_driver_sql(self._upsert, list(rows))).rowcount
        new = len(rows) - there
        return new, written - new

    def is_busy(self, error: DBAPIError) -> bool:
        """See `Backend.is_busy`."""
        return getattr(error.orig, "sqlite_errorcode", 0) & _PRIMARY in _BUSY

    def is_down(self, error: DBAPIError) -> bool:  # noqa: ARG002  # there is no server
        """See `Backend.is_down`."""
        return False

    async def settled(self, work: Coroutine[Any, Any, T]) -> T:
        """
        Await a transaction to its end, even if the caller is cancelled.

        What a thread has begun goes on in it. A transaction that nobody awaits would keep the file locked. It waits for
        nobody, so it soon ends.
        """
        return await finished(work)


def make(url: URL) -> SQLite:
    """
    Make the backend of an address.

    Raises:
        ValueError: The address names a host.
    """
    if url.host or url.port or url.username:
        raise ValueError("a SQLite store is at sqlite:///FILE, or sqlite:////FILE for an absolute path")
    url = url.set(drivername="sqlite+aiosqlite")
    if url.database and _can_only_be_read(url.database):
        url = url.set(database=f"file:{quote(url.database)}", query={"mode": "ro", "immutable": "1", "uri": "true"})
    return SQLite(url)


def _can_only_be_read(path: str) -> bool:
    """
    Whether the file or its folder is read-only, and nobody is writing to it.

    Even to read a file in WAL mode, SQLite has to write next to it, unless the file is opened as immutable.
    """
    file = Path(path)
    if not file.is_file() or file.with_name(f"{file.name}-wal").exists():
        return False
    effective = os.access in os.supports_effective_ids
    return not all(os.access(part, os.W_OK, effective_ids=effective) for part in (file, file.parent))


def _upsert() -> str:
    statement = sqlite.insert(_schema.calls).values(dict.fromkeys(COLUMNS))
    changed = " OR ".join(f"cdrs.{name} IS NOT excluded.{name}" for name in REPLACED)
    statement = statement.on_conflict_do_update(
        index_elements=["account", "id"], set_={name: statement.excluded[name] for name in REPLACED}
    )
    return f"{statement.compile(dialect=sqlite.dialect())} WHERE {changed}"


def _try_to_open(_: object, __: object, arguments: tuple[str], options: dict[str, Any]) -> None:
    """
    Raise here what opening the file raises.

    If it fails in the thread of aiosqlite, nobody waits for that thread: it may outlive the loop to which it reports.
    """
    sqlite3.connect(*arguments, **options).close()


def _set_up(connection: Any, _: object) -> None:  # noqa: ANN401  # SQLAlchemy's wrapper of a driver
    connection.isolation_level = None  # we say ourselves when a transaction begins
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_WAIT}")
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone() != ("wal",):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")  # readers do not wait for writers, and a commit is one write
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_READONLY:
                raise
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _is_no_row(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
