"""Callers who were missed, and whom nobody has talked to since."""

import re
from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from math import gcd
from typing import Final

from attrs import field, frozen

from ..models import Cdr, masked

MOST_DIGITS: Final = 18
"""The most digits of a number that are compared; E.164 allows 15."""

_NOT_DIGITS: Final = re.compile(r"\D+")
_MOST_PLACES: Final = 64
_PENDING: Final = 10_000  # contacts that are kept as they come, before they are sorted
_FEW: Final = 8192  # numbers that are not worth a look


NOBODY: Final = 1
"""What `packed` makes of a text without digits."""


def packed(number: str) -> int:
    """The last digits of a phone number, with a 1 before them so that zeros count."""
    digits = number if number.isdecimal() else _NOT_DIGITS.sub("", number)
    return int("1" + digits[-MOST_DIGITS:])


@frozen
class Callback:
    """
    A caller who was missed, and whom nobody has talked to since.

    Attributes:
        number: The caller's number, digits only.

        calls: How often he rang since anybody last talked to him.

        last: When he last rang, in the zone asked for.
    """

    number: str = field(repr=masked)
    calls: int
    last: datetime


class Contacts:
    """
    Missed calls, and when each number was last talked to.

    In any order: a call that was answered makes up for those missed before it, whichever is read first. So for each
    number the newest answered call has to be kept, and all calls missed after it. That is 16 bytes for each number that
    somebody talked to, and for each missed call that nobody returned; up to twice as much, and up to 4 MB more.

    Args:
        digits: Numbers are the same if this many of their last digits are.
    """

    def __init__(self, digits: int) -> None:
        self.digits: Final = digits
        self.unknown = 0  # missed calls without a number or a dial time
        # A contact is two numbers: the phone number as `packed` makes it; and twice the second in which the call was
        # dialled, and 1 more if somebody talked. What is pending is in two columns, what is sorted in pairs.
        self.pending = array("q"), array("q")
        self.sorted: list[array[int]] = []  # by some of their last digits, so that few have to be gone through at once
        self.needed: list[int] = []  # how long each of these was when what is of no use was last dropped

    def add(
        self, cdrs: Sequence[Cdr], seconds: Sequence[int | None], incoming: Sequence[bool], answered: Sequence[bool]
    ) -> None:
        """Add calls: with the second of the dial time, whether they came in, and whether they were answered."""
        numbers, marks = self.pending
        for cdr, second, is_in, talked in zip(cdrs, seconds, incoming, answered, strict=True):
            if not is_in and not talked:
                continue
            number = packed(cdr.disnumber if is_in else cdr.callnumber)
            if number > NOBODY and second is not None:
                numbers.append(number)
                marks.append(2 * second + talked)
            elif not talked:
                self.unknown += 1
        self._tidy_if_many()

    def extend(self, numbers: "array[int]", marks: "array[int]") -> None:
        """Add contacts: numbers as `packed` makes them, and twice their seconds, and 1 more if somebody talked."""
        self.pending[0].extend(numbers)
        self.pending[1].extend(marks)
        self._tidy_if_many()

    def merge(self, other: "Contacts") -> None:
        """Add all calls of another one."""
        self.unknown += other.unknown
        self.extend(*other.pending)
        for contacts in other.sorted:
            self.extend(contacts[::2], contacts[1::2])

    def unreturned(self) -> int:
        """How many missed calls nobody returned. One of a withheld number can't be returned."""
        return self.unknown + sum(len(missed) for missed in self._unreturned())

    def callbacks(self) -> Iterator[tuple[str, int, int]]:
        """Each number to be called back: its digits, how often it rang, and the second in which it last did."""
        for missed in self._unreturned():
            found: dict[str, tuple[str, int, int]] = {}
            for number, mark in missed:
                digits, second = str(number)[1:], mark // 2
                newest, calls, last = found.get(digits[-self.digits :], (digits, 0, second))
                found[digits[-self.digits :]] = digits if second >= last else newest, calls + 1, max(second, last)
            yield from found.values()

    def _tidy_if_many(self) -> None:
        if len(self.pending[0]) > _PENDING:
            self._tidy()

    def _tidy(self) -> None:
        """Sort what is pending; where contacts have become many, drop what is of no use."""
        places = gcd(10**self.digits, _MOST_PLACES)
        if not self.sorted:
            self.sorted = [array("q") for _ in range(places)]
            self.needed = [0] * places
        for number, mark in zip(*self.pending, strict=True):
            held = self.sorted[number % places]
            held.append(number)
            held.append(mark)
        self.pending = array("q"), array("q")
        for place, held in enumerate(self.sorted):
            if len(held) > 2 * self.needed[place] + _FEW:
                newest, missed = self._useful(held[::2], held[1::2])
                self.sorted[place] = array("q", chain.from_iterable((*newest.items(), *missed)))
                self.needed[place] = len(self.sorted[place])

    def _unreturned(self) -> Iterator[Sequence[tuple[int, int]]]:
        """The missed calls that nobody returned, in several portions, all calls of a number in the same."""
        if self.sorted:
            self._tidy()  # all calls of a number are in one portion
        for contacts in self.sorted:
            yield self._useful(contacts[::2], contacts[1::2])[1]
        yield self._useful(*self.pending)[1]

    def _useful(self, numbers: "array[int]", marks: "array[int]") -> tuple[dict[int, int], list[tuple[int, int]]]:
        """The newest answered call of each number, and the calls missed after it or in the same second."""
        most = 10**self.digits
        keys = [number if number < 2 * most else number % most + most for number in numbers]
        newest: dict[int, int] = {}
        for key, mark in zip(keys, marks, strict=True):
            if mark & 1 and mark > newest.get(key, mark - 1):
                newest[key] = mark
        missed = [
            (number, mark)
            for key, number, mark in zip(keys, numbers, marks, strict=True)
            if not mark & 1 and mark >= newest.get(key, mark) - 1
        ]
        return newest, missed
