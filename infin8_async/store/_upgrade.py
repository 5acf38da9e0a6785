"""Which version a database's tables are, and how they become today's."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, MetaData, Table, insert, inspect, select
from sqlalchemy.schema import CreateTable

from ..errors import StoreError
from . import _schema

_FIRST: Final[Mapping[str, AbstractSet[str]]] = {
    "cdrs": {column.name for column in _schema.calls.columns} - {"vanished"},
    "cdr_windows": {"account", "filters", "starttime", "endtime", "calls", "certified", "synced"},
    "cdr_checkpoints": {"account", "filters", "state"},
}
"""The tables of version 1 and their columns."""

_TODAY: Final[Mapping[str, AbstractSet[str]]] = {
    table.name: {column.name for column in table.columns} for table in _schema.metadata.tables.values()
}


class _State(msgspec.Struct):
    """What is read of a checkpoint: whose it is, as the key that `selection` holds today."""

    of: str


def is_current(connection: Connection) -> bool:
    """
    Whether all tables are there, and today's.

    Raises:
        StoreError: They are a newer version's, or somebody else's.
    """
    found = _found(connection)
    version = _version(connection) if "cdr_schema" in found else None
    if version is not None and version > _schema.VERSION:
        raise StoreError(
            f"the store's tables are version {version}, and this infin8-async knows {_schema.VERSION}: upgrade it"
        )
    if version == _schema.VERSION:
        _check(found, _TODAY, all_of_them=True)
        return True
    if found.keys() == _FIRST.keys() and "selection" not in found["cdr_windows"]:
        _check(found, _FIRST, all_of_them=True)
    else:  # none at all, or those that MySQL made before it was interrupted
        _check(found, _TODAY, all_of_them=False)
    return False


def upgrade(connection: Connection) -> None:
    """
    Make the tables, or upgrade them from version 1.

    Raises:
        StoreError: As for `is_current`. Nothing has been changed.
    """
    if is_current(connection):  # another process was faster
        return
    found = _found(connection)
    if "cdr_windows" in found and "selection" not in found["cdr_windows"]:
        _upgrade_first(connection)
    elif connection.dialect.name == "mysql":
        _make_in_mysql(connection)
    else:
        _schema.metadata.create_all(connection)
    version = insert(_schema.schema).values(version=_schema.VERSION)
    connection.execute(version.prefix_with("IGNORE", dialect="mysql"))


def _found(connection: Connection) -> dict[str, set[str]]:
    """The tables that have a name of ours, and their columns."""
    inspector = inspect(connection)
    names = _TODAY.keys() & set(inspector.get_table_names())
    return {name: {column["name"] for column in inspector.get_columns(name)} for name in names}


def _version(connection: Connection) -> int | None:
    return connection.execute(select(_schema.schema.c.version)).scalar()


def _check(
    found: Mapping[str, AbstractSet[str]], expected: Mapping[str, AbstractSet[str]], *, all_of_them: bool
) -> None:
    for name, columns in expected.items():
        if name not in found:
            if all_of_them:
                raise StoreError(f"the store has no table {name}: it was dropped; nothing has been changed")
        elif missing := columns - found[name]:
            raise StoreError(
                f"the table {name} is not one of infin8-async, or was changed: it has no column "
                f"{', '.join(sorted(missing))}; nothing has been changed"
            )


def _upgrade_first(connection: Connection) -> None:
    """
    From version 1.

    Its ledger does not say whose the windows are. So the new one is empty, and the next sync reads every day again.
    """
    if connection.dialect.name == "postgresql":
        numbers = ("duration", "billsec", "aduration", "abillsec")
        changes = ", ".join(f"ALTER {name} TYPE bigint" for name in numbers)
        # jsonb refuses and rewrites some of what the platform may send.
        connection.exec_driver_sql(
            f"ALTER TABLE cdrs {changes}, ALTER extra TYPE json USING extra::json, ADD vanished timestamptz"
        )
    else:
        connection.exec_driver_sql("ALTER TABLE cdrs ADD vanished VARCHAR(19)")
    old = Table("cdr_checkpoints", MetaData(), autoload_with=connection)
    marks = [dict(row) for row in connection.execute(select(old)).mappings()]
    for name in ("cdr_checkpoints", "cdr_windows"):
        connection.exec_driver_sql(f"DROP TABLE {name}")
    _schema.metadata.create_all(connection)
    for mark in marks:
        try:
            selection = msgspec.json.decode(mark["state"], type=_State).of
        except msgspec.MsgspecError:
            continue  # it is damaged: following starts where the query does, and no call is saved twice
        connection.execute(insert(_schema.checkpoints).values(**mark, selection=selection))


def _make_in_mysql(connection: Connection) -> None:
    """
    Make the tables in MySQL, where each statement is a transaction of its own, and another process may do the same.

    So a table comes with its indexes, which SQLAlchemy would make afterwards.
    """
    for table in _schema.metadata.tables.values():
        statement = str(CreateTable(table, if_not_exists=True).compile(dialect=connection.dialect))
        body, _, options = statement.rpartition("\n)")
        keys = [f"KEY {index.name} ({', '.join(map(_in_index, index.columns))})" for index in table.indexes]
        connection.exec_driver_sql(", ".join((body, *keys)) + f"\n){options}")


def _in_index(column: Column[Any]) -> str:
    """A column in an index of MySQL, which holds the beginnings of long texts."""
    return f"{column.name}(64)" if column.name.endswith("number") else str(column.name)
