"""What a poll costs, and what it finds, on platforms of every kind."""

import asyncio
import itertools
import random
from collections import Counter
from datetime import timedelta

import clock
import pytest
from attrs import evolve
from feed.centre import INTERVAL, Call, Centre, at, calls
from profiles import THOROUGH, cases

from infin8_async import CdrQuery

HOUR = timedelta(hours=1)


async def follow(centre, query, *, until=None, between=None):
    """Read a feed to its end, or up to a number of calls: how often each came, when, and its report."""
    got, times = Counter(), {}
    async with centre.follow(query) as feed:
        async for cdr in feed:
            got[cdr.id] += 1
            times[cdr.id] = asyncio.get_running_loop().time()
            if len(got) == until:
                break
            if between is not None:
                await between(len(got))
    return got, times, feed.report


@pytest.mark.parametrize(
    ("rate", "seconds", "mean", "lookback"),
    [(1, 14_400, 60, 60), (10, 5_400, 60, 60), (100, 300, 5, 2)]
    if THOROUGH
    else [(1, 1_200, 30, 10), (10, 200, 60, 60), (100, 90, 5, 1)],
)
def test_each_call_comes_once_within_two_intervals_and_a_poll_costs_four_requests_more_than_what_is_new(
    rate, seconds, mean, lookback
):
    """
    More than the stretches of time with new calls: the count, and the counts that find these stretches.

    What leaves the lookback is read once more, page by page, before it is forgotten: that is counted apart. Whatever is
    read costs little more than a request a page, though calls appear in it meanwhile.
    """
    made = calls(1, rate, seconds, mean=mean)
    centre = Centre(list(made), lookback=timedelta(minutes=lookback))
    got, times, _ = clock.run(follow(centre, CdrQuery(at(-1)), until=len(made)))
    assert set(got) == {call.id for call in made}
    assert set(got.values()) == {1}
    assert max(times[call.id] - call.appears for call in made) < 2 * INTERVAL.total_seconds()
    reads = {poll: centre.stretches(poll) for poll in centre.requests}
    over = [
        centre.requests[poll] - sum(read.requests for read in reads[poll] if read.new or read.leaving) for poll in reads
    ]
    assert max(over) <= 4
    stretches = list(itertools.chain(*reads.values()))
    assert sum(read.requests for read in stretches if read.leaving) <= 1.7 * len(made) / centre.size + len(over) / 5
    assert sum(read.requests for read in stretches) <= 1.3 * sum(
        read.rows for read in stretches
    ) / centre.size + 1.5 * len(stretches)


def test_within_a_poll_the_oldest_dial_time_comes_first():
    made = calls(3, 2, cases(900, 300), mean=200)
    centre = Centre(list(made), size=50)

    async def main():
        polls = []
        async with centre.follow(CdrQuery(at(-1))) as feed:
            while len(polls) < len(made):
                cdr = await anext(feed)
                polls.append((feed.report.polls, cdr.starttime))
        return polls

    for _, group in itertools.groupby(clock.run(main()), key=lambda entry: entry[0]):
        times = [time for _, time in group]
        assert times == sorted(times)


def test_after_an_hour_in_which_nobody_polled_everything_comes_at_once_in_windows():
    """36,000 calls within the lookback: more than one window holds."""
    rate = cases(10, 1)
    made = calls(2, rate, 4800, mean=30)
    centre = Centre(list(made))

    async def pause(received):
        if received == rate * 600:
            await asyncio.sleep(3600)

    got, times, report = clock.run(follow(centre, CdrQuery(at(-1)), until=len(made), between=pause))
    assert set(got.values()) == {1}
    assert len(got) == len(made)
    back = min(time for time in times.values() if time > 4000)
    late = {call.id: times[call.id] - max(call.appears, back) for call in made}
    assert max(late.values()) < 2 * INTERVAL.total_seconds()
    assert sum(centre.requests.values()) < 3 * len(made) / centre.size + 10 * report.polls


def everything(seed):
    """A platform of any kind, its calls, and those that are removed at some time."""
    chance = random.Random(seed)
    rate, compares = chance.choice((0.05, 0.2, 1)), chance.choice(("starttime", "answertime", "endtime"))
    made = calls(seed, rate, 1800, mean=chance.choice((5, 60, 200)), longest=550)
    if compares == "answertime":
        made = [evolve(call, answertime=call.answertime or call.starttime) for call in made]
    going = {
        call.id: call.appears + chance.choice((0, 20, 100, 1500)) * chance.random()
        for call in made
        if chance.random() < chance.choice((0, 0, 0.05, 0.3))
    }
    for call in chance.sample(made, len(made) // 10):  # one goes as another one comes
        other = chance.choice(made)
        if other.id not in going and other.appears < call.appears:
            going[other.id] = call.appears + 0.001
    centre = Centre(
        list(made), going, seed=seed, compares=compares, size=chance.choice((10, 50, 200)),
        bounds=chance.choice(("[]", "[)", "(]", "()")), newest_first=chance.random() < 0.5,
        ties=chance.random() < 0.7, apart=chance.choice((0, 0.5, 3)), latency=chance.choice((0.02, 1.0)),
        lookback=timedelta(minutes=10),
    )  # fmt: skip
    return made, going, centre


@pytest.mark.parametrize("seed", range(cases(200, 4)))
def test_nothing_that_stays_is_lost_and_nothing_comes_twice_whatever_goes_meanwhile(seed):
    made, going, centre = everything(seed)
    got, _, _ = clock.run(follow(centre, CdrQuery(at(-1), at(1800 + 600))))
    assert not {call.id for call in made if call.id not in going} - set(got)
    assert set(got.values()) <= {1}


@pytest.mark.parametrize("end", [None, 60])
def test_a_call_that_comes_as_another_goes_is_found_before_it_is_forgotten(end):
    """The count never shows it. A feed with an end looks once more before it ends."""
    first, second = Call(1, 10, 10, 10, 11.0), Call(2, 20, 20, 20, 100.0)
    centre = Centre([first, second], {1: 100.0})
    query = CdrQuery(at(-1), None if end is None else at(end))
    got, times, report = clock.run(follow(centre, query, until=2))
    assert got == {1: 1, 2: 1}
    assert times[2] < 2 * HOUR.total_seconds() + 60
    assert report.quiet > 100


def test_a_platform_that_ignores_times_gives_each_call_once_and_quiet_polls_stay_small():
    class Timeless(Centre):
        def held(self, query):
            return 0, len(self.there)

    made = calls(7, 0.01, 3600, first=-20_000)
    centre = Timeless(list(made), lookback=timedelta(minutes=10))

    async def main():
        got = Counter()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20_000):
                async for cdr in centre.follow(CdrQuery(at(-20_001))):
                    got[cdr.id] += 1
        return got, centre.feed.report

    got, report = clock.run(main())
    assert got == Counter(call.id for call in made)
    assert report.quiet > 500
    assert sum(centre.requests[poll] for poll in range(report.polls - 300, report.polls)) <= 300 + 120


def test_requests_stay_bounded_on_a_platform_whose_counts_are_nonsense():
    class Random(Centre):
        async def answer(self, query, page, size):
            answer = await super().answer(query, page, size)
            return evolve(answer, total=max(0, answer.total + self.chance.choice((-3, 0, 0, 5, 40))))

    made = calls(8, 1, 1200)
    centre = Random(list(made), size=100, lookback=timedelta(minutes=10))
    got, _, report = clock.run(follow(centre, CdrQuery(at(-1), at(1200))))
    assert set(got.values()) == {1}
    assert report.polls <= (1800 + 60) / 30
    assert max(centre.requests.values()) < 1000
