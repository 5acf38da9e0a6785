"""The calls of the sandbox, in SQLite: it is queried as a PHP service queries its database."""

import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from random import Random
from typing import Final, Literal

from attrs import frozen

from ._calls import COLUMNS, Call

Order = Literal["newest", "oldest", "id", "id descending", "none"]
"""`"newest"` or `"oldest"` dial time first; by `"id"`, which is the order in which calls ended; or in no order."""

Ties = Literal["stable", "shuffled"]
"""Whether calls of the same dial time keep their order from one request to the next."""

Bounds = Literal["[]", "[)", "(]", "()"]
"""Which of `starttime` and `endtime` belong to a window: a square bracket includes, a round one does not."""

Compared = Literal["starttime", "answertime", "endtime", "none"]
"""Which time of a call has to lie in the window."""

FILTERS: Final = ("extnumber", "disnumber", "callnumber", "context", "callmethod", "userid", "memberid")
"""What the platform filters by, besides time."""

_NUMBERS: Final = frozenset(("id", "duration", "billsec", "aduration", "abillsec"))
_LISTED: Final = "CREATE VIEW listed AS SELECT * FROM cdrs"
_LISTED_TWICE: Final = "CREATE VIEW listed AS SELECT * FROM cdrs UNION ALL SELECT * FROM cdrs WHERE id % 10 = 0"
_FIELDS: Final = ", ".join(f"'{name}', {name}" for name in COLUMNS)


@frozen
class Selection:
    """
    Which calls, in SQL.

    Attributes:
        where: The condition.

        values: What its placeholders stand for.
    """

    where: str
    values: tuple[str, ...]


def select(form: Mapping[str, str], *, bounds: Bounds, compares: Compared) -> Selection:
    """The calls that a form asks for. An empty filter counts as none; a call without a time is in no window."""
    after, until = (">=" if bounds[0] == "[" else ">"), ("<=" if bounds[1] == "]" else "<")
    conditions = []
    if compares != "none":
        conditions = [
            (f"{compares} {after} ?", form.get("starttime")),
            (f"{compares} <> '' AND {compares} {until} ?", form.get("endtime")),
        ]
    conditions += [(f"{name} = ?", form.get(name)) for name in FILTERS if (name, form.get(name)) != ("callmethod", "0")]
    used = [(condition, value) for condition, value in conditions if value]
    return Selection(" AND ".join(condition for condition, _ in used) or "1", tuple(value for _, value in used))


def database_of(calls: Iterable[Call], *, first_id: int) -> sqlite3.Connection:
    """
    A private database of calls, numbered as they end, in a temporary file, so that memory stays flat.

    Args:
        calls: Those that it holds in the beginning, without ids.

        first_id: The id of the one that ends first.
    """
    database = _connected()
    columns = ", ".join(f"{name} {'INTEGER' if name in _NUMBERS else 'TEXT'}" for name in COLUMNS[1:])
    execute = database.execute
    execute(f"CREATE TABLE born ({columns})")
    execute(f"CREATE TABLE cdrs (id INTEGER PRIMARY KEY, {columns})")
    execute("BEGIN")
    database.executemany(
        f"INSERT INTO born VALUES ({', '.join('?' * (len(COLUMNS) - 1))})",  # noqa: S608  # nothing but placeholders
        (tuple(map(call.__getitem__, COLUMNS[1:])) for call in calls),
    )
    # The platform numbers calls as they end.
    execute(
        "INSERT INTO cdrs SELECT ? + row_number() OVER (ORDER BY endtime, starttime, rowid), * FROM born",
        (first_id - 1,),
    )
    execute("DROP TABLE born")
    execute("CREATE INDEX by_dial_time ON cdrs (starttime, id)")
    execute("COMMIT")
    return database


def opened(image: bytes) -> sqlite3.Connection:
    """A private database in memory: a copy of the one that was serialized."""
    database = _connected()
    database.deserialize(image)
    return database


def _connected() -> sqlite3.Connection:
    # Python may collect what holds it, and close it, in any thread.
    return sqlite3.connect("", isolation_level=None, check_same_thread=False)


class Store:
    """
    Any number of calls, which are asked for as the platform is.

    A page deep in a window costs as much as the rows that it skips, as always with `OFFSET`.

    Args:
        database: The calls; closed with this object.

        unknown_fields: Names of fields that each row has besides those of a call.

        repeated: Whether every tenth call is there twice.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        *,
        order: Order,
        ties: Ties,
        seed: int,
        unknown_fields: Iterable[str] = (),
        repeated: bool = False,
    ) -> None:
        self._database = database
        weakref.finalize(self, database.close)
        execute = database.execute
        execute(_LISTED_TWICE if repeated else _LISTED)
        self._database.create_function("scattered", 2, _scattered, deterministic=True)
        self._order = order
        self._ties = ties
        self._unknown_fields = tuple(unknown_fields)
        # SQLite writes the JSON.
        self._row = f"json_object({', '.join([_FIELDS, *(['?, 1'] * len(self._unknown_fields))])})"
        self._chance = Random(seed)  # noqa: S311  # believable, not secret

    def add(self, call: Call) -> int:
        """Insert a call. If it has no id, it gets the next one."""
        names = ", ".join(call)
        cursor = self._database.execute(
            f"INSERT INTO cdrs ({names}) VALUES ({', '.join('?' * len(call))})",  # noqa: S608  # names of our own columns
            tuple(call.values()),
        )
        assert cursor.lastrowid is not None  # noqa: S101  # an insert has one
        return cursor.lastrowid

    def remove(self, call: int) -> bool:
        """Delete the call of this id. False if there is none."""
        return self._database.execute("DELETE FROM cdrs WHERE id = ?", (call,)).rowcount > 0

    def newest(self) -> datetime | None:
        """The latest dial time; None if there are no calls."""
        (newest,) = self._database.execute("SELECT max(starttime) FROM cdrs").fetchone()
        return datetime.fromisoformat(newest) if newest else None

    def count(self, selection: Selection) -> int:
        """How many calls are selected."""
        query = f"SELECT count(*) FROM listed WHERE {selection.where}"  # noqa: S608  # its values are placeholders
        (count,) = self._database.execute(query, selection.values).fetchone()
        return int(count)

    def rows(self, selection: Selection, *, limit: int = -1, offset: int = 0) -> Iterator[str]:
        """The selected calls in the platform's order, each as JSON under the platform's names."""
        query = f"SELECT {self._row} FROM listed WHERE {selection.where} ORDER BY {self._ordering()} LIMIT ? OFFSET ?"  # noqa: S608  # as above
        for (row,) in self._database.execute(query, (*self._unknown_fields, *selection.values, limit, offset)):
            yield row

    def _ordering(self) -> str:
        # Each query gets another order of what ties; the same seed gives the same orders again.
        salt = self._chance.randrange(1 << 20, 1 << 30) if self._ties == "shuffled" else 0
        match self._order:
            case "id":
                return "id"
            case "id descending":
                return "id DESC"
            case "none":
                return f"scattered(id, {salt})"
        way = "DESC" if self._order == "newest" else "ASC"
        return f"starttime {way}, " + (f"id * {salt} % 1000003" if salt else f"id {way}")


def _scattered(call: int, salt: int) -> int:
    """A place for a call in no order. A checksum would not do: its orders for two salts are alike."""
    return int.from_bytes(blake2b(f"{call} {salt}".encode(), digest_size=6).digest())
