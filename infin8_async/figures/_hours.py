"""Seconds, and the hours of a zone that they lie in."""

from bisect import bisect_left
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final, Self

from ..models import BEIJING

EPOCH: Final = datetime(1970, 1, 1, 8, tzinfo=BEIJING)
"""What seconds are counted from. It is in the zone of the records: differences within a zone are fast."""

SECOND: Final = timedelta(seconds=1)
QUARTER: Final = 15 * 60
"""Zones are set apart by quarters of an hour, nearly all of them."""


def second_of(time: datetime) -> int:
    """A time as the seconds since the epoch."""
    since = time - EPOCH  # `timestamp()` takes four times as long
    return since.days * 86_400 + since.seconds


_FIRST: Final = second_of(datetime.min.replace(tzinfo=BEIJING))
_LAST: Final = second_of(datetime.max.replace(tzinfo=BEIJING))


class Hours:
    """
    The clock hours of a zone.

    An hour is named by its beginning, an aware datetime with a fixed offset: on the night on which clocks are set back
    the same hour comes twice, and the two are different hours.

    Args:
        zone: Any zone, at any offset.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._quarters: dict[int, datetime | None] = {}
        self._hours: dict[datetime, datetime] = {}

    def __reduce__(self) -> tuple[type[Self], tuple[tzinfo]]:
        return type(self), (self._zone,)  # what it has looked up can be looked up again

    def time(self, second: int) -> datetime:
        """A second as a time of the zone."""
        time = EPOCH + min(max(second, _FIRST), _LAST) * SECOND
        try:
            return time.astimezone(self._zone)
        except OverflowError:  # the first and the last day of the calendar
            return time

    def of(self, second: int) -> datetime:
        """The hour in which a second lies."""
        return self.of_quarter(second // QUARTER) or self._hour(second)

    def of_quarter(self, quarter: int) -> datetime | None:
        """The hour in which the *quarter*-th quarter of an hour lies; None if an hour of this zone begins within it."""
        try:
            return self._quarters[quarter]
        except KeyError:
            first, last = self._hour(quarter * QUARTER), self._hour(quarter * QUARTER + QUARTER - 1)
            hour = self._quarters[quarter] = first if first is last else None
            return hour

    def until(self, second: int) -> int:
        """The first second after the hour in which this one lies."""
        hour, local = self.of(second), self.time(second)
        end = second + 3600 - 60 * local.minute - local.second
        # Unless clocks are changed within the hour, there is nothing to find.
        return second + bisect_left(range(second, end), 1, key=lambda later: int(self.of(later) is not hour))

    def _hour(self, second: int) -> datetime:
        local = self.time(second)
        zone = timezone(local.utcoffset() or timedelta())
        hour = local.replace(minute=0, second=0, microsecond=0, fold=0, tzinfo=zone)
        return self._hours.setdefault(hour, hour)
