"""What a probe has seen, by what it was looked at for."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from attrs import define, field

from ..models import Cdr
from ._asking import Look

_MOSTLY: Final = 0.9


@define
class Observed:
    """
    Attributes:
        looks: All of them, in the order in which they were asked.

        wide: The first page of the whole query.

        base: One window that fits on a page, again and again.

        halves: The same window in two pages, whose border lies between rows that tie if there are any.

        trials: Short windows, each of which shows which time is compared and what bounds include.

        larger: The first page of the whole query, with more rows asked for.

        first: A first small page of the whole query, several times.

        last: The last small page.

        zero: Page 0.

        beyond: A page after the last.

        live: The newest part of the query, one look right after the other.

        https: One look by https.

        stopped: Why the probe ended early; empty if it did not.
    """

    looks: Sequence[Look] = field(factory=list)
    wide: list[Look] = field(factory=list)
    base: list[Look] = field(factory=list)
    halves: list[tuple[Look, Look]] = field(factory=list)
    trials: list[Look] = field(factory=list)
    larger: list[Look] = field(factory=list)
    first: list[Look] = field(factory=list)
    last: list[Look] = field(factory=list)
    zero: list[Look] = field(factory=list)
    beyond: list[Look] = field(factory=list)
    live: list[Look] = field(factory=list)
    https: Look | None = None
    stopped: str = ""

    @property
    def answers(self) -> list[Look]:
        """The looks that were no errors."""
        return [look for look in self.looks if look.page is not None]

    @property
    def known(self) -> list[Cdr]:
        """Every call that was seen, once."""
        return list({cdr.id: cdr for look in self.looks for cdr in look.cdrs}.values())

    @property
    def most_rows(self) -> int:
        """The most rows that came in one answer: no smaller page was cut short by the platform."""
        return max((len(look.cdrs) for look in self.looks), default=0)

    def short(self, look: Look) -> bool:
        """Whether an answer holds everything because it is shorter than a page could be."""
        return look.page is not None and look.number == 1 and len(look.cdrs) < min(look.asked, self.most_rows)

    @property
    def repeats_itself(self) -> bool:
        """Whether the same question gets about the same calls each time."""
        looks = [look for look in self.base if look.page is not None]
        return len(looks) > 1 and all(alike(one.ids, other.ids) for one, other in pairwise(looks))


def alike(some: Sequence[int], others: Sequence[int]) -> bool:
    """Whether two pages hold about the same rows. A few may have come or gone meanwhile."""
    one, other = set(some), set(others)
    return len(one & other) >= max(1.0, _MOSTLY * max(len(one), len(other)) - 1)


def orders(observed: Observed) -> Iterator[Sequence[Cdr]]:
    """The calls of the base window in each order in which they came."""
    for look in observed.base:
        if look.page is not None:
            yield look.cdrs
    for upper, lower in observed.halves:
        if upper.page is not None and lower.page is not None:
            yield (*upper.cdrs, *lower.cdrs)
