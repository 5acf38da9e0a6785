"""The service behind the address: a form goes in, a count and a page of rows come out, as a PHP service does it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import Final, get_args

from attrs import define, field
from attrs.validators import in_
from msgspec import Raw, json

from ._calls import Call
from ._platform import MESSAGES, SandboxRequest, refusal
from ._quirks import Echo, Quirks, a_number
from ._store import Bounds, Compared, Selection, Store, select

PARAMETER_ERROR: Final = 1001
_NOWHERE: Final = 1 << 40  # an offset past all rows

decode_call: Final = json.Decoder(Call).decode


@define
class Service:
    """
    Answers well-formed requests.

    Attributes:
        store: Its calls.

        unreadable: Ids of calls that it can't encode.

        count_age: How many seconds the count of each query is kept.
    """

    store: Store
    bounds: Bounds = field(validator=in_(get_args(Bounds)))
    compares: Compared = field(validator=in_(get_args(Compared)))
    max_per_page: int = field(validator=a_number(least=1, whole=True))
    snapshot: bool
    count_age: float = field(validator=a_number(least=0))
    unreadable: set[int]
    quirks: Quirks
    _counts: dict[Selection, tuple[float, int]] = field(factory=dict, init=False)

    def select(self, form: Mapping[str, str]) -> Selection:
        """The calls that a form asks for."""
        return select(form, bounds=self.bounds, compares=self.compares)

    async def answer(self, request: SandboxRequest, between: Callable[[], Awaitable[None]]) -> bytes:
        """
        The body of an answer.

        Args:
            request: Any but one that the platform refuses.

            between: Awaited between the count and the rows, unless both are of one snapshot.
        """
        selection = self.select(request.form)
        size = min(request.per_page, self.max_per_page)
        total = self._count(selection)
        if not self.snapshot:
            await asyncio.sleep(0)
            await between()
        offset = _offset(request.page, size, total, self.quirks)
        if offset is None:
            return json.encode(refusal(PARAMETER_ERROR))
        rows = list(self.store.rows(selection, limit=size, offset=offset))
        if self.unreadable and any(int(decode_call(row)["id"]) in self.unreadable for row in rows):
            return b""
        data = {
            "data": Raw(f"[{','.join(rows)}]".encode()),
            "page": request.page,
            "per_page": _echoed(self.quirks.echo, asked=request.per_page, given=size),
            "total": total,
        }
        return json.encode({"code": 1, "msg": MESSAGES[1], "data": data})

    def _count(self, selection: Selection) -> int:
        """The count for an answer: the one that is kept for this query, or a new one if that is too old."""
        now = asyncio.get_running_loop().time()
        counted_at, count = self._counts.get(selection, (-inf, 0))
        if now - counted_at >= self.count_age:
            count = self.store.count(selection)
            self._counts[selection] = now, count
        return count


def _offset(page: int, size: int, total: int, quirks: Quirks) -> int | None:
    """How many rows come before those of a page; None if the platform refuses to give it."""
    last = max(1, -(-total // size))
    choice = quirks.page_zero if page < 1 else quirks.page_beyond_end if page > last else "there"
    match choice:
        case "error":
            return None
        case "first":
            return 0
        case "last":
            return (last - 1) * size
        case "empty" if page < 1:
            return _NOWHERE
    return (page - 1) * size


def _echoed(echo: Echo, *, asked: int, given: int) -> int:
    return {"given": given, "asked": asked, "default": 10}[echo]
