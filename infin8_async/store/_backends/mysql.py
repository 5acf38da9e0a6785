"""MySQL and MariaDB, through asyncmy."""

import ssl
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import asyncmy  # noqa: F401  # whether it is there is asked here
from sqlalchemy import URL, func, select
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ...models import BEIJING
from .. import _schema
from .._rows import COLUMNS, Fit, Row
from ._backend import ANY_NUMBER, REPLACED, Backend, same, timeout_of

_combine = datetime.combine
_BUSY: Final = frozenset((1205, 1213))  # lock wait timeout, deadlock: also what a cluster says at COMMIT
_DOWN: Final = frozenset((1040, 1047, 1053, 1927, 2002, 2003, 2006, 2013, 2014, 2055))
_PARAMETERS: Final = frozenset(("charset", "connect_timeout", "unix_socket", "ssl", "ssl_ca", "ssl_cert", "ssl_key"))
_ROWS: Final = 1000  # in one query


def _to_time(time: datetime) -> str:
    return time.isoformat(" ")[:19]


def _from_time(time: datetime) -> datetime:
    return _combine(time, time.time(), BEIJING)


class MySQL(Backend):
    """A database on a server."""

    fit: ClassVar = Fit(earliest=datetime(1000, 1, 1, tzinfo=BEIJING), to_time=_to_time, from_time=_from_time)

    def __init__(self, url: URL, options: dict[str, Any]) -> None:
        super().__init__(
            create_async_engine(
                url,
                connect_args={
                    # A value that does not fit is refused, never cut.
                    "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
                    **options,
                    "charset": "utf8mb4",
                },
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                **ANY_NUMBER,
            )
        )

    async def begin(self, connection: AsyncConnection) -> None:
        """Lock the row that all writers lock. On two nodes of a cluster they end in a deadlock, and one tries again."""
        await connection.execute(select(_schema.schema.c.version).with_for_update())

    async def begin_opening(self, connection: AsyncConnection) -> None:
        """Begin nothing: each change of a table is a transaction of its own here."""

    async def upsert(self, connection: AsyncConnection, rows: Sequence[Row]) -> tuple[int, int]:
        """See `Backend.upsert`."""
        there = 0
        for start in range(0, len(rows), _ROWS):
            ids = [row[1] for row in rows[start : start + _ROWS]]
            found = select(func.count()).where(same(_schema.calls, rows[0][0], ids))
            there += (await connection.execute(found)).scalar_one()
        statement = mysql.insert(_schema.calls).values(dict.fromkeys(COLUMNS))
        statement = statement.on_duplicate_key_update({name: statement.inserted[name] for name in REPLACED})
        compiled = str(statement.compile(dialect=self.engine.dialect))
        # It counts 1 for a row that was inserted or is as it was, and 2 for one that was changed.
        counted = (await connection.exec_driver_sql(compiled, list(rows))).rowcount
        return len(rows) - there, counted - len(rows)

    def is_busy(self, error: DBAPIError) -> bool:
        """See `Backend.is_busy`."""
        return _code(error) in _BUSY

    def is_down(self, error: DBAPIError) -> bool:
        """See `Backend.is_down`."""
        return _code(error) in _DOWN


def make(url: URL) -> MySQL:
    """
    Make the backend of an address.

    Raises:
        ValueError: The address names no database, or a parameter that is not known.
    """
    if not url.database:
        raise ValueError("a MySQL store is at mysql://USER:PASSWORD@HOST/DATABASE")
    if unknown := url.query.keys() - _PARAMETERS:
        raise ValueError(
            f"not known in the address of a MySQL store: {', '.join(sorted(unknown))}; "
            f"known are {', '.join(sorted(_PARAMETERS))}"
        )
    given = {name: str(value) for name, value in url.query.items() if name != "charset"}
    options: dict[str, Any] = {name: value for name, value in given.items() if name == "unix_socket"}
    options["connect_timeout"] = timeout_of(given)
    if given.keys() & {"ssl", "ssl_ca", "ssl_cert", "ssl_key"}:
        options["ssl"] = ssl.create_default_context(cafile=given.get("ssl_ca"))
        if "ssl_cert" in given:
            options["ssl"].load_cert_chain(given["ssl_cert"], given.get("ssl_key"))
    return MySQL(url.set(drivername="mysql+asyncmy", query={}), options)


def _code(error: DBAPIError) -> object:
    return error.orig.args[0] if error.orig is not None and error.orig.args else None
