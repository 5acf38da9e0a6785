"""Which pages of the parts of a pull to start now. Decides, never awaits."""

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

from attrs import define

from ..models import CdrQuery


@define(eq=False)
class Part:
    """
    A window of a pull, and how far its pages are planned.

    Attributes:
        query: The window.

        last: Its last page by the newest count; None until its first page has come.

        planned: How many of its pages have been started, from the first on.
    """

    query: CdrQuery
    last: int | None = None
    planned: int = 0


def pages(calls: int, size: int) -> int:
    """How many pages of *size* rows the calls fill: at least one, as the first page is always requested."""
    return max(1, -(-calls // size))


def plan(parts: Sequence[Part], *, places: int, room: int) -> Iterator[tuple[CdrQuery, int]]:
    """
    Plan pages in the order in which they will be read.

    Args:
        parts: What is still to be read, the part that is being read first. What is planned is noted in them.

        places: The most pages that may be under way or unread.

        room: How many of these places are free.

    Yields:
        The query and the number of each page to start.
    """
    for part, following in zip_longest(parts, islice(parts, 1, None)):
        if part.last is None:
            return
        # The next part is opened early, so that its pages can be planned by the time this one's are.
        near = part.last - part.planned < places
        if following is not None and not following.planned and near and places > 1 and room > 0:
            following.planned = 1
            room -= 1
            yield following.query, 1
        while part.planned < part.last and room > 0:
            part.planned += 1
            room -= 1
            yield part.query, part.planned
        if part.planned < part.last:
            return
