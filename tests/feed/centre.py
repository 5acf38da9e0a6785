"""A call centre on the clock that jumps: calls appear when they end, and some are removed."""

import asyncio
import random
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta

import msgspec
from attrs import define, field

from infin8_async import BEIJING, CdrPage, CdrQuery, CdrStream
from infin8_async._feed.checkpoint import Mark
from infin8_async._feed.feed import CdrFeed
from infin8_async._pull.scan import Scan
from infin8_async._wire.protocol import PageBytes
from infin8_async._wire.transport import Tally

INTERVAL = timedelta(seconds=30)
DAY = datetime(2020, 6, 10, tzinfo=BEIJING)


@define(frozen=True)
class Call:
    """Times are seconds of the day."""

    id: int
    starttime: int
    answertime: int | None
    endtime: int
    appears: float

    def row(self) -> bytes:
        times = {name: getattr(self, name) for name in ("starttime", "answertime", "endtime")}
        texts = {name: f"{at(time):%Y-%m-%d %H:%M:%S}" for name, time in times.items() if time is not None}
        return msgspec.json.encode({"id": self.id, **texts})


def at(second: float) -> datetime:
    return DAY + timedelta(seconds=second)


def now() -> datetime:
    return at(asyncio.get_running_loop().time())


def calls(seed: int, rate: float, seconds: int, *, first: int = 0, mean: float = 60, longest: int = 900) -> list[Call]:
    """Calls at a steady rate, each of its own length."""
    chance, made, second = random.Random(seed), [], float(first)
    while (second := second + chance.expovariate(rate)) < seconds:
        length = min(longest, int(chance.expovariate(1 / mean)))
        start = int(second)
        answered = None if chance.random() < 0.3 else start + chance.randint(0, length)
        made.append(Call(len(made) + 1, start, answered, start + length, max(0, start + length + chance.random())))
    return made


@define
class Read:
    """A stretch of time that was read: what that took, how many rows came, and how many of them were new."""

    start: datetime
    end: datetime
    requests: int
    rows: int
    new: int
    leaving: bool


@define(slots=False)
class Centre:
    """
    Attributes:
        coming: Calls that appear at their time.

        going: When calls are removed, by id.

        compares: Which time of a call is compared with a window. All calls need it.

        apart: The longest time between the count and the rows of an answer.

        requests: How many were sent in each poll.

        reads: What was read in each poll.
    """

    coming: list[Call]
    going: dict[int, float] = field(factory=dict)
    size: int = 1000
    compares: str = "starttime"
    bounds: str = "[]"
    newest_first: bool = True
    ties: bool = True
    apart: float = 0.0
    latency: float = 0.05
    seed: int = 0
    requests: Counter[int] = field(factory=Counter)
    reads: defaultdict[int, list[Read]] = field(factory=lambda: defaultdict(list))
    lookback: timedelta = timedelta(hours=1)
    now: Callable[[], datetime] = now
    heard: Callable[[], None] = lambda: None
    seen: set[int] = field(factory=set)
    feed: CdrFeed | None = None

    def __attrs_post_init__(self) -> None:
        self.coming = sorted(self.coming, key=lambda call: -call.appears)
        self.gone = sorted(((when, call) for call, when in self.going.items()), reverse=True)
        self.chance = random.Random(self.seed)
        self.there: list[tuple[int, int]] = []
        self.rows: dict[int, tuple[tuple[int, int], bytes]] = {}

    def stretches(self, poll: int) -> list[Read]:
        """What was read in a poll; neighbours that were read one after the other are one stretch."""
        stretches: list[Read] = []
        for read in self.reads[poll]:
            last = stretches[-1] if stretches else None
            if last is not None and last.start <= read.start <= last.end and last.leaving == read.leaving:
                stretches[-1] = Read(
                    last.start, read.end, last.requests + read.requests, last.rows + read.rows, last.new + read.new,
                    leaving=last.leaving,
                )  # fmt: skip
            else:
                stretches.append(read)
        return stretches

    def go_on(self) -> None:
        time = asyncio.get_running_loop().time()
        while self.coming and self.coming[-1].appears <= time:
            call = self.coming.pop()
            place = (getattr(call, self.compares), call.id)
            self.rows[call.id] = place, call.row()
            insort(self.there, place)
        while self.gone and self.gone[-1][0] <= time:
            _, call = self.gone.pop()
            if call in self.rows:
                place, _ = self.rows.pop(call)
                del self.there[bisect_left(self.there, place)]

    def held(self, query: CdrQuery) -> tuple[int, int]:
        """The part of the list that answers a query."""
        first, last = ((end - DAY) // timedelta(seconds=1) for end in query.ends)
        lower = bisect_left(self.there, (first, 0) if self.bounds[0] == "[" else (first + 1, 0))
        upper = bisect_left(self.there, (last + 1, 0) if self.bounds[1] == "]" else (last, 0))
        return lower, max(lower, upper)

    async def answer(self, query: CdrQuery, page: int, size: int) -> PageBytes:
        self.requests[self.feed.report.polls] += 1
        await asyncio.sleep(self.chance.uniform(0.2, 1) * self.latency)
        self.go_on()
        lower, upper = self.held(query)
        total = upper - lower
        if self.apart:
            await asyncio.sleep(self.chance.uniform(0, self.apart))
            self.go_on()
            lower, upper = self.held(query)
        self.heard()
        skip = (page - 1) * size
        places = self.there[lower:upper]
        if not self.ties:  # their order is another one at each look
            self.chance.shuffle(places)
            places.sort(key=lambda place: place[0])
        if self.newest_first:
            places.reverse()
        rows = [self.rows[call][1] for _, call in places[skip : skip + size]]
        return PageBytes(page, size, total, 200, msgspec.Raw(b"[" + b",".join(rows) + b"]"))

    async def count(self, query: CdrQuery) -> int:
        return (await self.answer(query, 1, 1)).total

    def cdrs(self, query: CdrQuery, concurrency: int = 8) -> CdrStream:
        mine = []

        def start(window: CdrQuery, page: int, rows: int) -> "asyncio.Task[PageBytes]":
            mine.append(page)
            return asyncio.get_running_loop().create_task(self.answer(window, page, rows))

        return Watched(
            Scan(query, start, per_page=self.size, concurrency=concurrency, integrity="repair"), query, self, mine
        )

    def follow(self, query: CdrQuery, *, interval: timedelta = INTERVAL, mark: Mark | None = None) -> CdrFeed:
        self.feed = CdrFeed(
            query, self.cdrs, self.count, interval=interval, lookback=self.lookback, mark=mark, now=self.now
        )
        return self.feed


class Watched(CdrStream):
    """A stream of which the centre learns whether it gave something new."""

    def __init__(self, scan: Scan, query: CdrQuery, centre: Centre, requests: list[int]) -> None:
        super().__init__(scan, Tally())
        self._query = query
        self._centre = centre
        self._requests = requests
        self._came = self._new = 0

    async def pages(self) -> AsyncGenerator[CdrPage]:
        async for page in super().pages():
            ids = {cdr.id for cdr in page.cdrs}
            self._came += len(ids)
            self._new += len(ids - self._centre.seen)
            self._centre.seen |= ids
            yield page
        start, end = self._query.ends
        leaving = not self._new and end <= now() - self._centre.lookback + timedelta(seconds=2)
        read = Read(start, end, len(self._requests), self._came, self._new, leaving)
        self._centre.reads[self._centre.feed.report.polls].append(read)
