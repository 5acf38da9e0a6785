"""Finding what moved while a window was paged: by bisecting time, until every piece fits one page."""

from bisect import bisect_left, bisect_right
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Final

from attrs import define

from ._ahead import Ahead
from ._proof import Proof
from ._protocol import PageBytes
from ._windows import divide
from .models import Cdr, CdrQuery

_ROUNDS: Final = 12  # through a piece of two seconds that still does not fit a page
_REQUESTS: Final = 256  # that any repair may cost: from a year down to a second it is 25 halvings
_REQUESTS_A_PAGE: Final = 8  # that it may cost for each page of the window; bisecting takes about four


async def repair(query: CdrQuery, proof: Proof, ahead: Ahead, pages: int) -> AsyncGenerator[list[Cdr]]:
    """
    Look through a window again and give the rows that were missed, in no particular order.

    A piece whose count fits its first page is whole by construction: one answer, cut from one state of the list. A
    piece of which as many rows are known as the platform counts needs no more. All others are halved. *proof* is
    settled when every piece was accounted for.

    Args:
        query: The window.

        proof: What was seen of it; grows by what is found.

        ahead: Fetches, within the bounds of the pull.

        pages: How many pages were read of the window, which bounds what this may cost.
    """
    allowance = _REQUESTS + _REQUESTS_A_PAGE * pages
    page, cdrs = await ahead.read(query, 1)
    proof.fell |= page.total < proof.counted
    proof.counted = page.total
    yield proof.admit(cdrs)
    bounds = _Bounds()
    tight: list[CdrQuery] = []
    pieces = [query] if page.total > len(cdrs) else []
    while pieces and allowance > 0:
        divided = [divide(piece, 2) for piece in pieces]
        tight += (parts[0] for parts in divided if len(parts) == 1)
        halves = [half for parts in divided if len(parts) > 1 for half in parts]
        pieces = []
        # Where rows were removed, those known may be gone, and their number says nothing.
        times = [] if proof.fell else sorted(time for time in proof.seen.values() if time is not None)
        async with aclosing(ahead.first_pages(halves)) as firsts:
            async for half, page, cdrs in firsts:
                allowance -= 1
                yield proof.admit(cdrs)
                if page.total > len(cdrs) and not bounds.all_known(half, page, cdrs, times):
                    pieces.append(half)
    settled = not pieces
    for piece in tight:
        # Two seconds that hold more than a page: page after page, round after round, until all were seen.
        found: set[int] = set()
        counted = -1
        for _ in range(_ROUNDS):
            number, last = 1, 1
            while number <= last and allowance > 0:
                allowance -= 1
                page, cdrs = await ahead.read(piece, number)
                yield proof.admit(cdrs)
                if page.total < counted:
                    found.clear()
                counted = page.total
                found.update(cdr.id for cdr in cdrs)
                last = -(-counted // page.per_page) if cdrs else 0
                number += 1
            if len(found) >= counted:
                break
        settled = settled and len(found) >= counted >= 0
    proof.settled = settled


@define
class _Bounds:
    """Which bounds of a window the platform includes, as far as its answers have shown."""

    start: bool = False
    end: bool = False

    def all_known(self, piece: CdrQuery, page: PageBytes, cdrs: list[Cdr], times: list[datetime]) -> bool:
        """
        Whether the platform counts for a piece just what is known of it.

        *times* are the known rows' dial times, sorted. They tell which rows belong to the piece only if it is the dial
        time that the platform compares, and where nothing known lies on a bound that may be excluded: the piece's own
        rows, *cdrs*, must bear that out.
        """
        start, end = piece.ends
        if not all(cdr.starttime is not None and start <= cdr.starttime <= end for cdr in cdrs):
            return False
        self.start |= any(cdr.starttime == start for cdr in cdrs)
        self.end |= any(cdr.starttime == end for cdr in cdrs)
        if (not self.start and _holds(times, start)) or (not self.end and _holds(times, end)):
            return False
        return bisect_right(times, end) - bisect_left(times, start) == page.total


def _holds(times: list[datetime], time: datetime) -> bool:
    return bisect_left(times, time) < bisect_right(times, time)
