"""In which order rows come, and whether calls that tie keep theirs."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import Final

from attrs import frozen

from ..models import Cdr
from ._observed import Observed, orders
from .report import Finding, not_found_out

_ORDERS: Final = {
    "newest": ("starttime", -1),
    "oldest": ("starttime", 1),
    "id": ("id", 1),
    "id descending": ("id", -1),
}
_OTHER_TIMES: Final = ("answertime", "endtime")
_LEAST: Final = 5  # steps in one direction that are no accident
_MIXED: Final = 0.2  # of the steps go either way where there is no order
_COIN_TOSSES: Final = 7  # that fall alike by chance in less than 1 of 100 cases


@frozen
class Steps:
    """
    From one row to the next: how often a field rises, falls, or stays the same.

    Attributes:
        rises: How often it rises.

        falls: How often it falls.

        same: How often it stays.
    """

    rises: int
    falls: int
    same: int

    def only(self, way: int) -> bool:
        """Whether it goes one way alone: 1 up, -1 down."""
        steps, back = (self.rises, self.falls) if way > 0 else (self.falls, self.rises)
        return steps >= _LEAST and not back

    @property
    def mixed(self) -> bool:
        """Whether it goes up and down as if by chance."""
        return min(self.rises, self.falls) >= max(_LEAST, _MIXED * (self.rises + self.falls + self.same))


def steps(cdrs: Sequence[Cdr], name: str) -> Steps:
    """The steps of a field; calls without a value are passed over."""
    values = [value for cdr in cdrs if (value := getattr(cdr, name)) is not None]
    rises = sum(one < other for one, other in pairwise(values))
    falls = sum(one > other for one, other in pairwise(values))
    return Steps(rises, falls, max(0, len(values) - 1) - rises - falls)


def order(observed: Observed) -> Finding:
    """By what rows are sorted."""
    if not observed.base:
        return not_found_out("no calls were looked at")
    seen = [{name: steps(cdrs, name) for name in ("starttime", "id", *_OTHER_TIMES)} for cdrs in orders(observed)]
    first = seen[0]
    evidence = (
        f"{len(observed.base[0].cdrs):,} calls, {len(seen)} times: from call to call the dial time falls "
        f"{first['starttime'].falls} times and rises {first['starttime'].rises} times, the id falls "
        f"{first['id'].falls} times and rises {first['id'].rises} times"
    )
    fitting = [value for value, (name, way) in _ORDERS.items() if all(taken[name].only(way) for taken in seen)]
    if len(fitting) > 1:
        return not_found_out(f"{evidence}: {' and '.join(fitting)} both fit")
    if fitting:
        return Finding(fitting[0], evidence)
    if all(taken[name].mixed for taken in seen for name in ("starttime", "id")) and not any(
        first[name].only(way) for name in _OTHER_TIMES for way in (1, -1)
    ):
        return Finding("none", evidence)
    return not_found_out(f"{evidence}: no order that has a name here")


def ties(observed: Observed) -> Finding:
    """Whether calls that tie keep their order from one answer to the next."""
    by = order(observed).value
    if by in ("id", "id descending"):
        return Finding("stable", "ids do not tie")
    if by not in (*_ORDERS, "none"):
        return not_found_out("the order is not known, so it is not known what ties")
    first, *others = (list(dict.fromkeys(cdr.id for cdr in cdrs)) for cdrs in orders(observed))
    pairs = tied(observed.base[0].cdrs, any_two=by == "none")
    compared = swapped = 0
    for ids in others:
        place = {call: number for number, call in enumerate(ids)}
        both = [(one, other) for one, other in pairs if one in place and other in place]
        compared += len(both)
        swapped += sum(place[one] > place[other] for one, other in both)
    evidence = f"{len(pairs):,} pairs of neighbours that tie among {len(first):,} calls, {compared:,} looks at a pair"
    if swapped:
        return Finding("unstable", f"{evidence}: another order in {swapped}")
    if compared < _COIN_TOSSES:
        return not_found_out(f"{evidence}: too few")
    return Finding("stable", f"{evidence}: always the same order")


def tied(cdrs: Sequence[Cdr], *, any_two: bool = False) -> list[tuple[int, int]]:
    """The pairs of neighbours with the same dial time, or of all neighbours, by their ids."""
    return [
        (one.id, other.id)
        for one, other in pairwise(cdrs)
        if one.id != other.id and (any_two or (one.starttime == other.starttime is not None))
    ]


def looks_needed(observed: Observed) -> int:
    """How many more looks show whether calls that tie keep their order; 0 if nothing ties."""
    pairs = len(tied(observed.base[0].cdrs)) if observed.base else 0
    return ceil(_COIN_TOSSES / pairs) if pairs else 0


def border(observed: Observed) -> int:
    """The size of a page that ends between two calls that tie; half of all if none do."""
    cdrs = observed.base[0].cdrs
    middle = len(cdrs) // 2
    places = [place for place, (one, other) in enumerate(pairwise(cdrs), 1) if one.starttime == other.starttime]
    return min((place for place in places if 2 * place >= len(cdrs)), default=max(1, middle + len(cdrs) % 2))
