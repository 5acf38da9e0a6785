"""Makes up a believable call centre from a seed: who calls whom, when, for how long. No real record is used."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final

from ..models import platform_text
from ._quirks import UNDOCUMENTED, Quirks

COLUMNS: Final = (
    "id", "extnumber", "disnumber", "callnumber", "context", "callmethod", "starttime", "answertime", "endtime",
    "duration", "billsec", "clientip", "downloadip", "hangupdirection", "anumber", "astarttime", "aanswertime",
    "aendtime", "aduration", "abillsec", "userid", "memberid",
)  # fmt: skip
"""The fields of a call, under the platform's names."""

Call = dict[str, int | str]
"""One call as the platform would send it."""

# How busy each hour of a Beijing day is, relative to the others: a quiet night, two peaks around lunch.
_HOURS: Final = (2, 1, 1, 1, 1, 2, 4, 10, 40, 85, 100, 95, 50, 60, 95, 100, 90, 75, 45, 30, 22, 14, 8, 4)
_METHODS: Final = ("1", "2", "3", "4", "5", "6")
_METHODS_OUT: Final = tuple(accumulate((5, 40, 10, 15, 25, 5)))
_UNDOCUMENTED_SHARE: Final = 0.1
_LONGEST_RING: Final = 45
_LONGEST_TALK: Final = 3 * 3600


def dial_seconds(chance: Random, calls: int, begin: int, end: int) -> list[int]:
    """When the calls are dialled: seconds after a midnight, sorted, from *begin* on and before *end*."""
    spans = [range(_seconds_of(hour, begin), _seconds_of(hour, end)) for hour in range(24)]
    weights = [busy * len(span) for busy, span in zip(_HOURS, spans, strict=True)]
    dialled = []
    for hour in chance.choices(range(24), weights, k=calls):
        day, second = divmod(chance.choice(spans[hour]), 3600)
        dialled.append(day * 86_400 + hour * 3600 + second)
    return sorted(dialled)


def _seconds_of(hour: int, until: int) -> int:
    """How many seconds belong to this hour of the day, on all days from a midnight until *until* seconds later."""
    days, second = divmod(until, 86_400)
    return days * 3600 + min(max(second - hour * 3600, 0), 3600)


def make_call(chance: Random, dialled: datetime, quirks: Quirks, ends_by: datetime | None = None) -> Call:
    """One call without its id: the platform numbers calls when they end, at *ends_by* at the latest."""
    longest = _LONGEST_TALK + _LONGEST_RING if ends_by is None else int((ends_by - dialled).total_seconds())
    incoming = chance.random() < 0.35
    method = "6" if incoming else chance.choices(_METHODS, cum_weights=_METHODS_OUT)[0]
    customer = f"1{chance.randrange(30, 90)}0000{chance.randrange(10_000):04}"
    extension = f"8{chance.randrange(1, 60):03}"
    desk = f"0100000{chance.randrange(10_000):04}"
    ring = min(_LONGEST_RING, longest, 2 + int(chance.expovariate(1 / 12)))
    talk = min(_LONGEST_TALK, longest - ring, 1 + int(chance.expovariate(1 / 150))) if chance.random() < 0.62 else 0
    start = platform_text(dialled)
    end = platform_text(dialled + timedelta(seconds=ring + talk))
    call: Call = {
        "extnumber": extension if talk or not incoming else "",
        "disnumber": customer if incoming else desk,
        "callnumber": desk if incoming else customer,
        "context": "callin" if incoming else "callout",
        "callmethod": method,
        "starttime": start,
        "answertime": platform_text(dialled + timedelta(seconds=ring)) if talk else "",
        "endtime": end,
        "duration": ring + talk * quirks.duration_includes_talk,
        "billsec": talk,
        "clientip": "192.0.2.10",
        "downloadip": "198.51.100.20",
        "hangupdirection": chance.choice(quirks.hangups),
        "anumber": "",
        "astarttime": start,
        "aanswertime": "",
        "aendtime": end,
        "aduration": ring + talk,
        "abillsec": 0,
        "userid": f"u{chance.randrange(20)}",
        "memberid": f"m{chance.randrange(200)}" if chance.random() < 0.5 else "",
    }
    if method == "4":
        _add_side_a(chance, call, dialled, extension, ring + talk)
    for name in quirks.unknown_values:
        if chance.random() < _UNDOCUMENTED_SHARE:
            call[name] = UNDOCUMENTED[name]
    return call


def _add_side_a(chance: Random, call: Call, dialled: datetime, extension: str, lasted: int) -> None:
    """Fill in side a of a double call. It rings first; the called number is dialled when side a has picked up."""
    ring = 1 + chance.randrange(10)
    first = dialled - timedelta(seconds=ring)
    call |= {
        "anumber": f"1{chance.randrange(30, 90)}0000{extension}",
        "astarttime": platform_text(first),
        "aanswertime": platform_text(dialled),
        "aduration": ring + lasted,
        "abillsec": lasted,
    }


def history(
    seed: int, calls: int, first: datetime, last: datetime, *, ends_by: datetime | None, quirks: Quirks
) -> Iterator[Call]:
    """*calls* calls between two times, in the order of their dial times, without ids."""
    chance = Random(seed)  # noqa: S311  # believable, not secret
    midnight = first.replace(hour=0, minute=0, second=0)
    begin, end = (int((time - midnight).total_seconds()) for time in (first, last))
    for second in dial_seconds(chance, calls, begin, end + 1):
        yield make_call(chance, midnight + timedelta(seconds=second), quirks, ends_by)
