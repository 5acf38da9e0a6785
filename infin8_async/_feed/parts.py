"""Cutting what a feed reads so that one page shows each part. Decides, never awaits."""

from collections.abc import Iterator
from typing import Self

from .._pull.divide import SECOND, cut
from .._pull.pieces import aim
from ..models import CdrQuery
from .memory import Memory


class Parts(Iterator[CdrQuery]):
    """
    The parts of a piece of time, oldest first, each meant to hold less than a page: then one answer proves it.

    Calls appear while the piece is read. So the pages of a longer window would prove nothing, and be read again.

    Args:
        piece: What is read.

        memory: What is known.

        size: Rows on a full page.

        missing: How many calls in the piece are not known.
    """

    def __init__(self, piece: CdrQuery, memory: Memory, *, size: int, missing: int) -> None:
        self._memory = memory
        self._size = size
        self._missing = missing
        self._part = piece
        self._rest: CdrQuery | None = piece
        self._density = 0.0  # calls a second in the last part
        self._is_cut = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> CdrQuery:
        if self._rest is None:
            raise StopIteration
        self._part, self._rest = self._cut(self._rest)
        return self._part

    def done(self, calls: int, *, new: int) -> None:
        """Take note that the last part has been read, of how many calls it held, and of how many of them were new."""
        self._density = calls / _seconds(self._part)
        self._missing = max(0, self._missing - new)

    def leave_whole(self) -> None:
        """Cut no more: all that is left is one part."""
        self._is_cut = False

    def _cut(self, piece: CdrQuery) -> tuple[CdrQuery, CdrQuery | None]:
        """A part, and the rest if there is one. Both have two seconds in common."""
        start, end = piece.ends
        calls = self._memory.count(piece)[1] + self._missing
        # Chance fills a page only if calls are missing.
        room = aim(self._size) if self._missing else max(1, self._size - 1)
        if calls <= room or not self._is_cut:
            return piece, None
        length = room / max(self._density, calls / _seconds(piece))
        border = min(self._memory.time_of(piece, int(room)), start + SECOND * length)
        return (cut(piece, border - 2 * SECOND) if border < end else None) or (piece, None)


def _seconds(window: CdrQuery) -> int:
    """How many seconds a window has if it includes both its ends."""
    start, end = window.ends
    return (end - start) // SECOND + 1
