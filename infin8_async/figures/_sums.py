"""What is counted of calls, one by one: sums that add up, and of which every figure is made."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from itertools import compress
from operator import gt
from typing import Final

from attrs import field, frozen

from ..models import CallDirection, CallMethod, Cdr
from ._callbacks import Contacts
from ._hours import QUARTER, Hours, second_of
from ._traffic import Changes

LONGEST_TALK: Final = 366 * 86_400
"""Seconds. A call that claims to have talked for longer is taken for one that did not talk."""


@frozen(kw_only=True)
class Settings:
    """What a reader chooses. Figures add up if they agree in it."""

    zone: tzinfo
    within: float
    short: float
    increment: int
    digits: int


def _counts() -> defaultdict[int, int]:
    return defaultdict(int)


def _tallies() -> defaultdict[datetime, list[int]]:
    return defaultdict(_no_calls)


def _no_calls() -> list[int]:
    return [0, 0, 0]


@frozen(eq=False)
class Sums:
    """
    All that is remembered of the calls that were read.

    Attributes:
        settings: Its zone and digits matter here, the rest only when figures are made.

        hours: Those of the zone.

        counts: Calls by what they were: `calls`, `answered`, `incoming`, `missed`, `double`, and `a` and `b` for the
            sides of double calls that answered.

        oddities: Rows that contradict themselves, by kind.

        talks: Answered calls by the seconds they talked.

        waits_in: Incoming calls by the seconds until they were answered.

        waits_out: The same of all others.

        dialled: Calls, answered calls and seconds talked, by the hour of the dial time.

        changes: When calls began and ended to talk.

        contacts: Who was missed, and who was talked to.
    """

    settings: Settings
    hours: Hours
    counts: Counter[str] = field(init=False, factory=Counter)
    oddities: Counter[str] = field(init=False, factory=Counter)
    talks: defaultdict[int, int] = field(init=False, factory=_counts)
    waits_in: defaultdict[int, int] = field(init=False, factory=_counts)
    waits_out: defaultdict[int, int] = field(init=False, factory=_counts)
    dialled: defaultdict[datetime, list[int]] = field(init=False, factory=_tallies)
    changes: Changes = field(init=False, factory=Changes)
    contacts: Contacts = field(init=False)

    @contacts.default
    def _contacts(self) -> Contacts:
        return Contacts(self.settings.digits)

    def add(self, cdrs: Sequence[Cdr]) -> None:
        """Count calls."""
        # A loop for each question costs no more than one loop for all of them.
        answered = [cdr.answertime is not None or cdr.billsec > 0 for cdr in cdrs]
        incoming = [cdr.context == CallDirection.INCOMING for cdr in cdrs]
        starts = [None if cdr.starttime is None else second_of(cdr.starttime) for cdr in cdrs]
        talks = [cdr.billsec if 0 <= cdr.billsec <= LONGEST_TALK else self._odd_talk(cdr) for cdr in cdrs]
        self.counts["calls"] += len(cdrs)
        self.counts["answered"] += sum(answered)
        self.counts["incoming"] += sum(incoming)
        self.counts["missed"] += sum(map(gt, incoming, answered))
        self._count_hours(starts, answered, talks)
        self._count_talks(compress(zip(cdrs, starts, talks, incoming, strict=True), answered))
        self._count_sides([cdr for cdr in cdrs if cdr.callmethod == CallMethod.DOUBLE])
        self.contacts.add(cdrs, starts, incoming, answered)

    def merge(self, other: "Sums") -> None:
        """Count all calls of another one, whose settings are the same."""
        self.counts.update(other.counts)
        self.oddities.update(other.oddities)
        for ours, theirs in (
            (self.talks, other.talks),
            (self.waits_in, other.waits_in),
            (self.waits_out, other.waits_out),
        ):
            for length, calls in theirs.items():
                ours[length] += calls
        for hour, tally in other.dialled.items():
            self.dialled[hour] = [*map(int.__add__, self.dialled[hour], tally)]
        self.changes.merge(other.changes)
        self.contacts.merge(other.contacts)

    def _count_hours(self, starts: Sequence[int | None], answered: Sequence[bool], talks: Sequence[int]) -> None:
        """How many were dialled in which hour, how many of them were answered, and how long they talked."""
        dialled = [start for start in starts if start is not None]
        if len(dialled) < len(starts):  # a call without a dial time is in no hour
            timed = [start is not None for start in starts]
            answered, talks = [*compress(answered, timed)], [*compress(talks, timed)]
        # Hours are looked up for quarters of an hour; in the few zones with odder offsets, for seconds.
        keys = [start // QUARTER for start in dialled]
        hours = {key: self.hours.of_quarter(key) for key in set(keys)}
        if None in hours.values():
            keys = dialled
            hours = {key: self.hours.of(key) for key in set(keys)}
        tallies = {key: self.dialled[hour] for key, hour in hours.items() if hour is not None}
        for key, calls in Counter(keys).items():
            tallies[key][0] += calls
        for key, talk in compress(zip(keys, talks, strict=True), answered):
            tally = tallies[key]
            tally[1] += 1
            tally[2] += talk

    def _count_talks(self, rows: Iterable[tuple[Cdr, int | None, int, bool]]) -> None:
        """How long it took until answered calls were answered, and from when until when they talked."""
        begun: list[int] = []
        ended: list[int] = []
        for cdr, start, talk, is_in in rows:
            answer, end = cdr.answertime, cdr.endtime
            if answer is None:
                self.oddities["talk without answer time"] += 1
                began = start if end is None else second_of(end) - talk
            else:
                began = second_of(answer)
                if end is not None and end < answer:
                    self.oddities["end before answer"] += 1
                if start is not None and start > began:
                    self.oddities["answer before start"] += 1
                elif start is not None:
                    (self.waits_in if is_in else self.waits_out)[began - start] += 1
            self.talks[talk] += 1
            if talk and began is not None:
                begun.append(began)
                ended.append(began + talk)
        self.changes.add(begun, ended)

    def _count_sides(self, cdrs: Sequence[Cdr]) -> None:
        self.counts["double"] += len(cdrs)
        self.counts["a"] += sum(cdr.aanswertime is not None or cdr.abillsec > 0 for cdr in cdrs)
        self.counts["b"] += sum(cdr.answered for cdr in cdrs)

    def _odd_talk(self, cdr: Cdr) -> int:
        self.oddities["negative talk" if cdr.billsec < 0 else "talk of more than a year"] += 1
        return 0
