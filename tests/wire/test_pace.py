"""Retries, budgets and rates, by a clock of their own."""

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import count, pairwise, product
from math import inf
from types import SimpleNamespace

import pytest
from clock import run
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import cases, some
from simulation import WINDOW, Platform, read
from yarl import URL

from infin8_async import (
    CdrQuery,
    Credentials,
    Infin8Error,
    ResponseError,
    RetryPolicy,
    SystemFailureError,
    TransportError,
)
from infin8_async._pull.scan import Scan
from infin8_async._wire.pace import Pace
from infin8_async._wire.transport import Tally, Transport


class Wire(Transport):
    """A transport whose exchanges are with a platform in memory, `latency` seconds away."""

    def __init__(
        self, platform: Platform, *, concurrency=8, max_rate=None, pace=None, retry=None, latency=0.05
    ) -> None:
        super().__init__(
            SimpleNamespace(connector=None),
            Credentials("a", "k", username="u"),
            URL("http://localhost"),
            pace=pace or Pace(concurrency, max_rate),
            timeout=30.0,
            retry=retry or RetryPolicy(),
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
            return self.platform.answer(query, page, per_page)
        finally:
            self.in_flight -= 1

    async def count(self, query) -> int:
        return (await self.fetch(query, 1, 1, self.tally)).total

    def scan(self, concurrency=8) -> Scan:
        self.tally = Tally()
        return Scan(
            WINDOW,
            lambda query, page, rows: self.start(self.fetch(query, page, rows, self.tally)),
            concurrency=concurrency,
            integrity="repair",
            per_page=self.platform.size,
        )


def platform_of(pages: int, size: int = 10) -> Platform:
    return Platform([(second, second) for second in range(1, pages * size + 1)], size=size)


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
    async def round_of(pace: Pace, line, requests: int, error: ResponseError | None) -> int:
        in_flight = most = 0

        async def one():
            nonlocal in_flight, most
            with suppress(ResponseError):
                async with pace.turn(line):
                    in_flight += 1
                    most = max(most, in_flight)
                    await asyncio.sleep(1)
                    in_flight -= 1
                    if error is not None:
                        raise error

        await asyncio.gather(*(one() for _ in range(requests)))
        return most

    async def go():
        pace = Pace(8)
        line = pace.join()
        seen = [await round_of(pace, line, 1, http(503)), await round_of(pace, line, 8, None)]
        for _ in range(12):
            seen.append(await round_of(pace, line, 8, None))
        return seen

    seen = run(go())
    assert seen[:2] == [1, 4]
    assert seen == sorted(seen)
    assert seen[-1] == 8


@pytest.mark.parametrize("error", [http(503), http(500), TransportError("reset")])
def test_a_single_failure_does_not_space_requests(error):
    async def go():
        pace = Pace(8)
        line = pace.join()
        with suppress(Infin8Error):
            async with pace.turn(line):
                raise error
        starts = []
        for _ in range(20):
            async with pace.turn(line):
                starts.append(asyncio.get_running_loop().time())
        return starts

    started = run(go())
    assert started[-1] - started[0] < 0.01


class LeakyBucket(Wire):
    """What nginx's limit_req does: *rate* requests a second pass, and *burst* more at once; the others are refused."""

    def __init__(self, *args, rate, status, burst=1, **options) -> None:
        super().__init__(*args, **options)
        self.rate = rate
        self.burst = burst
        self.status = status
        self.level = 0.0
        self.passed_at = -inf

    def refusal(self, page):
        level = max(self.level - self.rate * (self.started[-1] - self.passed_at) + 1, 0)
        if level > self.burst:
            return http(self.status)
        self.level, self.passed_at = level, self.started[-1]
        return None

    @property
    def ideal(self) -> float:
        return (len(self.started) - len(self.refused) - 1 - self.burst) / self.rate


@pytest.mark.parametrize(("status", "rate"), some(list(product((429, 503), (2, 5, 10, 20))), 4))
def test_a_rate_limit_is_found_and_kept_whichever_status_says_it(status, rate):
    async def pull():
        wire = LeakyBucket(platform_of(rate * 15), rate=rate, status=status, latency=0.01)
        cdrs, error = await read(wire.scan())
        assert (len(cdrs), error) == (rate * 150, None)
        return wire

    wire = run(pull())
    assert wire.started[-1] < 1.5 * wire.ideal
    assert len(wire.refused) <= 18 + 0.05 * len(wire.started)  # 8 of them come before anything can be known


def test_a_session_that_was_slowed_down_is_at_full_speed_again_soon_after_the_limit_is_gone():
    class LimitedAtFirst(LeakyBucket):
        def refusal(self, page):
            return super().refusal(page) if self.started[-1] < 20 else None

    async def pull():
        wire = LimitedAtFirst(platform_of(1500, size=2), rate=10, status=429, latency=0.05)
        await read(wire.scan())
        return wire

    started = run(pull()).started
    by_second = Counter(int(at) for at in started)
    assert by_second[18] <= 11
    # From 0.9 to 1.1 of a limit of 11 or 12 the rate creeps, by 0.008 an answer: some 290 answers, in at most 25 s.
    # Then it grows by a tenth an answer, to 160 in three more.
    assert next(second for second in count(20) if by_second[second] >= 120) <= 20 + 25 + 3


@pytest.mark.parametrize(
    ("error", "concurrency"), some([(http(429), 8), (http(503), 50), (TransportError("refused"), 50)], 2)
)
def test_an_outage_of_two_seconds_costs_seconds_and_no_stream_more_than_others(error, concurrency):
    class Outage(Wire):
        down = range(2, 4)

        def refusal(self, page):
            return error if int(self.started[-1]) in self.down else None

    async def ends(down: range):
        wire = Outage(platform_of(20), concurrency=concurrency, latency=0.008 * concurrency)
        wire.down = down

        async def pull():
            _, failure = await read(wire.scan(concurrency))
            assert failure is None
            return asyncio.get_running_loop().time()

        return await asyncio.gather(*(pull() for _ in range(50)))

    without, with_it = run(ends(range(0))), run(ends(range(2, 4)))
    assert max(without) == pytest.approx(8, abs=0.5)
    assert max(with_it) < max(without) + 10
    assert all(later - earlier < 10 for earlier, later in zip(sorted(without), sorted(with_it), strict=True))


def test_no_stream_starves_behind_the_retries_of_another():
    class OneWindowFails(Wire):
        bad = CdrQuery(WINDOW.starttime, WINDOW.endtime, extnumber="1")

        async def _exchange(self, query, page, per_page):
            self.failing = query == self.bad
            return await super()._exchange(query, page, per_page)

        def refusal(self, page):
            return http(500) if self.failing else None

    async def go():
        wire = OneWindowFails(platform_of(20))
        bad = [wire.start(wire.fetch(wire.bad, page, 10, Tally())) for page in range(1, 9)]
        before = asyncio.get_running_loop().time()
        cdrs, _ = await read(wire.scan())
        took = asyncio.get_running_loop().time() - before
        assert any(not task.done() for task in bad)
        await wire.aclose()
        return len(cdrs), took

    rows, took = run(go())
    assert rows == 200
    assert took < 4


def test_callers_who_give_up_leave_no_gap():
    async def go():
        pace = Pace(1)
        line = pace.join()
        for _ in range(20):
            with suppress(ResponseError):
                async with pace.turn(line):
                    raise http(429)
        waiting = [asyncio.create_task(pace.turn(line).__aenter__()) for _ in range(500)]
        await asyncio.sleep(0.001)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        before = asyncio.get_running_loop().time()
        async with pace.turn(line):
            return asyncio.get_running_loop().time() - before

    assert run(go()) <= 10


def test_a_session_whose_callers_give_up_after_a_second_goes_on_sending():
    async def go():
        wire = LeakyBucket(platform_of(1), rate=1, status=429, burst=0)
        for _ in range(600):
            with suppress(TimeoutError, ResponseError):
                async with asyncio.timeout(1):
                    await asyncio.gather(*(wire.fetch(WINDOW, 1, 10, Tally()) for _ in range(8)))
            await asyncio.sleep(0.01)
        return [*wire.started, asyncio.get_running_loop().time()]

    assert max(later - earlier for earlier, later in pairwise(run(go()))) <= 11


@given(st.integers(1, 50), st.integers(1, 30), st.floats(0.1, 120))
@settings(max_examples=cases(30))
def test_a_maximum_rate_holds_after_a_pause_too(rate, waiting, pause):
    async def go():
        pace = Pace(30, rate)
        line = pace.join()
        started = []

        async def one():
            async with pace.turn(line):
                started.append(asyncio.get_running_loop().time())

        with suppress(ResponseError):
            async with pace.turn(line):
                raise http(503, pause)
        await asyncio.gather(*(one() for _ in range(waiting)))
        return started

    started = run(go())
    assert started[0] >= pause
    assert all(later - earlier >= 0.999 / rate for earlier, later in pairwise(started))


def test_after_a_pause_of_an_hour_was_refused_calls_are_refused_at_once_until_two_minutes_are_left():
    class Closed(Wire):
        def refusal(self, page):
            return http(429, 3600.0) if len(self.started) == 1 else None

    async def go():
        wire = Closed(platform_of(1))
        loop = asyncio.get_running_loop()
        left = []
        for at in (0, 10, 3000, 3470):
            await asyncio.sleep(at - loop.time())
            before = loop.time()
            with pytest.raises(ResponseError) as caught:
                await wire.fetch(WINDOW, 1, 10, Tally())
            assert loop.time() - before < 0.1
            left.append(round(caught.value.retry_after))
        await asyncio.sleep(3500 - loop.time())
        await wire.fetch(WINDOW, 1, 10, Tally())
        return left, [round(at) for at in wire.started]

    assert run(go()) == ([3600, 3590, 600, 130], [0, 3600])


def test_those_who_wait_out_a_short_pause_learn_at_once_that_it_became_a_long_one():
    async def go():
        pace = Pace(2)
        line = pace.join()

        async def refused(seconds: float, after: float):
            async with pace.turn(line):
                await asyncio.sleep(after)
                raise http(503, seconds)

        refusals = [asyncio.create_task(refused(100.0, 1)), asyncio.create_task(refused(3600.0, 2))]
        await asyncio.sleep(1.5)
        with pytest.raises(ResponseError):
            async with pace.turn(line):
                pass
        await asyncio.gather(*refusals, return_exceptions=True)
        return asyncio.get_running_loop().time()

    assert run(go()) < 3


def test_a_pause_that_makes_no_sense_ends_after_an_hour():
    async def go():
        pace = Pace(2)
        line = pace.join()
        with suppress(ResponseError):
            async with pace.turn(line):
                raise http(429, inf)
        await asyncio.sleep(3490)
        async with pace.turn(line):
            return asyncio.get_running_loop().time()

    assert 3600 <= run(go()) < 3601


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
                    rows += page.ids
        await wire.aclose()
        return wire

    wire = run(pull())
    seconds = Counter(int(at) for at in wire.refused)
    assert sum(seconds[second] for second in range(30, 120)) <= 90 * 2
    assert max(seconds.values()) <= 32 + 40


def test_a_request_that_waits_for_its_next_try_holds_no_place():
    class OneBad(Wire):
        def refusal(self, page):
            return http(503) if page == 1 and len(self.started) == 1 else None

    async def go():
        wire = OneBad(platform_of(2), concurrency=1)
        waiting = wire.start(wire.fetch(WINDOW, 1, 10, Tally()))
        while not wire.refused:
            await asyncio.sleep(0.01)
        assert (await wire.fetch(WINDOW, 2, 10, Tally())).page == 2
        assert not waiting.done()
        await waiting
        return wire.started

    first, other, again = run(go())
    assert other - first < 0.2
    assert 0.5 <= again - first < 1.2


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


@pytest.mark.parametrize("status", [429, 503])
def test_the_longest_wait_of_the_policy_bounds_the_spacing_too(status):
    class FailsOften(Wire):
        def refusal(self, page):
            return http(status) if len(self.started) <= 20 else None

    async def pull(wait_max: float):
        policy = RetryPolicy(attempts=50, wait_initial=0, wait_max=wait_max)
        wire = FailsOften(platform_of(8), latency=0.001, retry=policy)
        await read(wire.scan())
        return wire.started[-1]

    assert run(pull(0.0)) < 0.1
    assert run(pull(0.1)) < 4


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


# Several sessions under one budget


class Together:
    """Transports of two sessions that share a pace, to one platform."""

    def __init__(self, *kinds, **options) -> None:
        pace = Pace(8)
        self.wires = [kind(platform_of(50), pace=pace, **options) for kind in kinds]

    @property
    def started(self) -> list[float]:
        return sorted(at for wire in self.wires for at in wire.started)

    @property
    def refused(self) -> list[float]:
        return sorted(at for wire in self.wires for at in wire.refused)


def test_two_sessions_learn_the_limit_of_their_platform_together():
    both: Together

    class Limited(Wire):
        def refusal(self, page):
            now = self.started[-1]
            let_through = [at for at in both.started[-200:] if now - 1 < at and at not in both.refused]
            return http(429, 1.0) if len(let_through) > 20 else None

    async def pull():
        nonlocal both
        both = Together(Limited, Limited, latency=0.002, retry=RetryPolicy(attempts=50))
        return await asyncio.gather(*(read(wire.scan()) for wire in both.wires * 3))

    for cdrs, error in run(pull()):
        assert (len(cdrs), error) == (500, None)
    settled = both.started[0] + 3
    after = [at for at in both.started if at > settled]
    assert len([at for at in both.refused if at > settled]) < 0.1 * len(after)
    assert both.started[-1] - both.started[0] < 300 / 20 * 3


def test_a_pause_that_one_session_is_asked_for_holds_for_the_others():
    class Busy(Wire):
        def refusal(self, page):
            return http(429, 60.0) if len(self.started) == 1 else None

    async def go():
        both = Together(Busy, Wire, retry=RetryPolicy(attempts=2))
        asked = both.wires[0].start(both.wires[0].fetch(WINDOW, 1, 10, Tally()))
        while not both.refused:
            await asyncio.sleep(0.01)
        await both.wires[1].fetch(WINDOW, 1, 10, Tally())
        await asked
        return both.wires[1].started

    (started,) = run(go())
    assert started >= 60


def test_a_session_with_one_request_at_a_time_goes_before_the_many_of_another():
    async def go():
        both = Together(Wire, Wire)
        many, few = both.wires
        waiting = [many.start(many.fetch(WINDOW, page, 10, Tally())) for page in range(1, 400)]
        await asyncio.sleep(0.01)
        for page in range(1, 11):
            await few.fetch(WINDOW, page, 10, Tally())
        took = asyncio.get_running_loop().time()
        assert not all(task.done() for task in waiting)
        await many.aclose()
        return took

    assert run(go()) < 10 * 3 * 0.05  # each waits for a place at most, and no line of 400


@pytest.mark.parametrize("concurrency", [2, 8])
def test_a_session_whose_answers_do_not_come_leaves_the_others_a_place(concurrency):
    class Hangs(Wire):
        async def _exchange(self, query, page, per_page):
            await asyncio.sleep(30)
            raise TransportError("timeout")

    async def go():
        pace = Pace(concurrency)
        good, bad = Wire(platform_of(50), pace=pace), Hangs(platform_of(50), pace=pace)
        for page in range(1, 101):
            bad.start(bad.fetch(WINDOW, page, 10, Tally()))
        await asyncio.sleep(1)
        cdrs, error = await read(good.scan(concurrency))
        assert (len(cdrs), error) == (500, None)
        await bad.aclose()
        return asyncio.get_running_loop().time() - 1

    assert run(go()) < 60 * 0.05


def test_the_place_that_is_kept_for_a_session_is_free_again_when_that_is_closed():
    async def go():
        pace = Pace(4)
        busy, idle = Wire(platform_of(50), pace=pace), Wire(platform_of(50), pace=pace)
        most = []
        for closing in (None, idle):
            if closing:
                await closing.aclose()
            busy.most_in_flight = 0
            await read(busy.scan(4))
            most.append(busy.most_in_flight)
        return most

    assert run(go()) == [3, 4]
