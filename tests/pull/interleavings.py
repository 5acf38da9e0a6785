"""Every order in which a platform can change, count, read and answer: the real session on a loop without a clock."""

import asyncio
import selectors
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace

import msgspec
from attrs import define, field, frozen

from infin8_async import BEIJING, CdrQuery, Credentials, IncompleteResultError, Infin8Session, StreamReport

MORNING = datetime(2020, 6, 10, 8, tzinfo=BEIJING)
CREDENTIALS = Credentials("app", "key", username="name")


class Choices:
    """
    A path through a tree of choices; `next_paths` walks through all of them, the first choices changing last.

    Attributes:
        taken: What was chosen, each with how many choices there were.
    """

    def __init__(self, path: Sequence[int] = ()) -> None:
        self._path = path
        self.taken: list[tuple[int, int]] = []

    def choose(self, options: int) -> int:
        position = len(self.taken)
        choice = self._path[position] if position < len(self._path) else 0
        self.taken.append((choice, options))
        return choice

    def next_path(self) -> list[int] | None:
        taken = list(self.taken)
        while taken:
            choice, options = taken.pop()
            if choice + 1 < options:
                return [*(earlier for earlier, _ in taken), choice + 1]
        return None


@frozen
class World:
    """
    What is pulled, and what happens meanwhile.

    Attributes:
        rows: The seconds at which the first calls were dialled; their ids are 0, 1, 2 …

        changes: What happens, in this order: a second at which another call was dialled, or the id of one that goes.
    """

    rows: tuple[int, ...]
    changes: tuple[tuple[str, int], ...]
    newest_first: bool = True
    bounds: str = "[]"
    concurrency: int = 1
    size: int = 2
    seconds: int = 12


@define(eq=False)
class _Asked:
    form: dict[str, str]
    answered: "asyncio.Future[bytes]"
    total: int | None = None
    body: bytes | None = None


@define
class Outcome:
    ids: list[int]
    report: StreamReport
    error: Exception | None
    there: set[int]  # from beginning to end
    at_the_last_count: set[int]
    requests: int
    log: list[str]


@define(eq=False)
class Platform:
    """A platform that acts only on command: it changes, counts, reads and answers in any order."""

    world: World
    choices: Choices
    rows: list[tuple[int, int]] = field(init=False)
    asked: list[_Asked] = field(factory=list)
    requests: int = 0
    log: list[str] = field(factory=list)
    counted: set[int] = field(factory=set)
    changes: list[tuple[str, int]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rows = [(second, call) for call, second in enumerate(self.world.rows)]
        self.changes = list(self.world.changes)

    def act(self) -> bool:
        """One thing happens, of all that can happen now."""
        if not self.asked:
            return False
        changes = 1 if self.changes else 0
        choice = self.choices.choose(changes + len(self.asked))
        if changes and choice == len(self.asked):
            self._change()
        else:
            self._go_on(self.asked[choice])
        return True

    def _change(self) -> None:
        kind, value = self.changes.pop(0)
        self.log.append(f"{kind} {value}")
        if kind == "add":
            self.rows.append((value, 100 + len(self.changes)))
        else:
            self.rows = [row for row in self.rows if row[1] != value]

    def _go_on(self, asked: _Asked) -> None:
        """A request that came has its calls counted, then read; then it is answered."""
        page, size = int(asked.form["page"]), int(asked.form["per_page"])
        where = f"{asked.form['starttime'][-5:]}-{asked.form['endtime'][-5:]} p{page}"
        if asked.total is None:
            found = self._found(asked.form)
            asked.total = len(found)
            self.counted = {call for _, call in found}
            self.log.append(f"count {where}: {asked.total}")
        elif asked.body is None:
            rows = self._found(asked.form)[(page - 1) * size : page * size]
            self.log.append(f"read {where}: {[call for _, call in rows]}")
            asked.body = msgspec.json.encode(
                {
                    "code": 1,
                    "msg": "successful request",
                    "data": {
                        "data": [{"id": call, "starttime": text_of(second)} for second, call in rows],
                        "page": page,
                        "per_page": size,
                        "total": asked.total,
                    },
                }
            )
            if len(self.asked) == 1:
                self._answer(asked)
        else:
            self._answer(asked)

    def _answer(self, asked: _Asked) -> None:
        self.asked.remove(asked)
        if not asked.answered.done():
            asked.answered.set_result(asked.body)

    def _found(self, form: dict[str, str]) -> list[tuple[int, int]]:
        start, end = second_of(form["starttime"]), second_of(form["endtime"])
        after = start.__le__ if self.world.bounds[0] == "[" else start.__lt__
        until = end.__ge__ if self.world.bounds[1] == "]" else end.__gt__
        return sorted((row for row in self.rows if after(row[0]) and until(row[0])), reverse=self.world.newest_first)

    @asynccontextmanager
    async def post(self, _url: object, *, data: dict[str, str], **_options: object):
        asked = _Asked(dict(data), asyncio.get_running_loop().create_future())
        self.asked.append(asked)
        self.requests += 1
        try:
            body = await asked.answered
        finally:
            if asked in self.asked:
                self.asked.remove(asked)

        async def whole():
            yield body

        yield SimpleNamespace(status=200, headers={}, content=SimpleNamespace(iter_any=whole))


@cache
def text_of(second: int) -> str:
    return f"{MORNING + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}"


@cache
def second_of(text: str) -> float:
    return (datetime.fromisoformat(text).replace(tzinfo=BEIJING) - MORNING).total_seconds()


class _Acting(selectors.DefaultSelector):
    """Nothing happens by itself: if nobody has anything to do, the platform acts; if it can't, time passes."""

    now = 0.0
    act: Callable[[], bool] = staticmethod(lambda: False)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and (timeout is None or timeout > 0) and not self.act():
            assert timeout is not None, "everybody waits for something that never comes"
            self.now += timeout
        return events


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.acting = _Acting()
        super().__init__(self.acting)

    def time(self) -> float:
        return self.acting.now


async def _pull(platform: Platform) -> Outcome:
    world = platform.world
    query = CdrQuery(MORNING, MORNING + timedelta(seconds=world.seconds))
    there = {call for _, call in platform.rows}
    options = {"http_session": platform, "base_url": "http://127.0.0.1", "per_page": world.size}
    async with Infin8Session(CREDENTIALS, concurrency=world.concurrency, **options) as session:
        stream = session.cdrs(query)
        ids, error = [], None
        try:
            async for cdr in stream:
                ids.append(cdr.id)
        except IncompleteResultError as incomplete:
            error = incomplete
    there &= {call for _, call in platform.rows}
    return Outcome(ids, stream.report, error, there, platform.counted, platform.requests, platform.log)


def pull(loop: Loop, world: World, choices: Choices) -> Outcome:
    """Pull once, along one path of choices."""
    platform = Platform(world, choices)
    loop.acting.act = platform.act
    return loop.run_until_complete(_pull(platform))


def every_pull(loop: Loop, world: World, most: int) -> Iterator[tuple[list[int], Outcome]]:
    """Pull along every path of choices, but no more than *most* of them."""
    path: list[int] | None = []
    for _ in range(most):
        choices = Choices(path)
        outcome = pull(loop, world, choices)
        yield [choice for choice, _ in choices.taken], outcome
        path = choices.next_path()
        if path is None:
            return
