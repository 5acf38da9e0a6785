"""A platform without a network: a list of rows that changes under its readers, every answer cut at a chosen moment."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from attrs import define, field

from infin8_async import BEIJING, Cdr, CdrQuery, IncompleteResultError
from infin8_async._pull.scan import Depth, Scan
from infin8_async._wire.protocol import PageBytes
from infin8_async.models import Integrity

DAY = datetime(2020, 6, 10, tzinfo=BEIJING)
WINDOW = CdrQuery(DAY, DAY + timedelta(days=1) - timedelta(seconds=1))


@define(slots=False)
class Platform:
    """
    Rows are (dial second of the day, id), kept in the order in which they are served.

    Attributes:
        by_id: Serve them in the order of their ids, which shows no direction of dial times.

        before_answer: Called with the platform before each answer is cut; may change `rows`.

        turns: How many turns of the loop a request takes before its answer is cut.
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
    before_answer: Callable[["Platform"], None] = lambda _: None
    requests: list[tuple[CdrQuery, int]] = field(factory=list)
    chance: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def insert(self, second: int, call: int) -> None:
        self.rows.append((second, call))

    def answer(self, query: CdrQuery, page: int, size: int) -> PageBytes:
        start, end = ((end - DAY).total_seconds() for end in query.ends)
        after = start.__le__ if self.bounds[0] == "[" else start.__lt__
        until = end.__ge__ if self.bounds[1] == "]" else end.__gt__
        found = [row for row in self.rows if after(row[0]) and until(row[0])]
        if self.shuffled_ties:
            self.chance.shuffle(found)
            found.sort(key=lambda row: row[0], reverse=self.newest_first)
        elif self.by_id:
            found.sort(key=lambda row: row[1])
        else:
            found.sort(reverse=self.newest_first)
        rows = [
            {"id": call, "starttime": f"{DAY + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}"}
            for second, call in found[(page - 1) * size : page * size]
        ]
        return PageBytes(page, size, len(found), 200, msgspec.Raw(msgspec.json.encode(rows)))

    async def fetch(self, query: CdrQuery, page: int, size: int) -> PageBytes:
        for _ in range(self.chance.randint(0, self.most_turns)):
            await asyncio.sleep(0)
        self.before_answer(self)
        self.requests.append((query, page))
        return self.answer(query, page, size)

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


async def read(scan: Scan) -> tuple[list[Cdr], IncompleteResultError | None]:
    """All that a scan gives, and the error in which it ends."""
    cdrs: list[Cdr] = []
    try:
        async for page in scan.pages():
            cdrs += page
    except IncompleteResultError as error:
        return cdrs, error
    finally:
        await scan.aclose()
    return cdrs, None
