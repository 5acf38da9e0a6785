"""A call centre at work: the calls it has, and those that are added while it runs."""

import asyncio
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final, get_args

from ..models import BEIJING, check_number
from ._calls import COLUMNS, Call, history, make_call
from ._quirks import Quirks
from ._store import Order, Store, Ties

_FIRST_DAY: Final = date(2020, 6, 10)


class Centre:
    """
    Makes up calls, and keeps them.

    Args:
        calls: How many there are in the beginning.

        days: The number of days over which they are spread.

        start: The first day.

        seed: The seed of everything random.

    Attributes:
        store: The calls.
    """

    def __init__(
        self, calls: int, *, days: int, start: date | None, seed: int, order: Order, ties: Ties, quirks: Quirks
    ) -> None:
        check_number("calls", calls, least=0, whole=True)
        check_number("days", days, least=1, whole=True)
        for name, value, choices in (("order", order, Order), ("ties", ties, Ties)):
            if value not in get_args(choices):
                raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, not {value!r}")
        self._midnight = datetime.combine(start or _FIRST_DAY, time(), BEIJING)
        self._chance = Random(seed)  # noqa: S311  # believable, not secret
        self._quirks = quirks
        self.store = Store(
            history(seed, calls, self._midnight, days, quirks),
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
        newest = self.store.newest() or self._midnight
        given = fields.get("starttime")
        dialled = datetime.fromisoformat(str(given)) if given else newest + timedelta(seconds=1)
        return self.store.add(self._made(dialled) | fields)

    async def ring(self, live: float) -> None:
        """Add calls that end about now, *live* of them a second, for ever."""
        while True:
            await asyncio.sleep(self._chance.expovariate(live))
            now = datetime.now(BEIJING)
            call = self._made(now)
            dialled, ended = (datetime.fromisoformat(str(call[name])) for name in ("starttime", "endtime"))
            self.store.add(self._made(now - (ended - dialled)))

    def _made(self, dialled: datetime) -> Call:
        return make_call(self._chance, dialled, self._quirks)
