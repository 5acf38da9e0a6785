"""
How many cases the tests go through: all with `INFIN8_TESTS=thorough`, as the gate does, else some.

What differs is the number of examples, of seeds and of values, and on how many databases a test runs. What takes long
to start, as a cluster does, is for the thorough profile alone.
"""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

THOROUGH: Final = os.environ.get("INFIN8_TESTS") == "thorough"

thorough_only = pytest.mark.skipif(not THOROUGH, reason="INFIN8_TESTS=thorough runs it")


def cases(number: int, few: int | None = None) -> int:
    """*number* in the thorough profile, else a tenth of it, or *few*."""
    if THOROUGH:
        return number
    return max(1, number // 10) if few is None else few


def some(values: Sequence[T], number: int) -> Sequence[T]:
    """All of *values* in the thorough profile, else *number* of them, evenly spaced, with the first and the last."""
    if THOROUGH:
        return values
    return [values[place * (len(values) - 1) // (number - 1)] for place in range(number)]
