"""Figures: what sums of calls amount to, in the terms of the field."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from attrs import field, frozen

from ._callbacks import Callback
from ._share import Share
from ._sums import Sums
from ._traffic import Peak, traffic
from ._waiting import Waiting, waiting

_K = TypeVar("_K")


@frozen
class Tally:
    """
    What became of some calls, by their dial time.

    Attributes:
        calls: How many there were.

        answered: How many of them were answered.

        talk_time: How long these talked, whenever that was.
    """

    calls: int = 0
    answered: int = 0
    talk_time: timedelta = timedelta()

    @property
    def answer_rate(self) -> Share:
        """The answered ones as a share of all."""
        return Share(self.answered, self.calls)

    @property
    def acd(self) -> timedelta | None:
        """The average call duration: time talked ÷ answered calls; None if none was answered."""
        return self.talk_time / self.answered if self.answered else None


class Tallies(dict[_K, Tally]):
    """Tallies by hour or day. If nobody rang, `tallies[key]` is a tally of zero."""

    def __missing__(self, key: _K) -> Tally:
        return Tally()


@frozen(kw_only=True)
class Figures:
    """
    What a call centre wants to know of its calls.

    Made by `figures`. Figures of parts add up: `a + b` is what the calls of both give, whichever way they were divided,
    if a call is in one part only. The two must agree in zone, thresholds and grouping.

    Every figure says which fields it comes from. None comes from `duration`: whether that includes the time talked is
    documented nowhere.

    Attributes:
        calls: How many calls there are. A double call is one.

        answered: Calls with an answer time, or a `billsec` above 0, of all calls. This is an answer rate and not the
            ASR (answer seizure ratio) of ITU-T E.425: seizures of circuits are not in the records.

        talk_time: The sum of `billsec`.

        acd: The average call duration, talk time ÷ answered calls; None if none was answered.

        billed: The talk time if each answered call is rounded up to the *increment*.

        short_calls: Answered calls that talked for less than *short* seconds, of all answered calls. Many of them
            speak of voice mail, bad lines or wrong numbers.

        time_to_answer: `answertime` - `starttime` of the answered calls. For an incoming call that is how long the
            caller waited, menus and announcements included: where the wait in a queue began is not in the records. It
            is not the PDD (post-dialling delay): when it began to ring is not in the records either.

        missed: Incoming calls that were not answered, of all incoming calls. An outgoing call that nobody answered is
            not missed.

        unreturned: Missed calls, of all missed calls, that were followed by no answered call with that number, in
            either direction, with a later dial time. Numbers are the same if their last *digits* digits are. A call
            without a number can't be returned.

        within: Incoming calls that were answered within the given seconds, of all incoming calls, those that hung up
            included: the service level.

        most_at_once: The most calls that talked at the same moment, from `answertime` up to `answertime` + `billsec`.
            A call that ends in the second in which another begins leaves its place to it. It is what licences and
            lines are bought by, though lines are also taken while it rings, which is not counted.

        at_once: The same for each hour in which somebody talked.

        erlangs: For each hour in which somebody talked, the mean number of calls that talked at the same moment: the
            seconds talked within the hour ÷ 3600, which is traffic carried, in erlangs (ITU-T E.600). All hours
            together give the talk time. An hour is an aware datetime with a fixed offset: where clocks are set back,
            the same hour comes twice.

        busy_hour: The hour of day with the most traffic over all days, from 0 to 23, the earliest of several; None if
            nobody talked. It is a clock hour; ITU-T E.600 lets a busy hour begin at any minute.

        double: For double calls (`callmethod` 4), how many were answered on side `"a"` and on side `"b"`, both as
            shares of all double calls. Side a is called first; the fields of side b are those of any call.

        by_hour: Calls by hour of day of the dial time, from 0 to 23.

        by_weekday_hour: Calls by weekday, Monday being 0, and hour of day of the dial time.

        by_day: Calls by date of the dial time.

        talks: How many answered calls talked how many seconds.

        groups: What each group alone gives, if *by* was given.

        oddities: Rows that contradict themselves, by kind, if there are any. They count as calls; what contradicts is
            not used. `answer before start`: not in the times to answer, and not answered *within*. `end before answer`:
            the talk is taken from `answertime` and `billsec` as ever. `talk without answer time`: answered, without a
            time to answer; the talk is taken to have ended at `endtime`. `negative talk` and `talk of more than a
            year`: 0 seconds talked.

        complete: What the report of the stream says: whether every call was read. None if the source has none.
    """

    calls: int
    answered: Share
    talk_time: timedelta
    acd: timedelta | None
    billed: timedelta
    short_calls: Share
    time_to_answer: Waiting
    missed: Share
    unreturned: Share
    within: Share
    most_at_once: Peak
    at_once: Mapping[datetime, int] = field(repr=False)
    erlangs: Mapping[datetime, float] = field(repr=False)
    busy_hour: int | None
    double: Mapping[str, Share]
    by_hour: Mapping[int, Tally] = field(repr=False)
    by_weekday_hour: Mapping[tuple[int, int], Tally] = field(repr=False)
    by_day: Mapping[date, Tally] = field(repr=False)
    talks: Mapping[int, int] = field(repr=False)
    groups: Mapping[object, "Figures"] = field(repr=False)
    oddities: Mapping[str, int]
    complete: bool | None
    _sums: Sums = field(repr=False, eq=False)

    def callbacks(self) -> list[Callback]:
        """
        Whom to call back: callers who were missed and not talked to since, the latest first.

        It holds all calls that `unreturned` counts, except those without a number.
        """
        time = self._sums.hours.time
        latest = sorted(self._sums.contacts.callbacks(), key=lambda found: found[2], reverse=True)
        return [Callback(number, calls, time(second)) for number, calls, second in latest]

    def __add__(self, other: "Figures") -> "Figures":
        if not isinstance(other, Figures):
            return NotImplemented
        if self._sums.settings != other._sums.settings:
            raise ValueError("figures add up only if zone, within, short, increment and digits are the same")
        if any(a.calls and not a.groups and b.groups for a, b in ((self, other), (other, self))):
            raise ValueError("figures in groups and figures without do not add up")
        sums = Sums(self._sums.settings, self._sums.hours)
        sums.merge(self._sums)
        sums.merge(other._sums)
        groups = dict(self.groups)
        for key, theirs in other.groups.items():
            groups[key] = groups[key] + theirs if key in groups else theirs
        complete = False if False in (self.complete, other.complete) else self.complete and other.complete
        return made(sums, groups, complete=complete)

    def __radd__(self, other: object) -> "Figures":
        # `sum()` begins with 0.
        return self if other == 0 else NotImplemented


def made(sums: Sums, groups: Mapping[object, Figures], *, complete: bool | None) -> Figures:
    """Make figures of sums."""
    settings, counts = sums.settings, sums.counts
    answered = counts["answered"]
    talk_time = _span(sum(seconds * calls for seconds, calls in sums.talks.items()))
    units = sum(-(-seconds // settings.increment) * calls for seconds, calls in sums.talks.items())
    short = sum(calls for seconds, calls in sums.talks.items() if seconds < settings.short)
    within = sum(calls for seconds, calls in sums.waits_in.items() if seconds <= settings.within)
    waits = {
        seconds: sums.waits_in.get(seconds, 0) + sums.waits_out.get(seconds, 0)
        for seconds in (*sums.waits_in, *sums.waits_out)
    }
    carried = traffic(sums.changes, sums.hours)
    return Figures(
        calls=counts["calls"],
        answered=Share(answered, counts["calls"]),
        talk_time=talk_time,
        acd=talk_time / answered if answered else None,
        billed=_span(units * settings.increment),
        short_calls=Share(short, answered),
        time_to_answer=waiting(waits),
        missed=Share(counts["missed"], counts["incoming"]),
        unreturned=Share(sums.contacts.unreturned(), counts["missed"]),
        within=Share(within, counts["incoming"]),
        most_at_once=carried.peak,
        at_once=carried.at_once,
        erlangs={hour: seconds / 3600 for hour, seconds in carried.seconds.items()},
        busy_hour=_busy_hour(carried.seconds),
        double={side: Share(counts[side], counts["double"]) for side in ("a", "b")},
        by_hour=_tallies(sums.dialled, lambda hour: hour.hour),
        by_weekday_hour=_tallies(sums.dialled, lambda hour: (hour.weekday(), hour.hour)),
        by_day=_tallies(sums.dialled, datetime.date),
        talks=dict(sorted(sums.talks.items())),
        groups=groups,
        oddities=Counter(sums.oddities),
        complete=complete,
        sums=sums,
    )


def _tallies(dialled: Mapping[datetime, Sequence[int]], key: Callable[[datetime], _K]) -> Tallies[_K]:
    sums: dict[_K, list[int]] = {}
    for hour, tally in sorted(dialled.items()):
        held = sums.setdefault(key(hour), [0, 0, 0])
        held[:] = map(int.__add__, held, tally)
    return Tallies({name: Tally(calls, answered, _span(talk)) for name, (calls, answered, talk) in sums.items()})


def _busy_hour(seconds: Mapping[datetime, int]) -> int | None:
    by_hour = Counter[int]()
    for hour, talked in seconds.items():
        by_hour[hour.hour] += talked
    return min(by_hour, key=lambda hour: (-by_hour[hour], hour), default=None)


def _span(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)
