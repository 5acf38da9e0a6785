"""
Reading around rows that the platform can't encode. Decides, never awaits.

PHP's `json_encode` gives nothing at all for a page that holds one text in a wrong encoding: an empty body with status
200, for ever. Smaller pages around that row can be read, down to pages of one row; only the row itself is lost.
"""

from collections.abc import Collection, Sequence
from http import HTTPStatus
from itertools import groupby
from typing import Final, NamedTuple

from attrs import frozen

from ..errors import UnreadableRowsError
from ..models import Cdr, CdrQuery

_SHARE: Final = 10  # a page is read in about this many smaller ones
_MOST_UNREADABLE: Final = 24  # smaller pages around one page: each costs all tries of the retry policy
_MOST_NAMED: Final = 5  # lost rows that an error names one by one


@frozen
class Place:
    """
    Where a row is that can't be read.

    Attributes:
        query: The window.

        number: Its place in the window's list, from 1: the number of the page that holds it, with one row a page.
    """

    query: CdrQuery
    number: int


class SmallPage(NamedTuple):
    """A smaller page."""

    number: int
    size: int

    @property
    def places(self) -> range:
        """The places of its rows in the list, from 0."""
        return range((self.number - 1) * self.size, self.number * self.size)


class Salvage:
    """
    The smaller pages that are asked for in place of one that can't be read.

    All pages of one size come first, then smaller ones in place of those that could not be read either. The sizes need
    not divide each other: rows of a small page that lie outside of what is looked for are left out.

    Args:
        places: The places of the page's rows in the list, from 0.

        total: The platform's count, if it is known: nothing is asked for beyond it.

    Attributes:
        total: The platform's newest count; None before any smaller page could be read.

        is_hopeless: Most smaller pages can't be read either: it is the platform that fails, not a row.
    """

    def __init__(self, places: range, *, total: int) -> None:
        self._wanted = range(places.start, max(places.start, min(places.stop, total or places.stop)))
        self._rows: dict[int, Cdr] = {}
        self._unreadable: list[range] = [self._wanted]
        self._size = len(places)
        self._pages: list[SmallPage] = []
        self._asked = self._failed = 0
        self.total: int | None = None
        self._divide()

    @property
    def pages(self) -> Sequence[SmallPage]:
        """The smaller pages to ask for next, all of one size; none if there is nothing left to do."""
        return self._pages

    @property
    def is_hopeless(self) -> bool:
        most = max(2, min(_MOST_UNREADABLE, (self._asked + len(self._pages)) // 2))
        return self._failed > most

    @property
    def cdrs(self) -> list[Cdr]:
        """The rows that could be read, in their order."""
        return [self._rows[place] for place in sorted(self._rows)]

    @property
    def lost(self) -> list[int]:
        """The places of the rows that can't be read, from 1."""
        return [place + 1 for places in self._unreadable for place in places]

    def came(self, cdrs: Sequence[Cdr], total: int) -> None:
        """Take note of the rows and the count of the next page."""
        page = self._pages[0]
        self._rows.update((place, cdr) for place, cdr in zip(page.places, cdrs, strict=False) if place in self._wanted)
        self.total = total
        self._wanted = range(self._wanted.start, max(self._wanted.start, min(self._wanted.stop, total)))
        self._next()

    def failed(self) -> None:
        """Take note that the next page can't be read."""
        self._failed += 1
        self._unreadable.append(self._pages[0].places)
        self._next()

    def _next(self) -> None:
        self._asked += 1
        del self._pages[0]
        self._pages = [page for page in self._pages if page.places.start < self._wanted.stop]
        if not self._pages:
            self._divide()

    def _divide(self) -> None:
        """Divide what could not be read into pages of the next size."""
        unreadable = [
            range(max(places.start, self._wanted.start), min(places.stop, self._wanted.stop))
            for places in self._unreadable
        ]
        self._unreadable = [places for places in unreadable if places]
        if self._size == 1 or not self._unreadable:
            return
        self._size = -(-max(map(len, self._unreadable)) // _SHARE)
        numbers = {place // self._size + 1 for places in self._unreadable for place in places}
        self._pages = [SmallPage(number, self._size) for number in sorted(numbers)]
        self._unreadable = []


def loss(places: Collection[Place], *, rows: int, size: int) -> UnreadableRowsError:
    """
    The error that says which rows could not be read.

    Args:
        places: Where they are. A row that moved meanwhile may be there twice.

        rows: How many there are, if that is known; 0 if not.

        size: How many rows a full page has.
    """
    rows = min(len(places), rows or len(places))
    named = sorted(places, key=lambda place: (place.query.ends, place.number))[:_MOST_NAMED]
    where = "; ".join(
        f"page{'s' if len(numbers) > 1 else ''} {', '.join(numbers)} of {_text(query)}"
        for query, some in groupby(named, key=lambda place: place.query)
        for numbers in [[str(place.number) for place in some]]
    )
    more = f" and {len(places) - len(named)} more" if len(places) > len(named) else ""
    detail = f"{rows} row{'s' if rows > 1 else ''} could not be read, all others were; with per_page=1: {where}{more}"
    return UnreadableRowsError(int(HTTPStatus.OK), -(-named[0].number // max(1, size)), detail, rows=rows)


def _text(query: CdrQuery) -> str:
    start, end = (f"{time:%Y-%m-%d %H:%M:%S}" for time in query.ends)
    return f"{start} to {end}"
