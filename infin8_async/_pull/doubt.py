"""When a count that is higher than the rows is believed. Decides, never awaits."""

from typing import Final

from attrs import define

_WAITS: Final = (0.0, 0.0, 1.0, 2.0)  # seconds, before it is believed


@define
class Doubt:
    """
    Whether a platform that counts more calls in a piece than it gives is believed.

    A call may have come between the rows and the count, or the count is an old one. So the piece is asked for again.
    Only a count that stays too high while the rows stay the same is believed.

    Attributes:
        withheld: It was believed once: the platform counts calls that it does not give.
    """

    withheld: bool = False
    _asked: int = 0
    _rows: int = 0

    def wait(self, total: int, rows: int) -> float | None:
        """How many seconds to wait before the piece is asked for again; None if its answer is taken as it is."""
        doubted = total > rows and not self.withheld and (not self._asked or rows == self._rows)
        if doubted and self._asked < len(_WAITS):
            self._asked, self._rows = self._asked + 1, rows
            return _WAITS[self._asked - 1]
        self.withheld |= doubted
        self._asked = 0
        return None
