"""Following new calls: each exactly once, whatever order they appear in, whenever it is stopped."""

import asyncio
import itertools
import json
import logging
import random
from contextlib import aclosing
from datetime import datetime, timedelta

import clock
import pytest
from attrs import evolve
from profiles import cases, some
from pull import simulation
from pull.simulation import DAY

from infin8_async import (
    BEIJING,
    AuthenticationError,
    CdrQuery,
    Credentials,
    Infin8Session,
    ResponseError,
    RetryPolicy,
    SystemFailureError,
    TransportError,
)
from infin8_async._feed import poll
from infin8_async._feed.checkpoint import Mark
from infin8_async._feed.feed import CdrFeed
from infin8_async._wire.transport import Tally
from infin8_async.models import platform_text
from infin8_async.stream import CdrStream

CREDENTIALS = Credentials("app", "key", username="user")
LOOKBACK = timedelta(minutes=10)
INTERVAL = timedelta(seconds=30)
NO_WAIT = RetryPolicy(attempts=1)


class Memory:
    """A checkpoint that keeps its text where a test can see it."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.saved = 0

    async def load(self):
        return self.text

    async def save(self, state):
        self.text = state
        self.saved += 1


class Platform(simulation.Platform):
    """One that is asked for counts, too: a request for page 0."""

    async def count(self, query):
        self.before_answer(self)
        self.requests.append((query, 0))
        return self.answer(query, 1, 1).total


def now():
    """What happens at a simulated loop's second 60 happens at 00:01:00."""
    return DAY + timedelta(seconds=asyncio.get_running_loop().time())


def query(*, minutes: int | None = None, start: datetime = DAY, **filters):
    return CdrQuery(start, None if minutes is None else DAY + timedelta(minutes=minutes), **filters)


def feed(platform, wanted=None, checkpoint=None, *, interval=INTERVAL, lookback=LOOKBACK, concurrency=3):
    wanted = wanted or query()
    mark = None if checkpoint is None else Mark(checkpoint, CREDENTIALS, wanted)

    def cdrs(window):
        return CdrStream(platform.scan(concurrency, query=window), Tally())

    return CdrFeed(wanted, cdrs, platform.count, interval=interval, lookback=lookback, mark=mark, now=now)


def ringing(arrivals: list[tuple[float, int, int]], **options) -> Platform:
    """A platform on which calls appear at a second of the loop's time: (appears, dialled, id)."""
    waiting = sorted(arrivals, reverse=True)

    def appear(platform: Platform) -> None:
        now = asyncio.get_running_loop().time()
        while waiting and waiting[-1][0] <= now:
            _, dialled, call = waiting.pop()
            platform.insert(dialled, call)

    class Ringing(Platform):
        async def count(self, query):
            appear(self)
            return await super().count(query)

        async def fetch(self, query, page, size):
            await asyncio.sleep(self.chance.random() * 2)
            return await super().fetch(query, page, size)

    return Ringing([], before_answer=appear, **options)


def busy_hour(seed: int) -> list[tuple[float, int, int]]:
    """Late, simultaneous, out of order, in bursts: a call appears when it ends, some minutes after it is dialled."""
    chance = random.Random(seed)
    arrivals, call = [], 0
    while call < 60:
        dialled = chance.randrange(3600)
        for _ in range(chance.choice((1, 1, 1, 2, 8))):
            call += 1
            lasts = chance.choice((0, 3, chance.randrange(500)))
            arrivals.append((dialled + lasts + chance.random(), dialled + chance.choice((0, 0, 1)), call))
    return arrivals


@pytest.mark.parametrize("seed", range(cases(200, 8)))
def test_each_call_comes_exactly_once_however_late_and_in_whatever_order_it_appears(seed):
    arrivals = busy_hour(seed)
    platform = ringing(
        arrivals, seed=seed, newest_first=bool(seed % 2), bounds=("[]", "[)", "(]", "()")[seed % 4], most_turns=4,
        by_id=seed % 5 == 0, shuffled_ties=seed % 3 == 0 and seed % 5 != 0,
    )  # fmt: skip
    start = DAY - timedelta(seconds=1)  # whichever bounds the platform includes

    async def main():
        following = feed(platform, query(minutes=61, start=start))
        got, chance = [], random.Random(seed)
        async for cdr in following:
            got.append(cdr.id)
            assert len(following._memory) <= len(arrivals)
            if chance.random() < 0.05:
                await asyncio.sleep(chance.choice((1, 40, 300)))
        return got

    assert sorted(clock.run(main())) == sorted(call for _, _, call in arrivals)


