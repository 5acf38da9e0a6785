"""The platform on a loopback port, in your process, for your tests."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import date, datetime
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from msgspec import json

from ..models import Credentials, check_number
from ._calls import Call
from ._centre import Centre
from ._faults import Faults, suffer
from ._like import Findings, options_like
from ._platform import SandboxRequest, check, refusal
from ._push import Push, Pusher
from ._quirks import Quirks
from ._server import Served, Server
from ._service import Service, decode_call
from ._store import Bounds, Compared, Order, Ties

_CREDENTIALS: Final = Credentials("sandbox-app", "sandbox-key", username="sandbox", ip="127.0.0.1")
_NO_QUIRKS: Final = Quirks()

OnRequest = Callable[[SandboxRequest], Awaitable[None] | None]
Latency = float | Callable[[SandboxRequest], float]


class Sandbox(Served, Faults):
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

        order: How rows are sorted: `"newest"` or `"oldest"` dial time first, by `"id"`, by `"id descending"`, or in no
            order (`"none"`).

        ties: `"shuffled"` puts rows that tie into another order at every request: those of the same dial time, or all
            where there is no order.

        bounds: Which of `starttime` and `endtime` belong to a window: `"[]"` both, `"[)"`, `"(]"`, `"()"`.

        compares: Which time of a call has to lie in the window: `"starttime"`, `"answertime"` or `"endtime"`. A call
            without that time is in no window. `"none"` gives every call for every window.

        snapshot: False answers as a PHP service does: one query for the count, then a second query for the rows. Other
            requests and changes may come in between.

        count_age: How many seconds the count of each query is kept. The count in an answer may be this old; its rows
            are not.

        max_per_page: The largest page. A request for more gets this many, and the answer says so (see `Quirks.echo`).

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

        quirks: Habits that no document of the platform settles.

        port: Where to listen on 127.0.0.1; 0 for any free port.

    Raises:
        ValueError: A number or a choice that makes no sense.
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
        quirks: Quirks = _NO_QUIRKS,
        port: int = 0,
    ) -> None:
        check_number("live", live, least=0)
        if between is not None and snapshot:
            raise ValueError("between needs snapshot=False: in a snapshot nothing comes between count and rows")
        Faults.__init__(self)
        self.credentials = credentials
        self.on_request = on_request
        self.between = between
        self.latency = latency
        self._pusher = Pusher(Push(push_to) if isinstance(push_to, str) else push_to, seed) if push_to else None
        self._centre = Centre(
            calls,
            days=days,
            start=start,
            until=until,
            first_id=first_id,
            seed=seed,
            order=order,
            ties=ties,
            quirks=quirks,
            pusher=self._pusher,
        )
        self._service = Service(
            self._centre.store,
            bounds=bounds,
            compares=compares,
            max_per_page=max_per_page,
            snapshot=snapshot,
            count_age=count_age,
            unreadable=set(unreadable),
            quirks=quirks,
        )
        self._server = Server(self._answer, quirks, port=port)
        self._quirks = quirks
        self._live = live
        self._permitted = permitted
        self._ringing: asyncio.Task[None] | None = None

    @classmethod
    def like(
        cls, report: Findings, calls: int = 1000, *, days: int = 1, start: date | None = None, seed: int = 0
    ) -> Self:
        """
        Make a sandbox that behaves as `infin8_async.probe` found the platform to behave.

        Its calls are made up as always. It does not imitate https and how late calls come.

        Args:
            report: The report of a probe, or anything else with its `findings`. What was not found out is as it is by
                default.

            calls: How many calls there are.

            days: The number of days over which they are spread.

            start: The first day, in Beijing; 2020-06-10 if not given.

            seed: The seed of everything random.
        """
        return cls(calls, days=days, start=start, seed=seed, **options_like(report))

    @property
    def unreadable(self) -> set[int]:
        """The ids of the calls that it can't encode."""
        return self._service.unreadable

    @unreadable.setter
    def unreadable(self, ids: Iterable[int]) -> None:
        self._service.unreadable = set(ids)

    def __len__(self) -> int:
        return self._centre.store.count(self._service.select({}))

    def rows(self, **filters: str) -> Iterator[Call]:
        """
        The calls exactly as the platform gives them, with its fields and in its order.

        Args:
            filters: Any of the platform's filters under its names, `starttime` and `endtime` included.
        """
        return map(decode_call, self._centre.store.rows(self._service.select(filters)))

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
        return self._centre.add(fields)

    def remove_call(self, call: int) -> None:
        """
        Remove the call of this id.

        Raises:
            KeyError: There is no such call.
        """
        if not self._centre.store.remove(call):
            raise KeyError(call)

    async def pushes_done(self) -> None:
        """Wait until every call that was added has been announced, as far as it will be."""
        if self._pusher is not None:
            await self._pusher.done()

    async def __aenter__(self) -> Self:
        await self._server.start()
        if self._pusher is not None:
            await self._pusher.start()
        if self._live:
            self._ringing = asyncio.get_running_loop().create_task(self._centre.ring(self._live))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop it at once, with every answer that is under way."""
        self._server.closing.set()
        if self._ringing is not None:
            self._ringing.cancel()
            await asyncio.wait([self._ringing])
        if self._pusher is not None:
            await self._pusher.aclose()
        await self._server.aclose()

    async def _answer(self, http: web.Request, request: SandboxRequest) -> web.StreamResponse:
        await _act(self.on_request, request)
        latency = self.latency(request) if callable(self.latency) else self.latency
        if latency:
            await asyncio.sleep(latency)
        fault = self._take_fault(request.page)
        if fault is not None and fault.code is not None:
            return web.json_response(refusal(fault.code, fault.msg))
        least_page = 1 if self._quirks.page_zero == "error" else 0
        code = check(request, self.credentials, permitted=self._permitted, least_page=least_page)
        if code == 1:
            answer = await self._service.answer(request, lambda: _act(self.between, request))
        else:
            answer = json.encode(refusal(code))
        if fault is not None:
            return await suffer(fault, http, answer, self._server.closing)
        return web.Response(body=answer, content_type="application/json")


async def _act(hook: OnRequest | None, request: SandboxRequest) -> None:
    if hook is not None and inspect.isawaitable(acting := hook(request)):
        await acting
