"""The options that say which calls."""

from datetime import date, datetime, timedelta, tzinfo
from typing import Annotated, Final, Literal

from attrs import frozen
from cyclopts import Group, Parameter

from ..models import BEIJING, CallDirection, CallMethod, CdrQuery, Filters
from .times import A_DAY, days, period
from .usage import UsageError, usage

WINDOW: Final = Group("Window of time", sort_key=1)
_FILTERS: Final = Group("Filters", sort_key=2)

Text = Annotated[str | None, Parameter(group=_FILTERS)]


@Parameter(name="*")
@frozen(kw_only=True)
class Calls:
    """
    Which calls.

    Attributes:
        start: When the window begins: a date, "2026-11-24 09:30", "2026-11-24 09:30:00", with a T or with an offset
            such as -06:00; or today, yesterday, "last month".

        end: When it ends, in the same forms; the end of a day that is named. If not given: now, or for `follow` never.

        day: One day: 2026-11-24, today, yesterday; or "last month". The default is today, unless the text above says
            otherwise.

        last: A span of time that ends now: 90s, 15m, 2h, 7d.

        extnumber: Only calls of this extension.

        disnumber: Only calls with this calling number.

        callnumber: Only calls with this called number.

        context: Only calls in this direction: callin is incoming, callout is outgoing.

        callmethod: Only calls set up in this way: 0 any, 1 between extensions, 2 dialled by hand, 3 through the
            interface, 4 double call, 5 predictive outbound call, 6 voice menu or group call.

        userid: Only calls with this custom parameter.

        memberid: Only calls with this custom parameter.
    """

    start: Annotated[str | None, Parameter(group=WINDOW)] = None
    end: Annotated[str | None, Parameter(group=WINDOW)] = None
    day: Annotated[str | None, Parameter(group=WINDOW)] = None
    last: Annotated[timedelta | None, Parameter(group=WINDOW)] = None
    extnumber: Text = None
    disnumber: Text = None
    callnumber: Text = None
    context: Annotated[Literal["callin", "callout"] | None, Parameter(group=_FILTERS)] = None
    callmethod: Annotated[Literal["0", "1", "2", "3", "4", "5", "6"] | None, Parameter(group=_FILTERS)] = None
    userid: Text = None
    memberid: Text = None

    def query(self, zone: tzinfo) -> CdrQuery:
        """
        The query. If no end was given, it ends now.

        Args:
            zone: In which times and days are given.

        Raises:
            UsageError: Options contradict each other, or a value makes no sense.
        """
        filters = self._filters()
        with usage():
            if self.start is not None:
                return self._from(self.start, zone).until_now()
            if self.last is not None:
                return CdrQuery.last(self.last, **filters)
            return CdrQuery(*_days(self.day or "today", zone), **filters)

    def following(self, since: timedelta, zone: tzinfo) -> CdrQuery:
        """
        The query to follow. If no end was given, it has none; if no window was given, it begins *since* ago.

        Raises:
            UsageError: As for `query`.
        """
        filters = self._filters()
        with usage():
            if self.start is not None:
                return self._from(self.start, zone)
            if self.day is not None:
                return CdrQuery(*_days(self.day, zone), **filters)
            return CdrQuery(datetime.now(BEIJING) - (since if self.last is None else self.last), **filters)

    def _from(self, start: str, zone: tzinfo) -> CdrQuery:
        end = None if self.end is None else _period("--end", self.end, zone)[1]
        return CdrQuery(_period("--start", start, zone)[0], end, **self._filters())

    def _filters(self) -> Filters:
        """The filters, after checking that there is at most one window."""
        pair = self.start is not None or self.end is not None
        if pair + (self.day is not None) + (self.last is not None) > 1:
            raise UsageError("give one window of time at most: --start and --end, or --day, or --last")
        if self.end is not None and self.start is None:
            raise UsageError("--end needs a --start")
        return {
            "extnumber": self.extnumber,
            "disnumber": self.disnumber,
            "callnumber": self.callnumber,
            "context": self.context and CallDirection(self.context),
            "callmethod": self.callmethod and CallMethod(self.callmethod),
            "userid": self.userid,
            "memberid": self.memberid,
        }


CALLS: Final = Calls()


def today(zone: tzinfo = BEIJING) -> date:
    """Today in a zone."""
    return datetime.now(zone).date()


def _days(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    with usage(f"--day {text}"):
        if found := days(text, zone, today(zone)):
            return found
        raise ValueError(f"give {A_DAY}")


def _period(option: str, text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    with usage(f"{option} {text}"):
        return period(text, zone, today(zone))
