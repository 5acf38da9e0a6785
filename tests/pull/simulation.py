"""A platform without a network: a list of rows that changes under its readers, every answer cut at a chosen moment."""

import asyncio
import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, lru_cache

import msgspec
from attrs import define, evolve, field

from infin8_async import BEIJING, Cdr, CdrQuery, IncompleteResultError
from infin8_async._pull.scan import Depth, Scan
from infin8_async._wire.protocol import PageBytes
from infin8_async.models import Integrity

DAY = datetime(2020, 6, 10, tzinfo=BEIJING)
LAST_SECOND = 86_399
WINDOW = CdrQuery(DAY, DAY + timedelta(days=1) - timedelta(seconds=1))


@define(slots=False)
class Platform:
    """
    Rows are (dial second of the day, id), kept in the order in which they are served.

    Attributes:
        by_id: Serve them in the order of their ids, which shows no direction of dial times.

        before_answer: Called with the platform before each answer is cut; may change `rows`.

        most_turns: How many turns of the loop a request takes at most before it is counted, and then before it is read.

        deep: Windows of more rows are divided.

        snapshot: Count and rows of an answer come from one moment. If not, calls may come and go between the two.

        compares: Which time of a call a window filters. A call is answered after some seconds, or never, and lasts.

        stale: How many answers to a query a count is kept for.
    """

    rows: list[tuple[int, int]]
    size: int = 10
    newest_first: bool = True
    shuffled_ties: bool = False
    by_id: bool = False
    bounds: str = "[]"
    seed: int = 0
    most_turns: int = 0
    deep: int = 50_000
    snapshot: bool = True
    compares: str = "starttime"
    stale: int = 0
    before_answer: Callable[["Platform"], None] = lambda _: None
    requests: list[tuple[CdrQuery, int]] = field(factory=list)
    chance: random.Random = field(init=False)
    _counted: list[tuple[int, int]] = field(init=False, factory=list)
    _counts: dict[CdrQuery, tuple[int, int]] = field(init=False, factory=dict)
    _found: dict[CdrQuery, list[tuple[int, int]]] = field(init=False, factory=dict)
    _rows_found: list[tuple[int, int]] = field(init=False, factory=list)
    _by_time: list[tuple[int, int]] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def counted(self) -> set[int]:
        """The ids of all calls when something was counted last."""
        return {call for second, call in self._counted if times(second, call)[self.compares] is not None}

    def insert(self, second: int, call: int) -> None:
        self.rows.append((second, call))

    def _at(self, row: tuple[int, int]) -> int | None:
        return times(*row)[self.compares] if self.compares != "starttime" else row[0]

    def _learn(self) -> None:
        """Put the rows in the order of the time that windows go by: only what is new, if no row has gone."""
        known = len(self._rows_found)
        only_added = known and self.rows[:known] == self._rows_found
        added = [row for row in self.rows[known if only_added else 0 :] if self._at(row) is not None]
        if only_added:
            for row in added:
                insort(self._by_time, row, key=self._at)
        else:
            self._by_time = sorted(added, key=self._at)
        self._rows_found = list(self.rows)
        self._found.clear()

    def _in(self, query: CdrQuery) -> list[tuple[int, int]]:
        """The rows of a window, in order; they are found again only if `rows` has changed since the last time."""
        if self.rows != self._rows_found:
            self._learn()
        if query not in self._found:
            start, end = ((end - DAY).total_seconds() for end in query.ends)
            first = (bisect_left if self.bounds[0] == "[" else bisect_right)(self._by_time, start, key=self._at)
            last = (bisect_right if self.bounds[1] == "]" else bisect_left)(self._by_time, end, key=self._at)
            found = self._by_time[first:last]
            if self.by_id:
                found.sort(key=lambda row: row[1])
            elif not self.shuffled_ties:
                found.sort(reverse=self.newest_first)
            self._found[query] = found
        return self._found[query]

    def answer(self, query: CdrQuery, page: int, size: int) -> PageBytes:
        found = self._in(query)
        if self.shuffled_ties:
            found = list(found)
            self.chance.shuffle(found)
            found.sort(key=lambda row: row[0], reverse=self.newest_first)
        rows = b",".join(row_of(*row) for row in found[(page - 1) * size : page * size])
        return PageBytes(page, size, len(found), 200, msgspec.Raw(b"[%b]" % rows))

    async def fetch(self, query: CdrQuery, page: int, size: int) -> PageBytes:
        for _ in range(self.chance.randint(0, self.most_turns)):
            await asyncio.sleep(0)
        self.before_answer(self)
        self.requests.append((query, page))
        if self.snapshot and not self.stale:
            return self.answer(query, page, size)
        left, total = self._counts.get(query, (0, 0))
        if not left:
            left, total = self.stale + 1, self.answer(query, page, size).total
            self._counted = list(self.rows)
        self._counts[query] = left - 1, total
        if not self.snapshot:
            for _ in range(self.chance.randint(0, self.most_turns)):
                await asyncio.sleep(0)
            self.before_answer(self)
        return evolve(self.answer(query, page, size), total=total)

    def start(self, query: CdrQuery, page: int, rows: int) -> "asyncio.Task[PageBytes]":
        return asyncio.get_running_loop().create_task(self.fetch(query, page, rows))

    def scan(self, concurrency: int = 4, integrity: Integrity = "repair", query: CdrQuery = WINDOW) -> Scan:
        return Scan(
            query,
            self.start,
            concurrency=concurrency,
            per_page=self.size,
            integrity=integrity,
            depth=Depth(self.deep, self.deep * 3 // 5),
        )


@cache
def text_of(second: int | None) -> str:
    return "" if second is None else f"{DAY + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}"


def times(second: int, call: int) -> dict[str, int | None]:
    """The times of a call: one in three is never answered, the others are after some seconds."""
    waited, talked = call * 7 % 20, call * 37 % 300
    return {
        "starttime": second,
        "answertime": second + waited if call % 3 else None,
        "endtime": second + waited + talked * (call % 3 > 0),
    }


@lru_cache(100_000)
def row_of(second: int, call: int) -> bytes:
    """A row as it is sent."""
    texts = {name: text_of(at) for name, at in times(second, call).items()}
    return msgspec.json.encode({"id": call} | texts)


async def read(scan: Scan) -> tuple[list[Cdr], IncompleteResultError | None]:
    """All that a scan gives, and the error in which it ends."""
    cdrs: list[Cdr] = []
    try:
        async for page in scan.pages():
            cdrs += await page.records()
    except IncompleteResultError as error:
        return cdrs, error
    finally:
        await scan.aclose()
    return cdrs, None


def rows_of(page: PageBytes) -> list[dict[str, object]]:
    """The rows of a page as they came."""
    return msgspec.json.decode(page._rows)


def page_of(page: PageBytes, rows: list[dict[str, object]]) -> PageBytes:
    """A page with other rows."""
    return PageBytes(page.page, page.per_page, page.total, page.status, msgspec.Raw(msgspec.json.encode(rows)))
