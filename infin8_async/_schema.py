"""
The tables of a store, and how a call lies in them.

Column types are `TypeEngine[Any]`: SQLAlchemy's are not covariant.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import msgspec
from attrs import asdict, fields
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    TypeDecorator,
    and_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from ._wire.structuring import call_direction, call_method
from .models import BEIJING, Cdr, CdrQuery


class BeijingTime(TypeDecorator[datetime]):
    """An aware time: `timestamptz` where the database has it, else text in the platform's own form, Beijing time."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Which column type it is."""
        kind: TypeEngine[Any] = String(19) if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> object:
        """A time as the driver takes it."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(BEIJING).isoformat(" ")[:19]

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # as is asked for
        """A time as the driver gives it, in Beijing time."""
        if isinstance(value, str):
            return datetime.fromisoformat(value).replace(tzinfo=BEIJING)
        return value.astimezone(BEIJING) if isinstance(value, datetime) else None


_JSON: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_TYPES: Final[Mapping[object, TypeEngine[Any]]] = {int: Integer(), datetime | None: BeijingTime()}
_FIELDS: Final = tuple(field.name for field in fields(Cdr))

metadata: Final = MetaData()

calls: Final = Table(
    "cdrs",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    *(
        Column(field.name, _TYPES.get(field.type, Text()), nullable=field.type == datetime | None)
        for field in fields(Cdr)
        if field.name not in ("id", "extra")
    ),
    Column("extra", _JSON),
    Index("cdrs_by_starttime", "account", "starttime"),
    Index("cdrs_by_extnumber", "account", "extnumber", "starttime"),
    Index("cdrs_by_disnumber", "account", "disnumber"),
    Index("cdrs_by_callnumber", "account", "callnumber"),
    sqlite_with_rowid=False,
)
"""The calls, under the platform's names, keyed by account and id."""

windows: Final = Table(
    "cdr_windows",
    metadata,
    Column("account", Text, primary_key=True),
    Column("filters", Text, primary_key=True),
    Column("starttime", BeijingTime, primary_key=True),
    Column("endtime", BeijingTime, primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("certified", Boolean, nullable=False),
    Column("synced", BeijingTime, nullable=False),
)
"""The ledger: which windows were pulled, how many calls they held, and whether the platform's count agreed."""

checkpoints: Final = Table(
    "cdr_checkpoints",
    metadata,
    Column("account", Text, primary_key=True),
    Column("filters", Text, primary_key=True),
    Column("state", Text, nullable=False),
)
"""Where following stands."""

_values: Final = attrgetter(*_FIELDS[:-1])  # `extra`, the last one, is JSON


def rows(account: str, cdrs: Iterable[Cdr], *, as_text: bool) -> list[tuple[object, ...]]:
    """
    Calls as rows of `calls`, the way drivers take them: beneath SQLAlchemy's types, which cost more than the writing.

    Args:
        account: Whose they are.

        cdrs: The calls.

        as_text: Whether times are text.
    """
    made: list[tuple[object, ...]] = []
    for cdr in cdrs:
        told: Sequence[object] = _values(cdr)
        if as_text:
            told = [value.isoformat(" ")[:19] if value.__class__ is datetime else value for value in told]
        made.append((account, *told, msgspec.json.encode(cdr.extra).decode() if cdr.extra else None))
    return made


def record(row: RowMapping) -> Cdr:
    """A row of `calls` as a call."""
    told = {name: row[name] for name in _FIELDS}
    told["context"], told["callmethod"] = call_direction(row["context"]), call_method(row["callmethod"])
    told["extra"] = row["extra"] or {}
    return Cdr(**told)


def filters(query: CdrQuery) -> str:
    """The filters of a query as text, the same text for the same filters: JSON, `{}` for none."""
    told = {
        name: value
        for name, value in asdict(query).items()
        if name not in ("starttime", "endtime") and value is not None
    }
    return msgspec.json.encode(told, order="sorted").decode()


def of(table: Table, account: str, query: CdrQuery) -> ColumnElement[bool]:
    """The rows of a table that are about an account and the filters of a query."""
    return and_(table.c.account == account, table.c.filters == filters(query))


def answers(account: str | None, query: CdrQuery | None) -> list[ColumnElement[bool]]:
    """The conditions under which a call is one of an account, and answers a query."""
    column = calls.c
    conditions = [] if account is None else [column.account == account]
    if query is None:
        return conditions
    conditions += [column.starttime >= query.starttime]
    conditions += [column.starttime <= query.endtime] if query.endtime else []
    told = msgspec.json.decode(filters(query), type=dict[str, str])
    return conditions + [column[name] == value for name, value in told.items() if (name, value) != ("callmethod", "0")]
