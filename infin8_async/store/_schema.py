"""
The tables of a store.

Column types are `TypeEngine[Any]`: SQLAlchemy's are not covariant.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import fields
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from ..models import BEIJING, Cdr

VERSION: Final = 2
"""The version of these tables. Those of 0.1.0, which had no table `cdr_schema`, are version 1."""


class BeijingTime(TypeDecorator[datetime]):
    """
    An aware time with whole seconds.

    PostgreSQL keeps it as `timestamptz`, MySQL as `DATETIME` in Beijing time, SQLite as text in the platform's own
    form, Beijing time.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        kinds: Mapping[str, TypeEngine[Any]] = {"sqlite": String(19), "mysql": mysql.DATETIME()}
        return dialect.type_descriptor(kinds.get(dialect.name, DateTime(timezone=True)))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> object:
        """Make what the driver takes."""
        if value is None or dialect.name == "postgresql":
            return value
        local = value.astimezone(BEIJING)
        return local.isoformat(" ")[:19] if dialect.name == "sqlite" else local.replace(tzinfo=None)

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # the signature is SQLAlchemy's
        """Make an aware time in Beijing of what the driver gives."""
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=BEIJING) if value.tzinfo is None else value.astimezone(BEIJING)


# MySQL's TEXT ends at 64 kB, and its JSON refuses or rewrites some of what the platform may send.
_LONG_TEXT: Final = Text().with_variant(mysql.LONGTEXT(), "mysql")
_JSON: Final = JSON(none_as_null=True).with_variant(mysql.LONGTEXT(), "mysql")
_ACCOUNT: Final = Text().with_variant(mysql.VARCHAR(191), "mysql")  # a key of MySQL holds 3,072 bytes
_HASH: Final = String(64)
_TYPES: Final[Mapping[object, TypeEngine[Any]]] = {int: BigInteger(), datetime | None: BeijingTime()}
_MYSQL: Final[Mapping[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


metadata: Final = MetaData()

calls: Final = Table(
    "cdrs",
    metadata,
    Column("account", _ACCOUNT, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    *(
        Column(field.name, _TYPES.get(field.type, _LONG_TEXT), nullable=field.type == datetime | None)
        for field in fields(Cdr)
        if field.name not in ("id", "extra")
    ),
    Column("extra", _JSON),
    Column("vanished", BeijingTime),
    Index("cdrs_by_starttime", "account", "starttime"),
    Index("cdrs_by_extnumber", "account", "extnumber", "starttime"),
    Index("cdrs_by_disnumber", "account", "disnumber"),
    Index("cdrs_by_callnumber", "account", "callnumber"),
    sqlite_with_rowid=False,
    **_MYSQL,
)
"""The calls, under the platform's names, keyed by account and id. `vanished`: since when the platform gives none."""

windows: Final = Table(
    "cdr_windows",
    metadata,
    Column("account", _ACCOUNT, primary_key=True),
    Column("selection", _HASH, primary_key=True),
    Column("starttime", BeijingTime, primary_key=True),
    Column("endtime", BeijingTime, primary_key=True),
    Column("username", Text),
    Column("ip", Text),
    Column("filters", _LONG_TEXT, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("certified", Boolean, nullable=False),
    Column("synced", BeijingTime, nullable=False),
    Column("times", Text, nullable=False),
    Column("at_start", _LONG_TEXT, nullable=False),
    Column("at_end", _LONG_TEXT, nullable=False),
    **_MYSQL,
)
"""
The ledger: which windows were pulled, how many calls they held, and whether the platform's count agreed.

`selection` says who asked and by which filters, as one short key. `times` names the times of a call that may be the one
that the platform compares, by what it gave for this window. `at_start` and `at_end` hold the ids (JSON) of the calls
that a neighbouring window may hold as well.
"""

checkpoints: Final = Table(
    "cdr_checkpoints",
    metadata,
    Column("account", _ACCOUNT, primary_key=True),
    Column("selection", _HASH, primary_key=True),
    Column("username", Text),
    Column("ip", Text),
    Column("filters", _LONG_TEXT),
    Column("state", _LONG_TEXT, nullable=False),
    **_MYSQL,
)
"""Where following stands."""

schema: Final = Table(
    "cdr_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False), **_MYSQL
)
"""One row: the version of these tables. MySQL's writers lock it."""

coming: Final = Table(
    "infin8_coming",
    MetaData(),
    *(Column(column.name, column.type) for column in calls.columns if column.name != "vanished"),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
"""PostgreSQL: calls on their way into `cdrs`."""