@pytest.mark.parametrize("clean", [True, False])
def test_stopped_at_every_step_and_started_again_nothing_is_lost(clean):
    """A crash repeats what was in the reader's hands and no more; a clean stop repeats nothing."""
    arrivals = busy_hour(1)[:40]

    async def main(stop_after):
        platform = ringing(arrivals, seed=stop_after)
        checkpoint, got, stops = Memory(), [], 0
        wanted = query(minutes=61, start=DAY - timedelta(seconds=1))
        while True:
            before = len(got)
            following = feed(platform, wanted, checkpoint)
            async for cdr in following:
                got.append(cdr.id)
                if len(got) - before == stop_after:
                    break
            else:
                return got, stops
            stops += 1
            if clean:
                await following.aclose()
            else:
                await following._polls.aclose()  # what a crash leaves: nothing is marked any more

    expected = sorted(call for _, _, call in arrivals)
    for stop_after in some(range(2, len(arrivals) + 1), 8):
        got, stops = clock.run(main(stop_after))
        assert sorted(set(got)) == expected
        assert stops > 0
        assert len(got) == len(expected) + (0 if clean else stops)


def test_a_reader_that_takes_one_call_a_life_gets_on_when_it_stops_cleanly():
    arrivals = busy_hour(2)[:15]

    async def main():
        platform = ringing(arrivals)
        checkpoint, got = Memory(), []
        while len(got) < len(arrivals):
            async with feed(platform, checkpoint=checkpoint) as following:
                got.append((await anext(following)).id)
        return got

    assert sorted(clock.run(main())) == sorted(call for _, _, call in arrivals)


def test_what_an_exception_interrupts_comes_again():
    async def main():
        platform, checkpoint, got = ringing([(0, 0, 1), (1, 1, 2)]), Memory(), []
        with pytest.raises(ZeroDivisionError):
            async with aclosing(feed(platform, checkpoint=checkpoint)) as following:
                async for cdr in following:
                    got.append(cdr.id)
                    raise ZeroDivisionError
        async with feed(platform, checkpoint=checkpoint) as following:
            got += [(await anext(following)).id, (await anext(following)).id]
        return got

    first, *rest = clock.run(main())
    assert sorted(rest) == [1, 2]
    assert first in rest


def test_cancelled_while_it_waits_it_repeats_nothing():
    async def main():
        platform, checkpoint, got = ringing([(0, 0, 1), (0, 1, 2), (200, 150, 3)]), Memory(), []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                async for cdr in feed(platform, checkpoint=checkpoint):
                    got.append(cdr.id)
        following = feed(platform, checkpoint=checkpoint)
        got.append((await anext(following)).id)
        await following.aclose()
        return got

    assert sorted(clock.run(main())) == [1, 2, 3]


