"""A platform without a network, for what `sync` and `audit` ask of a session: any time compared, any bounds."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from attrs import asdict, define, evolve, field

from infin8_async import BEIJING, Cdr, CdrPage, CdrQuery, Credentials

START = datetime(2020, 6, 10, tzinfo=BEIJING)
ME = Credentials("app", "key", username="me")


def call(number, start, lasted=60, answered=True, **fields):
    """A call that began some seconds after `START`."""
    dialled = START + timedelta(seconds=start)
    return Cdr(
        id=number,
        starttime=dialled,
        answertime=dialled + timedelta(seconds=lasted // 2) if answered else None,
        endtime=dialled + timedelta(seconds=lasted),
        billsec=lasted // 2 if answered else 0,
        **fields,
    )


@define
class _Report:
    complete: bool = True
    certified: bool = True


@define(slots=False)
class _Stream:
    _platform: "Platform"
    _query: CdrQuery
    report: _Report = field(factory=_Report)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def pages(self):
        platform = self._platform
        cdrs = platform.answer(self._query, "pull")
        for number, first in enumerate(range(0, len(cdrs), platform.size), 1):
            yield CdrPage(tuple(cdrs[first : first + platform.size]), number, platform.size, len(cdrs))


@define
class Platform:
    """
    What `Infin8Session` offers to a store.

    Attributes:
        compares: The time of a call that windows go by.

        bounds: Which of their ends belong to them.

        before_answer: Called before each answer; may change `calls`.

        asked: What was asked, in order: "count" or "pull", and the query.
    """

    calls: dict[int, Cdr]
    compares: str = "starttime"
    bounds: str = "[]"
    size: int = 1000
    credentials: Credentials = ME
    sees: Callable[[Cdr], bool] = lambda _: True
    before_answer: Callable[["Platform"], None] = lambda _: None
    asked: list[tuple[str, CdrQuery]] = field(factory=list)

    @classmethod
    def of(cls, calls: Iterable[Cdr], **options):
        return cls({cdr.id: cdr for cdr in calls}, **options)

    def change(self, number, **fields):
        self.calls[number] = evolve(self.calls[number], **fields)

    def answer(self, query, kind):
        self.before_answer(self)
        self.asked.append((kind, query))
        start, end = query.ends
        after = start.__le__ if self.bounds[0] == "[" else start.__lt__
        until = end.__ge__ if self.bounds[1] == "]" else end.__gt__
        filters = {
            name: value
            for name, value in asdict(query).items()
            if name not in ("starttime", "endtime") and value is not None
        }
        return [
            cdr
            for cdr in self.calls.values()
            if (time := getattr(cdr, self.compares)) is not None
            and after(time)
            and until(time)
            and self.sees(cdr)
            and all(getattr(cdr, name) == value for name, value in filters.items())
        ]

    def cdrs(self, query):
        return _Stream(self, query)

    async def count(self, query):
        return len(self.answer(query, "count"))

    def requests(self):
        """How many counts and how many pulls there were since the last time."""
        kinds = [kind for kind, _ in self.asked]
        self.asked.clear()
        return kinds.count("count"), kinds.count("pull")
