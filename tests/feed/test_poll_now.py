"""A feed that is asked to poll at once: when it polls, and when it does not."""

import asyncio
import itertools
import random
from datetime import timedelta
from threading import Thread

import clock
import pytest
from feed.centre import INTERVAL, Call, Centre, at
from profiles import cases
from pull.simulation import DAY

from infin8_async import CdrQuery, Infin8Session, TransportError
from infin8_async._feed.rhythm import Rhythm


def seconds():
    return asyncio.get_running_loop().time()


class Watched(Centre):
    """A call centre that takes note of when it was polled."""

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        self.polled = []
        self.down = []

    async def count(self, query):
        if len(self.polled) < self.feed.report.polls:
            self.polled.append(seconds())
            if any(first <= seconds() < last for first, last in self.down):
                raise TransportError("gone")
        return await super().count(query)


def call(number, appears):
    return Call(number, int(appears) - 5, int(appears) - 5, int(appears), appears)


def watch(calls, *, pushes=(), until=1000, down=(), reading=0, asked=False, **options):
    """
    Follow until a time, and have the feed poll now at some times.

    Returns:
        When it polled, and when each call came.
    """

    async def main():
        centre, came = Watched(list(calls), latency=0.02), {}
        centre.down = down
        feed = centre.follow(CdrQuery(at(-60)), **options)
        if asked:
            feed.poll_now()
        for push in pushes:
            asyncio.get_running_loop().call_at(push, feed.poll_now)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(until):
                async for cdr in feed:
                    came[cdr.id] = seconds()
                    await asyncio.sleep(reading)
        return centre.polled, came

    return clock.run(main())


def test_it_polls_at_once_and_then_again_after_growing_pauses_up_to_the_interval():
    polled, came = watch([call(1, 110)], pushes=[110.001], until=250)
    after = [round(time - 110.001, 1) for time in polled if time > 110]
    assert after == [0, 1, 3, 7, 15, 31, 61, 91, 121]
    assert came[1] < 110.3


@pytest.mark.parametrize("late", [0.5, 1, 2, 5, 12, 29])
def test_a_call_that_is_listed_some_time_after_its_push_comes_within_twice_that_time_and_a_second(late):
    _, came = watch([call(1, 110 + late)], pushes=[110.0], until=200)
    assert came[1] - 110 < 2 * late + 1.3


def test_a_push_for_another_call_meanwhile_does_not_end_the_search():
    _, came = watch([call(1, 112), call(2, 112.1)], pushes=[110.0, 112.05], until=200)
    assert came[2] < 114.3


def test_a_push_that_is_lost_costs_one_interval():
    _, came = watch([call(1, 110)], until=200)
    assert came[1] < 110 + INTERVAL.total_seconds() + 0.3


def test_a_flood_costs_one_poll_a_second_and_hides_nothing():
    calls = [call(number, 100 + number * 1.7) for number in range(30)]
    flood = [90 + n / 100 for n in range(10_000)]
    polled, came = watch(calls, pushes=flood, until=300)
    assert min(later - earlier for earlier, later in itertools.pairwise(polled)) >= 1
    assert len([time for time in polled if 90 <= time < 190]) <= 101
    assert max(came[c.id] - c.appears for c in calls) < 1.3


@pytest.mark.parametrize("seed", range(cases(100)))
def test_pushes_at_whatever_moments_cost_one_poll_a_second_and_one_more(seed):
    chance = random.Random(seed)
    step = chance.choice((0.1, 0.5, 1, 1.01, 1.5, 2.01, 3))
    pushes = [100 + n * step + chance.random() * chance.choice((0, 0.02, step)) for n in range(int(60 / step))]
    polled, _ = watch([], pushes=pushes, until=200)
    for first, last in itertools.combinations(range(len(polled)), 2):
        assert last - first <= polled[last] - polled[first] + 1.01


def test_a_poll_that_follows_another_push_delays_nobody():
    _, came = watch([call(1, 110), call(2, 111.1)], pushes=[110.001, 111.15], until=200)
    assert came[1] < 110.2
    assert came[2] < 111.3


def test_while_polls_fail_a_flood_brings_them_ever_less_often_and_the_first_good_one_hands_over():
    flood = [100 + n / 10 for n in range(2000)]
    polled, came = watch([call(1, 105)], pushes=flood, down=[(104, 160)], until=300)
    failing = [time for time in polled if 104 <= time < 160]
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(failing)]
    assert pauses == [2, 4, 8, 16]
    assert 160 <= came[1] < 170
    again = [time for time in polled if 170 < time < 290]
    assert {round(later - earlier) for earlier, later in itertools.pairwise(again)} == {1}


def test_what_was_asked_for_is_tried_again_soon_after_a_failure():
    _, came = watch([call(1, 110)], pushes=[110.001], down=[(110, 111)], until=300)
    assert came[1] < 112.5


def test_without_it_failures_double_the_pause_and_a_good_poll_resets_it():
    polled, _ = watch([], down=[(20, 200)], until=300)
    assert [round(later - earlier) for earlier, later in itertools.pairwise(polled)] == [30, 60, 120, 30, 30]


def test_it_is_kept_for_a_feed_whose_reader_is_busy():
    polled, came = watch([call(1, 10), call(2, 45)], pushes=[45.5], reading=40, until=100)
    assert came[1] < 31
    assert 70 < came[2] < 70.3
    assert [time for time in polled if 31 < time < 70] == []


def test_what_is_asked_for_before_the_first_poll_is_done_by_it():
    polled, _ = watch([], asked=True, until=4)
    assert [round(time) for time in polled] == [0, 1, 3]


def test_a_poll_under_way_may_have_missed_it_so_another_one_follows():
    _, came = watch([call(1, 30.05)], pushes=[30.06], until=40)
    assert came[1] < 30.2


def test_an_interval_of_less_than_a_second_is_kept():
    polled, _ = watch([], pushes=[1.0], until=2, interval=timedelta(seconds=0.2))
    assert len(polled) >= 9


def test_it_may_be_called_before_and_after_and_when_no_loop_runs():
    rhythm = Rhythm(INTERVAL)
    rhythm.poll_now()

    async def main():
        rhythm.begin()
        rhythm.end(failed=False)
        waiting = asyncio.ensure_future(rhythm.wait())
        await asyncio.sleep(0.1)
        return waiting

    clock.run(main())
    rhythm.poll_now()


class TestSession:
    """Over a real socket, at the real time."""

    async def test_any_number_of_threads_may_wake_a_feed_that_would_wait_for_an_hour(self, infin8_sandbox):
        query = CdrQuery(DAY, "2020-06-12 00:00:00")
        async with (
            Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session,
            session.follow(query, interval=timedelta(hours=1), lookback=timedelta(days=9999)) as feed,
        ):
            for _ in infin8_sandbox.ids():
                await anext(feed)
            waiting = asyncio.ensure_future(anext(feed))
            while feed.report.until is None:
                await asyncio.sleep(0)
            new = infin8_sandbox.add_call(starttime="2020-06-11 12:00:00")
            threads = [Thread(target=feed.poll_now) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            assert (await waiting).id == new
            assert feed.report.polls == 2
        feed.poll_now()
