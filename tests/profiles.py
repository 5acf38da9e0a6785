"""
How many cases the tests go through: all of them with `INFIN8_TESTS=thorough`, as the gate does, else some.

Every promise is tested in both profiles. What differs is the number of Hypothesis' examples and of seeds.
"""

import os
from typing import Final

THOROUGH: Final = os.environ.get("INFIN8_TESTS") == "thorough"


def cases(number: int) -> int:
    """How many of *number* cases to run."""
    return number if THOROUGH else max(1, number // 10)
