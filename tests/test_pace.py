"""Retries, budgets and rates, by a clock of their own."""

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from clock import run
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import cases
from simulation import WINDOW, Platform, read
from yarl import URL

from infin8_async import Credentials, ResponseError, RetryPolicy, SystemFailureError, TransportError
from infin8_async._pace import Pace
from infin8_async._scan import Scan
from infin8_async._transport import Tally, Transport


class Wire(Transport):
    """A transport whose exchanges are with a platform in memory, `latency` seconds away."""

    def __init__(self, platform: Platform, *, concurrency=8, max_rate=None, retry=None, latency=0.05) -> None:
        super().__init__(
            None,
            Credentials("a", "k", username="u"),
            URL("http://localhost"),
            concurrency=concurrency,
            timeout=30.0,
            retry=retry or RetryPolicy(),
            max_rate=max_rate,
        )
        self.platform = platform
        self.latency = latency
        self.started: list[float] = []
        self.refused: list[float] = []
        self.in_flight = self.most_in_flight = 0

    def refusal(self, page: int) -> Exception | None:
        return None

    async def _exchange(self, query, page, per_page):
        self.started.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            error = self.refusal(page)
            await asyncio.sleep(self.latency)
            if error is not None:
                self.refused.append(self.started[-1])
                raise error
            return self.platform.answer(query, page, self.platform.size)
        finally:
            self.in_flight -= 1

    async def count(self, query) -> int:
        return (await self.fetch(query, 1, 1, self.tally)).total

    def scan(self, concurrency=8) -> Scan:
        self.tally = Tally()
        return Scan(
            WINDOW,
            lambda query, page: self.start(query, page, self.platform.size, self.tally),
            self.count,
            concurrency=concurrency,
            integrity="repair",
        )


def platform_of(pages: int) -> Platform:
    return Platform([(second, second) for second in range(1, pages * 10 + 1)], size=10)


def http(status: int, retry_after: float | None = None) -> ResponseError:
    return ResponseError(status, 1, "busy", transient=True, retry_after=retry_after)


@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_a_platform_that_allows_20_requests_a_second_refuses_less_than_a_tenth_once_the_pull_has_settled(retry_after):
    class Limited(Wire):
        def refusal(self, page):
            now = self.started[-1]
            let_through = [at for at in self.started[-200:] if now - 1 < at and at not in self.refused]
            return http(429, retry_after) if len(let_through) > 20 else None

    async def pull():
        wire = Limited(platform_of(50), latency=0.002, retry=RetryPolicy(attempts=50))
        rows = []
        for _ in range(10):
            cdrs, error = await read(wire.scan())
            assert error is None
            rows.append(len(cdrs))
        return wire, rows

    wire, rows = run(pull())
    assert rows == [500] * 10
    settled = wire.started[0] + 3
    after = [at for at in wire.started if at > settled]
    refused = [at for at in wire.refused if at > settled]
    assert len(refused) < 0.1 * len(after)
    assert wire.started[-1] - wire.started[0] < 500 / 20 * 3


def test_trouble_halves_the_requests_in_flight_once_a_round_and_good_answers_bring_them_back():
    async def go():
        pace = Pace(8, None)
        seen = []

        async def one(outcome):
            async with pace.turn() as mark:
                await asyncio.sleep(1)
                if outcome == "good":
                    pace.good()
                else:
                    pace.trouble(mark, too_many=False, pause=0)

        await asyncio.gather(*(one("bad") for _ in range(8)))
        seen.append(pace._allowed)
        await asyncio.gather(*(one("bad") for _ in range(20)))
        seen.append(pace._allowed)
        for _ in range(12):
            await asyncio.gather(*(one("good") for _ in range(8)))
        seen.append(pace._allowed)
        return seen, pace

    seen, pace = run(go())
    assert seen == [4.0, 1.0, 8.0]
    assert pace._permits._value == 8
    assert pace._withheld == 0


def test_a_platform_that_is_down_gets_a_trickle_not_a_storm():
    class Down(Wire):
        def refusal(self, page):
            return http(503) if len(self.started) > 40 else None

    async def pull():
        wire = Down(platform_of(2000), concurrency=32, latency=0.01, retry=RetryPolicy(attempts=100, wait_max=1))
        rows = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(120):
                async for page in wire.scan(32).pages():
                    rows += page
        await wire.aclose()
        return wire

    wire = run(pull())
    seconds = Counter(int(at) for at in wire.refused)
    assert sum(seconds[second] for second in range(30, 120)) <= 90 * 2
    assert max(seconds.values()) <= 32 + 40


def test_a_request_that_waits_for_its_next_try_holds_no_place():
    class OneBad(Wire):
        def refusal(self, page):
            return http(503, retry_after=60) if page == 1 and len(self.started) == 1 else None

    async def go():
        wire = OneBad(platform_of(2), concurrency=1)
        waiting = wire.start(WINDOW, 1, 10, Tally())
        while not wire.refused:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(0.001), wire._pace._permits:
            pass
        await waiting
        return wire.started[-1]

    assert 60 <= run(go()) < 61


@pytest.mark.parametrize(
    ("error", "tries"),
    [(http(503, 121), 1), (http(404), 3), (SystemFailureError(1000, ""), 3), (TransportError("reset"), 3)],
)
def test_tries_are_counted_and_a_retry_after_past_two_minutes_ends_them(error, tries):
    class Always(Wire):
        def refusal(self, page):
            return error

    async def go():
        wire = Always(platform_of(1), retry=RetryPolicy(attempts=3))
        tally = Tally()
        with pytest.raises(type(error)):
            await wire.fetch(WINDOW, 1, 10, tally)
        return tally

    tally = run(go())
    assert (tally.requests, tally.retries) == (tries, tries - 1)


def test_waits_double_and_stay_below_their_bound():
    class Always(Wire):
        def refusal(self, page):
            return http(500)

    async def go():
        wire = Always(platform_of(1), latency=0, retry=RetryPolicy(attempts=8, wait_initial=1.0, wait_max=10.0))
        with pytest.raises(ResponseError):
            await wire.fetch(WINDOW, 1, 10, Tally())
        return wire.started

    started = run(go())
    waits = [later - earlier for earlier, later in pairwise(started)]
    assert all(
        low <= wait <= high + 0.6
        for wait, low, high in zip(waits, [1, 2, 4, 8, 10, 10, 10], [2, 3, 5, 9, 10, 10, 10], strict=True)
    )


@settings(max_examples=cases(40))
@given(st.integers(1, 200), st.integers(1, 30))
def test_a_maximum_rate_holds_over_any_second(rate, concurrency):
    async def go():
        wire = Wire(platform_of(60), concurrency=concurrency, max_rate=rate, latency=0.001)
        cdrs, _ = await read(wire.scan(concurrency))
        assert len(cdrs) == 600
        return wire.started

    started = run(go())
    assert all(sum(at <= other < at + 1 for other in started) <= rate + 1 for at in started)
    assert all(later - earlier >= 0.99 / rate for earlier, later in pairwise(started))


def test_the_ceiling_is_never_passed():
    async def go():
        wire = Wire(platform_of(60), concurrency=5)
        await asyncio.gather(*(read(wire.scan(5)) for _ in range(4)))
        return wire.most_in_flight

    assert run(go()) == 5
