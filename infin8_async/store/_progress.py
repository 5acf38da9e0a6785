"""How far a sync is: several days are under way at once, and are reported one after the other."""

from collections.abc import Callable, Sequence

from ._plan import Day
from ._reports import SyncProgress

Show = Callable[[SyncProgress], object]


class Progress:
    """
    Says how far the days are, in their order.

    Args:
        days: All days of the sync.

        show: Called with what there is to say.
    """

    def __init__(self, days: Sequence[Day], show: Show | None) -> None:
        self._days = days
        self._show = show
        self._first = 0  # the first day that is not done
        self._done = 0
        self._calls = 0

    def came(self, day: Day, calls: int, total: int) -> None:
        """Take note of calls that have come, and of the platform's count of what they are part of."""
        day.received += calls
        day.total = max(total, day.received)
        self._calls += calls
        if day is self._days[self._first]:
            self._say(day)

    def done(self, day: Day) -> None:
        """Take note of a day that is finished."""
        day.done = True
        day.total = day.received
        self._done += 1
        while self._first < len(self._days) and self._days[self._first].done:
            self._say(self._days[self._first])
            self._first += 1

    def _say(self, day: Day) -> None:
        if self._show is not None:
            self._show(
                SyncProgress(
                    window=day.window,
                    number=day.number,
                    days=len(self._days),
                    received=day.received,
                    total=day.total,
                    done=self._done,
                    calls=self._calls,
                )
            )
