"""What was seen of a window against what the platform counted: whether a pull is whole. Decides, never awaits."""

from collections.abc import Container, Iterable
from datetime import datetime, timedelta
from typing import Final

from attrs import define, field

from .models import Cdr

_BORDER: Final = timedelta(seconds=2)  # more than neighbouring windows share


@define
class Proof:
    """
    The account of one window.

    For rows that only appear, and unique ids, "as many distinct ids as the platform counts" means "the same rows". A
    row that appears can push rows that were already read onto a later page, where they come again; one double then
    for each row by which the count has grown. More doubles than growth, a page shorter than its place in the count
    demands, or a count that falls show that rows moved in a way that new rows do not explain.

    Attributes:
        before: The ids of the neighbouring window that was read before: the two share a border.

        seen: The ids of all rows seen in the window, each with its dial time.

        counted_first: The platform's count with the window's first page.

        counted: The platform's newest count.

        duplicates: Rows that came again.

        moved: Rows moved in a way that new rows do not explain.

        fell: The count fell, so rows were removed: what was seen before may be gone, and numbers prove nothing.

        settled: A repair looked through the whole window, and nothing can be missing.
    """

    before: Container[int] = ()
    seen: dict[int, datetime | None] = field(factory=dict)
    counted_first: int = 0
    counted: int = 0
    duplicates: int = 0
    moved: bool = False
    fell: bool = False
    settled: bool = False

    def admit(self, cdrs: Iterable[Cdr], *, growth: int | None = None) -> list[Cdr]:
        """
        The rows that were seen neither here nor in the window before, in their order.

        Args:
            cdrs: The rows of a page.

            growth: By how much the count has grown since the page before it; None where a page is read a second time
                on purpose, and its doubles say nothing.
        """
        seen, before = self.seen, self.before
        fresh = []
        doubles = 0
        for cdr in cdrs:
            if cdr.id in seen:
                doubles += 1
            else:
                seen[cdr.id] = cdr.starttime
                if cdr.id not in before:
                    fresh.append(cdr)
        if growth is not None:
            self.duplicates += doubles
            self.moved |= doubles > growth
        return fresh

    def ids_at_the_borders(self, start: datetime, end: datetime) -> frozenset[int]:
        """
        The ids of rows that a neighbouring window may hold as well.

        Where every row was dialled within the window it is the dial time that the platform compares, and only rows
        dialled at its very ends can be in two windows. Otherwise any row may be.
        """
        if not all(time is not None and start <= time <= end for time in self.seen.values()):
            return frozenset(self.seen)
        first, last = start + _BORDER, end - _BORDER
        return frozenset(call for call, time in self.seen.items() if time is None or not first < time < last)

    @property
    def complete(self) -> bool:
        """Whether every row that was there from beginning to end has been seen, as far as counts can tell."""
        if self.settled:
            return True
        if self.fell:
            return False
        return len(self.seen) >= self.counted or (len(self.seen) >= self.counted_first and not self.moved)

    @property
    def certainly_missed(self) -> bool:
        """Whether rows are missing for certain, not just possibly."""
        return not self.settled and len(self.seen) < min(self.counted_first, self.counted)
