"""Reading time in pieces of less than a page: which piece comes next, and how long it is. Decides, never awaits."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice
from math import sqrt
from typing import Final

from ..models import CdrQuery
from .divide import cut

_FASTEST_GROWTH: Final = 4  # of the length of a piece: calls come in bursts
_RECENT: Final = 4  # pieces that tell how long the next one may be: one alone is at the mercy of chance


def aim(size: int) -> float:
    """How many calls a piece is meant to hold, so that chance seldom fills the page."""
    return max(1, size / 2, size - 2 * sqrt(size))


class Pieces:
    """
    Pieces of time in the direction in which the platform sorts.

    Each piece is meant to hold less than a page, so that one answer shows all of it. The pieces just read tell how
    many calls there are in a second, and so how long the next piece may be.

    Args:
        windows: What is read, in the order in which it is read, each window with the calls that it is thought to hold.

        size: How many rows a full page has.

        newest_first: The direction.
    """

    def __init__(self, windows: Iterable[tuple[CdrQuery, float]], *, size: int, newest_first: bool) -> None:
        self._aim = aim(size)
        self._newest_first = newest_first
        self._windows = deque(windows)
        self._pieces: deque[CdrQuery] = deque()
        self._read: deque[tuple[int, timedelta]] = deque(maxlen=_RECENT)
        self._length: timedelta | None = None  # of the next piece of the first window; None before its first piece

    def next(self, most: int) -> list[CdrQuery]:
        """The next pieces, in the order in which they are to be read; none if there are no more."""
        while self._windows and len(self._pieces) < most:
            self._pieces.append(self._cut(*self._windows.popleft()))
        return list(islice(self._pieces, most))

    def done(self, calls: int) -> None:
        """Take note that the next piece has been read, and of how many calls it held."""
        start, end = self._pieces.popleft().ends
        self._read.append((calls, end - start))
        if self._length is not None:
            span = sum((seconds for _, seconds in self._read), timedelta())
            density = sum(held for held, _ in self._read) / self._aim
            self._length = min(_FASTEST_GROWTH * (end - start), span / density) if density else _FASTEST_GROWTH * (end - start)

    def replace(self, pieces: Sequence[CdrQuery]) -> None:
        """Read these pieces, given oldest first, in place of the next one."""
        self._pieces.popleft()
        self._pieces.extendleft(pieces if self._newest_first else reversed(pieces))

    def _cut(self, window: CdrQuery, calls: float) -> CdrQuery:
        """Cut the next piece off a window, and keep what is left of it."""
        start, end = window.ends
        if self._length is None:
            self._length = (end - start) * (self._aim / max(self._aim, calls))
        parts = None
        if end - start > self._length:
            parts = cut(window, end - self._length if self._newest_first else start + self._length)
        if parts is None:
            self._length = None
            return window
        rest, piece = parts if self._newest_first else reversed(parts)
        self._windows.appendleft((rest, calls))
        return piece
