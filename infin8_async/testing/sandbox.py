"""The platform on a loopback port, in your process, for your tests."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from math import inf
from random import Random
from types import TracebackType
from typing import Final, Self, get_args

from aiohttp import web
from msgspec import Raw, json

from ..models import BEIJING, Credentials, Secret, check_number
from ._calls import COLUMNS, Call, history, make_call
from ._faults import Fault, Faults, suffer
from ._platform import MESSAGES, SandboxRequest, check, refusal
from ._push import Push, Pusher
from ._store import Bounds, Compared, Order, Selection, Store, Ties, select

_decode: Final = json.Decoder(Call).decode
_CREDENTIALS: Final = Credentials("sandbox-app", "sandbox-key", username="sandbox", ip="127.0.0.1")
_FIRST_DAY: Final = date(2020, 6, 10)

OnRequest = Callable[[SandboxRequest], Awaitable[None] | None]
Latency = float | Callable[[SandboxRequest], float]


class Sandbox:
    """
    A believable call centre that answers as the platform documents, for the time of an `async with` block.

    The same seed makes the same calls. Their dial times lie in the given days, busy hours and quiet hours as in life.
    Their ids follow the order in which they end. All phone numbers are made up.

        async with Sandbox(calls=500) as sandbox:
            async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session:
                ...

    Args:
        calls: How many calls there are when it starts.

        days: The number of days over which they are spread.

        start: The first day, in Beijing, or the time on it when the calls begin; 2020-06-10 if not given.

        until: When the calls end: none is dialled or ends later. If not given, calls are dialled to the end of the
            *days*.

        first_id: The id of the call that ends first. Those that end later count on from it.

        seed: The seed of everything random.

        order: How rows are sorted: `"newest"` or `"oldest"` dial time first, or by `"id"`.

        ties: `"shuffled"` puts rows of the same dial time into another order at every request.

        bounds: Which of `starttime` and `endtime` belong to a window: `"[]"` both, `"[)"`, `"(]"`, `"()"`.

        compares: Which time of a call has to lie in the window: `"starttime"`, `"answertime"` or `"endtime"`. A call
            without that time is in no window.

        snapshot: False answers as a PHP service does: one query for the count, then a second query for the rows. Other
            requests and changes may come in between.

        count_age: How many seconds the count of each query is kept. The count in an answer may be this old; its rows
            are not.

        max_per_page: The largest page. A request for more gets this many, and the answer says so.

        latency: Seconds before an answer, or a function that gives them for a request.

        live: How many calls a second end and appear while it runs, in real time.

        credentials: The credentials that it accepts; its own if not given.

        unreadable: Ids of calls that it can't encode. An answer with one of them is an empty body with status 200, as
            when PHP's `json_encode` meets a text in a wrong encoding. The set may change while the sandbox runs.

        permitted: False makes it refuse everybody with code 1006.

        on_request: Called with each request before it is answered, and awaited if it returns an awaitable. Use it to
            add or remove calls between two requests, or to delay an answer.

        between: With `snapshot=False`, called with each request after its count and before its rows, and awaited if it
            returns an awaitable. Use it to change the list in the middle of an answer.

        push_to: Where to announce each call that is added while it runs: an address, or a `Push`, which also says how
            many pushes are lost and how many are sent twice. A call is listed before it is announced.

        port: Where to listen on 127.0.0.1; 0 for any free port.

    Raises:
        ValueError: A number or a choice that makes no sense.

    Attributes:
        requests: Every request, in the order of arrival.

        unreadable: The ids of the calls that it can't encode.

        in_flight: Requests being answered at this moment.

        most_in_flight: The most requests that were answered at the same moment.
    """

    def __init__(
        self,
        calls: int = 1000,
        *,
        days: int = 1,
        start: date | None = None,
        until: datetime | None = None,
        first_id: int = 100_001,
        seed: int = 0,
        order: Order = "newest",
        ties: Ties = "stable",
        bounds: Bounds = "[]",
        compares: Compared = "starttime",
        snapshot: bool = True,
        count_age: float = 0.0,
        max_per_page: int = 1000,
        latency: Latency = 0.0,
        live: float = 0.0,
        credentials: Credentials = _CREDENTIALS,
        unreadable: Iterable[int] = (),
        permitted: bool = True,
        on_request: OnRequest | None = None,
        between: OnRequest | None = None,
        push_to: str | Push | None = None,
        port: int = 0,
    ) -> None:
        check_number("calls", calls, least=0, whole=True)
        check_number("days", days, least=1, whole=True)
        check_number("max_per_page", max_per_page, least=1, whole=True)
        check_number("live", live, least=0)
        check_number("count_age", count_age, least=0)
        if between is not None and snapshot:
            raise ValueError("between needs snapshot=False: in a snapshot nothing comes between count and rows")
        for name, value, choices in (
            ("order", order, Order),
            ("ties", ties, Ties),
            ("bounds", bounds, Bounds),
            ("compares", compares, Compared),
        ):
            if value not in get_args(choices):
                raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, not {value!r}")
        first = _beijing_time(start or _FIRST_DAY)
        last = first + timedelta(days=days, seconds=-1) if until is None else _beijing_time(until)
        if last < first:
            raise ValueError("until is before start")
        self.credentials = credentials
        self.on_request = on_request
        self.between = between
        self.latency = latency
        self.requests: list[SandboxRequest] = []
        self.unreadable = set(unreadable)
        self.in_flight = 0
        self.most_in_flight = 0
        self._store = Store(
            history(seed, calls, first, last, until and last), order=order, ties=ties, seed=seed, first_id=first_id
        )
        self._first = first
        self._chance = Random(seed)  # noqa: S311  # believable, not secret
        self._select = partial(select, bounds=bounds, compares=compares)
        self._snapshot = snapshot
        self._count_age = count_age
        self._counts: dict[Selection, tuple[float, int]] = {}
        self._max_per_page = max_per_page
        self._live = live
        self._pusher = Pusher(Push(push_to) if isinstance(push_to, str) else push_to, seed) if push_to else None
        self._permitted = permitted
        self._port = port
        self._faults = Faults()
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._ringing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def base_url(self) -> str:
        """Its address, for the `base_url` of an `Infin8Session`."""
        if self._runner is None:
            raise RuntimeError("the sandbox is not running: use it inside 'async with Sandbox(…) as sandbox:'")
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    @property
    def connections(self) -> int:
        """Open connections at this moment."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    def __len__(self) -> int:
        return self._store.count(self._select({}))

    def rows(self, **filters: str) -> Iterator[Call]:
        """
        The calls exactly as the platform gives them, with its fields and in its order.

        Args:
            filters: Any of the platform's filters under its names, `starttime` and `endtime` included.
        """
        return map(_decode, self._store.rows(self._select(filters)))

    def ids(self, **filters: str) -> list[int]:
        """The ids of the calls, in the platform's order; filters as for `rows`."""
        return [int(row["id"]) for row in self.rows(**filters)]

    def add_call(self, **fields: int | str) -> int:
        """
        Add a call.

        Args:
            fields: Any of the platform's fields; the others get believable values. Without a `starttime`, the call is
                dialled a second after the newest one. Without an `id`, it gets the next one.

        Returns:
            The id of the call.
        """
        if unknown := fields.keys() - set(COLUMNS):
            raise ValueError(f"no fields of the platform: {', '.join(sorted(unknown))}")
        newest = self._store.newest() or self._first
        given = fields.get("starttime")
        dialled = datetime.fromisoformat(str(given)) if given else newest + timedelta(seconds=1)
        return self._add(make_call(self._chance, dialled) | fields)

    def remove_call(self, call: int) -> None:
        """
        Remove the call of this id.

        Raises:
            KeyError: There is no such call.
        """
        if not self._store.remove(call):
            raise KeyError(call)

    def fail(
        self,
        times: int | None = 1,
        *,
        page: int | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        code: int | None = None,
        msg: str | None = None,
        body: bytes | None = None,
        cut: bool = False,
        hang: bool = False,
        reset: bool = False,
        drip: float | None = None,
    ) -> None:
        """
        Script a fault of one kind. Faults come in the order in which they were scripted.

        Args:
            times: How many requests get it; None for all from now on.

            page: Only for requests of this page.

            status: An HTTP status, with *headers* and *body* if given.

            headers: Of that answer.

            code: A code of the platform, in a complete answer with status 200.

            msg: The message of that code; the documented one if not given.

            body: Any bytes, with status 200 or *status*.

            cut: Half a body, then the connection is closed.

            hang: No answer, until the client leaves or the sandbox ends.

            reset: No answer; the connection is reset.

            drip: The right answer in pieces of 64 bytes, this many seconds apart.

        Raises:
            ValueError: The fault is of no kind, or of two.
        """
        self._faults.add(
            Fault(times, page, status, headers or {}, code, msg, body, cut=cut, hang=hang, reset=reset, drip=drip)
        )

    def recover(self) -> None:
        """Forget all faults that are still to come."""
        self._faults.clear()

    async def wait_for_requests(self, count: int) -> None:
        """Wait until *count* requests have arrived in total."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def pushes_done(self) -> None:
        """Wait until every call that was added has been announced, as far as it will be."""
        if self._pusher is not None:
            await self._pusher.done()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/cdrs", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        if self._pusher is not None:
            await self._pusher.start()
        if self._live:
            self._ringing = asyncio.get_running_loop().create_task(self._ring())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop it at once, with every answer that is under way."""
        self._closing.set()
        if self._ringing is not None:
            self._ringing.cancel()
            await asyncio.wait([self._ringing])
        if self._pusher is not None:
            await self._pusher.aclose()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _ring(self) -> None:
        """Add calls that end about now, *live* of them a second."""
        while True:
            await asyncio.sleep(self._chance.expovariate(self._live))
            now = datetime.now(BEIJING)
            call = make_call(self._chance, now)
            self._add(make_call(self._chance, now - timedelta(seconds=int(call["duration"]))))

    def _add(self, call: Call) -> int:
        number = self._store.add(call)
        if self._pusher is not None:
            self._pusher.announce(call | {"id": number})
        return number

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        posted = await http.post()
        form = {name: Secret(value) if name == "accesskey" else str(value) for name, value in posted.items()}
        request = SandboxRequest(form, asyncio.get_running_loop().time())
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        async with self._arrived:
            self._arrived.notify_all()
        try:
            return await self._answer(http, request)
        finally:
            self.in_flight -= 1

    async def _answer(self, http: web.Request, request: SandboxRequest) -> web.StreamResponse:
        await _act(self.on_request, request)
        latency = self.latency(request) if callable(self.latency) else self.latency
        if latency:
            await asyncio.sleep(latency)
        fault = self._faults.take(request.page)
        if fault is not None and fault.code is not None:
            return web.json_response(refusal(fault.code, fault.msg))
        code = check(request, self.credentials, permitted=self._permitted)
        answer = await self._page(request) if code == 1 else json.encode(refusal(code))
        if fault is not None:
            return await suffer(fault, http, answer, self._closing)
        return web.Response(body=answer, content_type="application/json")

    async def _page(self, request: SandboxRequest) -> bytes:
        selection = self._select(request.form)
        size = min(request.per_page, self._max_per_page)
        total = self._count(selection)
        if not self._snapshot:
            await asyncio.sleep(0)
            await _act(self.between, request)
        rows = list(self._store.rows(selection, limit=size, offset=(request.page - 1) * size))
        if self.unreadable and any(int(_decode(row)["id"]) in self.unreadable for row in rows):
            return b""
        data = {
            "data": Raw(f"[{','.join(rows)}]".encode()),
            "page": request.page,
            "per_page": size,
            "total": total,
        }
        return json.encode({"code": 1, "msg": MESSAGES[1], "data": data})

    def _count(self, selection: Selection) -> int:
        """The count for an answer: the one that is kept for this query, or a new one if that is too old."""
        now = asyncio.get_running_loop().time()
        counted_at, count = self._counts.get(selection, (-inf, 0))
        if now - counted_at >= self._count_age:
            count = self._store.count(selection)
            self._counts[selection] = now, count
        return count


def _beijing_time(start: date) -> datetime:
    """The midnight of a day; or a time, to the second."""
    if isinstance(start, datetime):
        return start.astimezone(BEIJING).replace(microsecond=0)
    return datetime(start.year, start.month, start.day, tzinfo=BEIJING)


async def _act(hook: OnRequest | None, request: SandboxRequest) -> None:
    if hook is not None and inspect.isawaitable(acting := hook(request)):
        await acting
