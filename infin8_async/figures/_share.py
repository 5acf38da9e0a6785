"""A part of a whole, and how far it can be trusted."""

from math import sqrt
from statistics import NormalDist
from typing import Final

from attrs import frozen

_Z: Final = NormalDist().inv_cdf(0.975)


@frozen
class Share:
    """
    A part of a whole. Both numbers are kept, so that shares of parts can be added up.

    Attributes:
        part: How many.

        whole: Of how many.
    """

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The share, from 0 to 1; None for nothing of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """
        Between which bounds the share lies, with 95 % confidence; None for nothing of nothing.

        This is the score interval of E. B. Wilson (1927). It says how much of a difference between two shares may be
        chance: 2 of 3 answered calls are anything from 21 % to 94 %.
        """
        if not self.whole:
            return None
        n, p, z2 = self.whole, self.part / self.whole, _Z * _Z
        middle = p + z2 / (2 * n)
        reach = _Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        # At 0 and 1 one of the bounds is exact; rounding must not carry it past the end.
        low = 0.0 if self.part == 0 else (middle - reach) / (1 + z2 / n)
        high = 1.0 if self.part == n else (middle + reach) / (1 + z2 / n)
        return low, high
