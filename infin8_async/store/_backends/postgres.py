"""PostgreSQL, through asyncpg."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final

import asyncpg
from sqlalchemy import URL, delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.schema import CreateTable

from ...models import BEIJING
from .. import _schema
from .._rows import COLUMNS, Fit, Row
from ._backend import ANY_NUMBER, REPLACED, Backend, timeout_of

_EPOCH: Final = datetime(2000, 1, 1, 8, tzinfo=BEIJING)  # from which PostgreSQL counts
_MICROSECOND: Final = timedelta(microseconds=1)
_LOCK: Final = 0x1F18C0D5  # any number that nobody else locks in this database
_BUSY: Final = frozenset(("40001", "40P01", "55P03"))  # serialization failure, deadlock, lock not available
_DOWN: Final = ("08", "53300", "57P")  # connection errors, too many connections, shutting down or starting
_CLIENT_ONLY: Final = frozenset(
    (
        "channel_binding", "connect_timeout", "fallback_application_name", "gssencmode", "keepalives",
        "keepalives_count", "keepalives_idle", "keepalives_interval", "sslcompression", "tcp_user_timeout",
    )
)  # fmt: skip
"""Parameters of libpq that asyncpg does not take from an address."""


def _as_it_is(time: datetime) -> datetime:
    return time


def _encoded(time: datetime) -> tuple[int]:
    return ((time - _EPOCH) // _MICROSECOND,)


def _decoded(microseconds: tuple[int]) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds[0])


class Postgres(Backend):
    """
    A database on a server.

    Statements are prepared without a name and sent inside transactions only: so a pgbouncer may give each transaction
    another connection.
    """

    fit: ClassVar = Fit(
        # Other readers compute in UTC, where the first hours of the year 1 in Beijing do not exist.
        earliest=datetime.min.replace(tzinfo=BEIJING) + timedelta(days=1),
        nul=False,
        longest_indexed=500,  # an entry of an index holds 2,704 bytes
        to_time=_as_it_is,
        from_time=_as_it_is,
    )

    def __init__(self, address: str, timeout: float) -> None:
        async def connect() -> object:
            connection = await asyncpg.connect(address, timeout=timeout, statement_cache_size=0)
            # Its own codec goes by UTC: to take times from Beijing there and back is a third of what a row costs.
            await connection.set_type_codec(
                "timestamptz", schema="pg_catalog", format="tuple", encoder=_encoded, decoder=_decoded
            )
            return connection

        super().__init__(
            create_async_engine(
                "postgresql+asyncpg://",
                async_creator=connect,
                connect_args={"prepared_statement_cache_size": 0, "prepared_statement_name_func": str},
                json_deserializer=str,  # what a record is made of is the text
                pool_pre_ping=True,
                **ANY_NUMBER,
            )
        )
        self._coming = str(CreateTable(_schema.coming, if_not_exists=True).compile(dialect=self.engine.dialect))

    async def begin(self, connection: AsyncConnection) -> None:
        """Take the lock that all writers of a store take."""
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))

    async def upsert(self, connection: AsyncConnection, rows: Sequence[Row]) -> tuple[int, int]:
        """See `Backend.upsert`. COPY into a temporary table, and one statement from there."""
        await connection.exec_driver_sql(self._coming)
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None  # noqa: S101  # it is open
        await driver.copy_records_to_table(_schema.coming.name, records=rows, columns=COLUMNS)
        counts = (await connection.exec_driver_sql(_UPSERT)).mappings().one()
        await connection.execute(delete(_schema.coming))
        return counts["inserted"], counts["updated"]

    def is_busy(self, error: DBAPIError) -> bool:
        """See `Backend.is_busy`."""
        return _code(error) in _BUSY

    def is_down(self, error: DBAPIError) -> bool:
        """See `Backend.is_down`."""
        return _code(error).startswith(_DOWN)


def make(url: URL) -> Postgres:
    """
    Make the backend of an address as libpq knows it.

    Raises:
        ValueError: The address can't work.
    """
    query = {name: value for name, value in url.query.items() if name not in _CLIENT_ONLY}
    address = url.set(drivername="postgresql", query=query)
    return Postgres(address.render_as_string(hide_password=False), timeout_of(url.query))


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _text(name: str) -> str:
    """How a column is compared: JSON has no equality."""
    return "{0}." + name + ("::text" if name == "extra" else "")


def _upsert() -> str:
    names = ", ".join(COLUMNS)
    values = ", ".join(f"{name} = excluded.{name}" for name in REPLACED)
    compared = ", ".join(_text(name) for name in REPLACED)
    # A row that was inserted has no transaction in `xmax`, one that was updated has this one.
    return (
        f"WITH written AS (INSERT INTO cdrs ({names}) SELECT {names} FROM {_schema.coming.name} ORDER BY id"  # noqa: S608  # our own names
        f" ON CONFLICT (account, id) DO UPDATE SET {values}"
        f" WHERE ({compared.format('cdrs')}) IS DISTINCT FROM ({compared.format('excluded')})"
        " RETURNING xmax = 0 AS new)"
        " SELECT count(*) FILTER (WHERE new) AS inserted, count(*) FILTER (WHERE NOT new) AS updated FROM written"
    )


_UPSERT: Final = _upsert()
