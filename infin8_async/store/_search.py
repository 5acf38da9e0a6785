"""Counting as a search: which windows the platform counts differently now."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from ..models import CdrQuery
from ._ledger import Line, expected, window_of
from ._together import together

Count = Callable[[CdrQuery], Coroutine[Any, Any, int]]
"""Asks the platform for its count of a window."""


async def changed_lines(count: Count, query: CdrQuery, runs: Iterable[Sequence[Line]]) -> set[Line]:
    """
    Find the lines whose windows the platform counts differently now.

    A run of lines that is counted as expected needs no more; of another one both halves are asked, all halves at once.
    That is one count if nothing has changed, and some 2·log2(n) for one change in n lines.

    Args:
        count: Asks the platform.

        query: The filters.

        runs: Lines each of which touches the next.
    """
    found: set[Line] = set()
    pending = list(runs)
    while pending:
        counts = await together(count(window_of(query, run[0].start, run[-1].end)) for run in pending)
        different = [run for run, counted in zip(pending, counts, strict=True) if counted != expected(run)]
        found |= {run[0] for run in different if len(run) == 1}
        halves = [(run[: len(run) // 2], run[len(run) // 2 :]) for run in different if len(run) > 1]
        pending = [half for pair in halves for half in pair]
    return found
