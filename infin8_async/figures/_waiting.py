"""How long callers waited."""

from collections.abc import Mapping
from itertools import accumulate
from math import ceil

from attrs import frozen


@frozen(kw_only=True)
class Waiting:
    """
    How long it took until calls were answered, in seconds.

    Attributes:
        calls: How many answered calls this is about: all that have a dial time and an answer time after it.

        p50: Half of them were answered within this time. Percentiles are by nearest rank: a time that occurred.

        p90: Nine in ten of them were answered within this time.

        mean: The mean.

    All three are None if there are no calls.
    """

    calls: int = 0
    p50: int | None = None
    p90: int | None = None
    mean: float | None = None


def waiting(times: Mapping[int, int]) -> Waiting:
    """Describe waiting times, given as seconds and how many calls waited that long."""
    calls = sum(times.values())
    if not calls:
        return Waiting()
    total = sum(seconds * count for seconds, count in times.items())
    return Waiting(calls=calls, p50=_rank(times, calls, 50), p90=_rank(times, calls, 90), mean=total / calls)


def _rank(times: Mapping[int, int], calls: int, percent: int) -> int:
    """The smallest time within which that many percent of the calls were answered."""
    least = ceil(calls * percent / 100)
    ordered = sorted(times)
    up_to = accumulate(times[seconds] for seconds in ordered)
    return next(seconds for seconds, answered in zip(ordered, up_to, strict=True) if answered >= least)
