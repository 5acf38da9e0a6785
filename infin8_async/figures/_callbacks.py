"""Who rang in vain, and has not been talked to since."""

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
"""The longest number that is told apart; E.164 allows 15 digits."""

_NOT_DIGITS: Final = re.compile(r"\D+")
_MOST_PLACES: Final = 64
_PENDING: Final = 20_000  # numbers that are kept as they come, before they are sorted
_FEW: Final = 8192  # numbers that are not worth a look


@frozen
class Callback:
    """
    A caller whom nobody has talked to since he rang in vain.

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
        # Contacts are two numbers each. First the digits of the phone number, with a 1 before them so that zeros count;
        # then twice the second in which the call was dialled, and 1 more if somebody talked.
        self.pending = array("q")
        self.sorted: list[array[int]] = []  # by some of their last digits, so that few have to be gone through at once
        self.needed: list[int] = []  # how long each of these was when what is of no use was last dropped

    def add(
        self, cdrs: Sequence[Cdr], seconds: Sequence[int | None], incoming: Sequence[bool], answered: Sequence[bool]
    ) -> None:
        """Add calls: with the second of the dial time, whether they came in, and whether they were answered."""
        append = self.pending.append
        for cdr, second, is_in, talked in zip(cdrs, seconds, incoming, answered, strict=True):
            if not is_in and not talked:
                continue
            number = cdr.disnumber if is_in else cdr.callnumber
            digits = number if number.isdecimal() else _NOT_DIGITS.sub("", number)
            if digits and second is not None:
                append(int("1" + digits[-MOST_DIGITS:]))
                append(2 * second + talked)
            elif not talked:
                self.unknown += 1
        if len(self.pending) > _PENDING:
            self._tidy()

    def merge(self, other: "Contacts") -> None:
        """Add all calls of another one."""
        self.unknown += other.unknown
        for contacts in (other.pending, *other.sorted):
            self.pending.extend(contacts)
            self._tidy()

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

    def _tidy(self) -> None:
        """Sort what is pending; where contacts have become many, drop what is of no use."""
        places = gcd(10**self.digits, _MOST_PLACES)
        if not self.sorted:
            self.sorted = [array("q") for _ in range(places)]
            self.needed = [0] * places
        contacts = iter(self.pending)
        for number, mark in zip(contacts, contacts, strict=True):
            held = self.sorted[number % places]
            held.append(number)
            held.append(mark)
        self.pending = array("q")
        for place, held in enumerate(self.sorted):
            if len(held) > 2 * self.needed[place] + _FEW:
                newest, missed = self._useful(held)
                self.sorted[place] = array("q", chain.from_iterable((*newest.items(), *missed)))
                self.needed[place] = len(self.sorted[place])

    def _unreturned(self) -> Iterator[Sequence[tuple[int, int]]]:
        """The missed calls that nobody returned, in several portions, all calls of a number in the same."""
        if self.sorted:
            self._tidy()
        for contacts in self.sorted or (self.pending,):
            _, missed = self._useful(contacts)
            yield missed

    def _useful(self, contacts: "array[int]") -> tuple[dict[int, int], list[tuple[int, int]]]:
        """The newest answered call of each number, and the calls missed after it or in the same second."""
        numbers, marks = contacts[::2], contacts[1::2]
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
