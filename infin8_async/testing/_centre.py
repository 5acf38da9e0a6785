"""A call centre at work: the calls it has, and those that are added while it runs."""

import asyncio
from contextlib import closing
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from random import Random
from sqlite3 import Connection
from typing import Final, get_args

from ..models import BEIJING, check_number
from ._calls import COLUMNS, Call, history, make_call
from ._push import Pusher
from ._quirks import Quirks
from ._store import Order, Store, Ties, database_of, opened

_FIRST_DAY: Final = date(2020, 6, 10)
_FEW: Final = 10_000  # calls; some three megabytes


class Centre:
    """
    Makes up calls, and keeps them.

    Args:
        calls: How many there are in the beginning.

        days: The number of days over which they are spread.

        start: The first day, or the time on it when they begin.

        until: When they end; at the end of the days if not given.

        first_id: The id of the call that ends first.

        seed: The seed of everything random.

        pusher: Announces the calls that are added.

    Attributes:
        store: The calls.
    """

    def __init__(
        self,
        calls: int,
        *,
        days: int,
        start: date | None,
        until: datetime | None,
        first_id: int,
        seed: int,
        order: Order,
        ties: Ties,
        quirks: Quirks,
        pusher: Pusher | None,
    ) -> None:
        check_number("calls", calls, least=0, whole=True)
        check_number("days", days, least=1, whole=True)
        for name, value, choices in (("order", order, Order), ("ties", ties, Ties)):
            if value not in get_args(choices):
                raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, not {value!r}")
        first = _beijing_time(start or _FIRST_DAY)
        last = first + timedelta(days=days, seconds=-1) if until is None else _beijing_time(until)
        if last < first:
            raise ValueError("until is before start")
        self._first = first
        self._chance = Random(seed)  # noqa: S311  # believable, not secret
        self._quirks = quirks
        self._pusher = pusher
        self.store = Store(
            _database(seed, calls, first, last, ends_by=until and last, quirks=quirks, first_id=first_id),
            order=order,
            ties=ties,
            seed=seed,
            unknown_fields=quirks.unknown_fields,
            repeated=quirks.repeated_ids,
        )

    def add(self, fields: Call) -> int:
        """Add a call with some of its fields given; see `Sandbox.add_call`."""
        if unknown := fields.keys() - set(COLUMNS):
            raise ValueError(f"no fields of the platform: {', '.join(sorted(unknown))}")
        newest = self.store.newest() or self._first
        given = fields.get("starttime")
        dialled = datetime.fromisoformat(str(given)) if given else newest + timedelta(seconds=1)
        return self._add(self._made(dialled) | fields)

    async def ring(self, live: float) -> None:
        """Add calls that end about now, *live* of them a second, for ever."""
        while True:
            await asyncio.sleep(self._chance.expovariate(live))
            now = datetime.now(BEIJING)
            call = self._made(now)
            dialled, ended = (datetime.fromisoformat(str(call[name])) for name in ("starttime", "endtime"))
            self._add(self._made(now - (ended - dialled)))

    def _made(self, dialled: datetime) -> Call:
        return make_call(self._chance, dialled, self._quirks)

    def _add(self, call: Call) -> int:
        number = self.store.add(call)
        if self._pusher is not None:
            self._pusher.announce(call | {"id": number})
        return number


def _database(
    seed: int, calls: int, first: datetime, last: datetime, *, ends_by: datetime | None, quirks: Quirks, first_id: int
) -> Connection:
    """A private database of calls. Tests begin with the same few again and again: a copy is made 50 times faster."""
    if calls <= _FEW:
        return opened(_few(seed, calls, first, last, ends_by=ends_by, quirks=quirks, first_id=first_id))
    return database_of(history(seed, calls, first, last, ends_by=ends_by, quirks=quirks), first_id=first_id)


@lru_cache(8)
def _few(
    seed: int, calls: int, first: datetime, last: datetime, *, ends_by: datetime | None, quirks: Quirks, first_id: int
) -> bytes:
    made = history(seed, calls, first, last, ends_by=ends_by, quirks=quirks)
    with closing(database_of(made, first_id=first_id)) as database:
        return database.serialize()


def _beijing_time(start: date) -> datetime:
    """The midnight of a day; or a time, to the second."""
    if isinstance(start, datetime):
        return start.astimezone(BEIJING).replace(microsecond=0)
    return datetime.combine(start, time(), BEIJING)
