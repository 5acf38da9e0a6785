"""Sessions that share a budget."""

import asyncio
from datetime import date

import aiohttp
import pytest

from infin8_async import Budget, CdrQuery, Credentials, Infin8Session
from infin8_async.testing import Sandbox

DAY = CdrQuery.day(date(2020, 6, 10))
CREDENTIALS = Credentials("a", "k", username="u")


async def test_two_sessions_of_one_budget_have_no_more_requests_in_flight_than_it_allows():
    budget = Budget(3)
    async with Sandbox(600, latency=0.002) as sandbox:
        options = {"base_url": sandbox.base_url, "per_page": 20, "budget": budget}
        async with (
            Infin8Session(sandbox.credentials, **options) as one,
            Infin8Session(sandbox.credentials, **options) as another,
        ):
            pulls = [one.cdrs(DAY), another.cdrs(DAY)]
            for calls in await asyncio.gather(*(pull.collect() for pull in pulls)):
                assert [cdr.id for cdr in calls] == sandbox.ids()
            assert all(pull.report.certified for pull in pulls)
            await one.aclose()  # leaving the block closes it once more
        assert sandbox.most_in_flight == 3


async def test_the_rate_of_a_budget_is_that_of_all_its_sessions():
    rate = 200
    async with Sandbox(10) as sandbox:
        budget = Budget(max_rate=rate)
        begin = asyncio.get_running_loop().time()
        async with (
            Infin8Session(sandbox.credentials, base_url=sandbox.base_url, budget=budget) as one,
            Infin8Session(sandbox.credentials, base_url=sandbox.base_url, budget=budget) as another,
        ):
            await asyncio.gather(*(session.count(DAY) for session in (one, another) for _ in range(10)))
        # The n-th request left n / rate after the first at the earliest, and arrived later than that.
        for number, request in enumerate(sandbox.requests):
            assert request.at >= begin + number / rate - 1e-6


@pytest.mark.parametrize("options", [{"concurrency": 8}, {"concurrency": 2}, {"max_rate": 5}])
def test_a_budget_and_a_limit_of_ones_own_exclude_each_other(options):
    with pytest.raises(ValueError, match="give them to Budget"):
        Infin8Session(CREDENTIALS, budget=Budget(), **options)


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"concurrency": 1.5}, {"max_rate": 0}, {"max_rate": -1}])
def test_a_budget_of_nothing(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Budget(**options)


def test_a_budget_is_of_one_loop():
    budget = Budget(2, 5)
    assert (budget.concurrency, budget.max_rate, repr(budget)) == (2, 5, "Budget(concurrency=2, max_rate=5)")

    async def use():
        async with Infin8Session(CREDENTIALS, base_url="http://localhost", budget=budget):
            pass

    async def use_twice():
        await use()
        await use()

    asyncio.run(use_twice())
    with pytest.raises(RuntimeError, match="this budget belongs to another event loop"):
        asyncio.run(use())


async def test_an_http_session_of_another_loop_is_refused_on_entry():
    async def make():
        return aiohttp.ClientSession()

    def elsewhere():
        with asyncio.Runner() as runner:
            http = runner.run(make())
            return http, runner.run(http.close())

    http, _ = await asyncio.to_thread(elsewhere)
    with pytest.raises(RuntimeError, match="http_session belongs to another event loop"):
        async with Infin8Session(CREDENTIALS, base_url="http://localhost", http_session=http):
            pass


async def test_an_http_session_decides_for_itself_about_the_environment():
    async with aiohttp.ClientSession(trust_env=True) as http:
        with pytest.raises(ValueError, match="give it to your http_session"):
            Infin8Session(CREDENTIALS, http_session=http, trust_env=True)