def test_a_quiet_poll_costs_one_small_request_though_its_window_moves():
    """
    Two hours without a new call: calls leave the window one by one, and every poll is one count.

    Half a page at a time, they are read once more before they are forgotten.
    """
    calls = [(0.0, -second, 1000 - second) for second in range(0, 500, 7)]

    async def main():
        platform = ringing(calls)
        following = feed(platform, query(start=DAY - timedelta(minutes=20)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7200):
                got = [cdr.id async for cdr in following]
                assert got is None
        return platform, following.report

    platform, report = clock.run(main())
    assert report.received == len(calls)
    assert report.polls == 240
    assert report.quiet == 239
    pages = [page for _, page in platform.requests if page]
    assert len(platform.requests) - len(pages) == 240
    assert len(pages) <= -(-len(calls) // 10) + len(calls) // 5


def test_memory_is_bounded_by_the_calls_of_one_lookback():
    calls = [(float(second), second, second) for second in range(0, 20_000, 10)]

    async def main():
        following = feed(ringing(calls, size=100), query(minutes=340))
        most = 0
        async for _ in following:
            most = max(most, len(following._memory))
        return most

    lookback = LOOKBACK * 1.1 + INTERVAL * 4  # the start moves on in steps of a tenth
    assert clock.run(main()) <= lookback.total_seconds() / 10 + 1


def test_a_backlog_is_read_in_windows_oldest_first(monkeypatch):
    monkeypatch.setattr(poll, "_AT_ONCE", 100)
    calls = [(0.0, -second, 100_000 - second) for second in range(0, 60_000, 20)]

    async def main():
        platform, checkpoint = ringing(calls, size=20), Memory()
        following = feed(platform, query(start=DAY - timedelta(days=1)), checkpoint)
        got, most = [], 0
        async for cdr in following:
            got.append(cdr)
            most = max(most, len(following._memory))
            if len(got) == len(calls):
                break
        return got, most, platform

    got, most, platform = clock.run(main())
    assert len({cdr.id for cdr in got}) == len(calls)
    assert most <= 300
    days = [cdr.starttime for cdr in got]
    assert all(later > earlier - timedelta(hours=1) for earlier, later in itertools.pairwise(days))
    counts = sum(page == 0 for _, page in platform.requests)
    assert counts < 4 * len(calls) / 100


def test_after_an_outage_it_catches_up_from_where_it_was():
    calls = [(float(second), second, second) for second in range(0, 30_000, 100)]

    async def main():
        platform, checkpoint, got = ringing(calls, size=50), Memory(), []
        async with feed(platform, checkpoint=checkpoint) as following:
            async for cdr in following:
                got.append(cdr.id)
                if cdr.starttime > DAY + timedelta(minutes=20):
                    break
        await asyncio.sleep(18_000)
        late = query(start=DAY + timedelta(hours=5))  # a service that asks for the last hour at each of its starts
        async with feed(platform, late, checkpoint) as following:
            async for cdr in following:
                got.append(cdr.id)
                if len(got) == len(calls):
                    break
        return got

    assert sorted(clock.run(main())) == [second for _, _, second in calls]


def test_it_asks_nothing_while_its_reader_is_busy():
    async def main():
        platform = ringing([(0, 0, 1), (50, 40, 2)])
        following = feed(platform)
        await anext(following)
        asked = len(platform.requests)
        await asyncio.sleep(86_400)
        assert len(platform.requests) == asked
        assert (await anext(following)).id == 2
        await following.aclose()

    clock.run(main())


def test_how_late_calls_come_is_measured_and_a_short_lookback_warned_about(caplog):
    async def main():
        platform = ringing([(0, 0, 1), (300, 290, 2), (590, 10, 3)])
        following = feed(platform)
        seen = []
        for _ in range(3):
            await anext(following)
            seen.append(following.report.lateness)
        await following.aclose()
        return seen

    none, little, much = clock.run(main())
    assert none is None
    assert timedelta() <= little < timedelta(seconds=30)
    assert timedelta(seconds=540) < much < timedelta(seconds=590)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "0:10:00" in caplog.text


class TestFailures:
    def failing(self, *errors):
        coming = list(errors)

        class Failing(Platform):
            def __attrs_post_init__(self):
                super().__attrs_post_init__()
                self.asked = []

            async def count(self, query):
                self.asked.append(asyncio.get_running_loop().time())
                if coming:
                    raise coming.pop(0)
                return await super().count(query)

        return Failing([(0, 1)])

    def test_are_logged_and_made_good_by_the_next_poll_after_a_growing_pause(self, caplog):
        failures = [
            TransportError("gone"),
            SystemFailureError(1000, "busy"),
            ResponseError(502, 1, "x", transient=True),
        ]

        async def main():
            platform = self.failing(*failures)
            following = feed(platform)
            await anext(following)
            await following.aclose()
            return platform.asked, following.report

        asked, report = clock.run(main())
        pauses = [round(later - earlier) for earlier, later in itertools.pairwise(asked)]
        assert pauses == [60, 120, 240]
        assert report.failed == 3
        assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3

    def test_the_longest_pause_is_ten_minutes(self):
        async def main():
            platform = self.failing(*[TransportError("gone") for _ in range(12)])
            following = feed(platform)
            await anext(following)
            await following.aclose()
            return platform.asked

        asked = clock.run(main())
        assert round(max(later - earlier for earlier, later in itertools.pairwise(asked))) == 600

    @pytest.mark.parametrize(
        "error", [AuthenticationError(1005, "no"), ResponseError(200, 1, "row 1, field id is empty")]
    )
    def test_refusals_are_raised_and_end_it(self, error):
        async def main():
            following = feed(self.failing(error))
            with pytest.raises(type(error)):
                await anext(following)
            with pytest.raises(RuntimeError, match=type(error).__name__):
                await anext(following)

        clock.run(main())

    def test_an_incomplete_poll_is_made_good_by_the_next(self, caplog):
        """A platform that counts a call before it gives it."""

        class Promising(Platform):
            async def count(self, query):
                return await super().count(query) + self.ahead()

            def answer(self, query, page, size):
                answer = super().answer(query, page, size)
                return evolve(answer, total=answer.total + self.ahead())

            def ahead(self):
                return int(asyncio.get_running_loop().time() < 45)

        async def main():
            platform = Promising([(0, 1), (5, 2)])
            got = []
            async for cdr in feed(platform, query(minutes=1)):
                got.append(cdr.id)
                if len(got) == 2:
                    platform.insert(6, 3)
            return got

        assert sorted(clock.run(main())) == [1, 2, 3]
        messages = [record.getMessage() for record in caplog.records]
        assert all("makes it good" in message for message in messages[:-1])
        assert messages[1:]
        assert messages[-1] == "polls for new calls work again"

    def test_a_platform_that_always_counts_too_many_does_not_stop_it(self, caplog):
        class Boasting(Platform):
            async def count(self, query):
                return await super().count(query) + 1

            def answer(self, query, page, size):
                answer = super().answer(query, page, size)
                return evolve(answer, total=answer.total + 1)

        async def main():
            platform, got = Boasting([(0, 1)]), []
            following = feed(platform)
            async for cdr in following:
                got.append(cdr.id)
                if len(got) == 4:
                    break
                await asyncio.sleep(1000)
                platform.insert(int(asyncio.get_running_loop().time()), cdr.id + 1)
            await following.aclose()
            return got, following.report

        got, report = clock.run(main())
        assert got == [1, 2, 3, 4]
        assert report.until is not None
        assert "go on without" in caplog.text


def test_a_row_that_vanishes_and_returns_is_not_given_again():
    """Two replicas behind one address, one of which lags."""

    async def main():
        platform = ringing([(0, 0, 1), (0, 5, 2), (90, 80, 3), (150, 140, 4)])
        got = []
        async for cdr in feed(platform, query(minutes=4)):
            got.append(cdr.id)
            if cdr.id == 3:
                platform.rows.remove((5, 2))
            if cdr.id == 4:
                platform.rows.append((5, 2))
        return got

    assert sorted(clock.run(main())) == [1, 2, 3, 4]


def test_with_an_end_it_ends_one_lookback_after_it():
    async def main():
        platform = ringing([(0, 0, 1), (600, 50, 2), (600, 70, 3)])
        got = [cdr.id async for cdr in feed(platform, query(minutes=1))]
        return got, asyncio.get_running_loop().time()

    got, ended = clock.run(main())
    assert got == [1, 2]
    assert 660 <= ended < 700


def test_one_reader_and_an_end_that_stays(caplog):
    async def main():
        following = feed(ringing([(0, 0, 1)]), query(minutes=1), lookback=timedelta(seconds=1))
        first = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="two readers"):
            await anext(following)
        with pytest.raises(RuntimeError, match="cancel its reader"):
            await following.aclose()
        assert (await first).id == 1
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(following)
            await following.aclose()
        with pytest.raises(TypeError, match="async for"):
            iter(following)

    clock.run(main())


def test_a_feed_that_was_closed_is_not_taken_for_one_that_has_ended():
    async def main():
        following = feed(ringing([(0, 0, 1)]), query(minutes=1))
        async with following:
            await anext(following)
        with pytest.raises(RuntimeError, match="was closed"):
            await anext(following)

    clock.run(main())


def test_it_shows_how_far_it_is_and_no_number():
    async def main():
        following = feed(ringing([(0, 0, 1)]), query(minutes=1, disnumber="13812345678"))
        since = f"<CdrFeed from {platform_text(DAY)} to {platform_text(DAY + timedelta(minutes=1))}:"
        assert repr(following) == f"{since} 0 calls in 0 polls (0 failed), open>"
        await anext(following)
        assert repr(following) == f"{since} 1 calls in 1 polls (0 failed), open>"
        await following.aclose()
        assert repr(following) == f"{since} 1 calls in 1 polls (0 failed), was closed>"

    clock.run(main())


def test_batches_are_taken_together():
    async def main():
        platform, checkpoint = ringing([(0, -second, second) for second in range(35)]), Memory()
        sizes = []
        async with (
            feed(platform, query(start=DAY - timedelta(hours=1)), checkpoint) as following,
            aclosing(following.batches()) as batches,
        ):
            async for cdrs in batches:
                sizes.append(len(cdrs))
                if sum(sizes) == 35:
                    break
        return sizes, json.loads(checkpoint.text)

    sizes, state = clock.run(main())
    assert sizes == [10, 10, 10, 5]
    assert sorted(state["ids"]) == list(range(35))


def test_batches_end_with_the_feed():
    async def main():
        following = feed(ringing([(0, 0, 1)]), query(minutes=1))
        return [len(cdrs) async for cdrs in following.batches()]

    assert clock.run(main()) == [1]


class TestSession:
    """Over a real socket, at the real time."""

    async def test_new_calls_come_as_they_appear_and_a_restart_goes_on(self, infin8_sandbox, tmp_path):
        sandbox, path = infin8_sandbox, tmp_path / "new.json"
        now = datetime.now(BEIJING)
        dialled = f"{now - timedelta(seconds=30):%Y-%m-%d %H:%M:%S}"
        sandbox.add_call(starttime=dialled, endtime=dialled)
        options = {"interval": timedelta(milliseconds=20), "checkpoint": path}
        wanted = CdrQuery(now - timedelta(minutes=5))
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url, retry=NO_WAIT) as session:
            async with session.follow(wanted, **options) as following:
                got = [(await anext(following)).id]
                waiting = asyncio.ensure_future(anext(following))
                await sandbox.wait_for_requests(len(sandbox.requests) + 3)
                sandbox.fail(2, status=500)
                sandbox.add_call(starttime=dialled, endtime=dialled)
                got.append((await waiting).id)
            sandbox.add_call(starttime=dialled, endtime=dialled)
            async with session.follow(wanted, **options) as following:
                got.append((await anext(following)).id)
        assert sorted(got) == sandbox.ids(starttime=dialled)[::-1]

    async def test_the_sessions_end_ends_it(self, infin8_sandbox):
        async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
            following = session.follow(CdrQuery("2020-06-10 00:00:00"), interval=timedelta(milliseconds=1))
            await anext(following)
        with pytest.raises(RuntimeError, match="closed"):
            async for _ in following:
                pass

    async def test_the_sessions_end_ends_it_while_it_waits(self, infin8_sandbox):
        async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
            following = session.follow(CdrQuery(datetime.now(BEIJING)), interval=timedelta(hours=1))
            waiting = asyncio.ensure_future(anext(following))
            await infin8_sandbox.wait_for_requests(1)
            while following.report.until is None:
                await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="closed"):
            await waiting

    async def test_the_end_may_be_the_end_of_the_calendar(self, infin8_sandbox):
        async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
            for lookback in (timedelta(hours=1), timedelta.max):
                wanted = CdrQuery("2020-06-10 00:00:00", "9999-12-31 23:59:59")
                async with session.follow(wanted, interval=timedelta(seconds=0.01), lookback=lookback) as following:
                    await anext(following)
                    list(following._rows)
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(0.1):
                            await anext(following)
                    assert following.report.polls > 1

    @pytest.mark.parametrize("option", ["interval", "lookback"])
    async def test_an_interval_or_lookback_of_nothing_is_refused(self, infin8_sandbox, option):
        async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
            with pytest.raises(ValueError, match=option):
                session.follow(CdrQuery("2020-06-10 00:00:00"), **{option: timedelta()})

    async def test_a_checkpoint_that_cant_be_written_is_an_error_that_names_it(self, infin8_sandbox, tmp_path):
        path = tmp_path / "nowhere" / "new.json"
        async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
            following = session.follow(CdrQuery("2020-06-10 00:00:00"), checkpoint=str(path))
            with pytest.raises(FileNotFoundError) as caught:
                await anext(following)
            assert str(path) in str(caught.value)
