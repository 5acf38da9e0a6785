"""What a pull costs the platform, in requests."""

import asyncio
import random
from datetime import timedelta
from itertools import product

import pytest
from clock import run
from profiles import cases, some
from simulation import DAY, LAST_SECOND, WINDOW, Platform, page_of, read, rows_of

from infin8_async import CdrQuery


def busy(platform: Platform, a_second: float) -> None:
    """Have calls appear by the clock, and each answer take 10 to 30 ms."""
    chance = random.Random(platform.seed)
    answer, appeared = platform.fetch, 0

    async def fetch(query, page, size):
        nonlocal appeared
        await asyncio.sleep(chance.uniform(0.01, 0.03))
        while appeared < asyncio.get_running_loop().time() * a_second:
            appeared += 1
            # Most calls are short: they appear at dial times of the last minutes.
            platform.insert(max(1, LAST_SECOND - 1 - int(chance.expovariate(1 / 120))), 1_000_000 + appeared)
        return await answer(query, page, size)

    platform.fetch = fetch


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("seed", range(cases(3)))
def test_a_list_that_grows_by_500_calls_a_second_costs_at_most_one_and_a_half_requests_a_page(seed, newest_first):
    chance = random.Random(seed)
    rows = [(chance.randint(1, LAST_SECOND - 1), call) for call in range(20_000)]
    platform = Platform(rows, size=100, newest_first=newest_first, snapshot=False, seed=seed)
    busy(platform, 500)
    scan = platform.scan(concurrency=8)
    cdrs, error = run(read(scan))
    assert error is None
    assert scan.complete
    assert {cdr.id for cdr in cdrs} >= set(range(20_000))
    assert len(platform.requests) <= 1.5 * len(cdrs) / 100


@pytest.mark.parametrize(("newest_first", "compares"), some(list(product((True, False), ("starttime", "endtime"))), 2))
def test_one_call_hidden_among_400_pages_costs_at_most_30_requests(newest_first, compares):
    chance, size = random.Random(1), cases(100, 25)
    rows = [(chance.randint(1, LAST_SECOND - 400), call) for call in range(1, 400 * size - 10)]
    platform = Platform(rows, size=size, newest_first=newest_first, compares=compares)
    hidden = rows[200 * size][1]
    answer = platform.answer

    def hide(query, page, size):
        shown = answer(query, page, size)
        # Once, as a change of the database's plan may do.
        if query == WINDOW and len(platform.requests) <= 400 and b'"id":%d,' % hidden in bytes(shown._rows):
            rows = [row for row in rows_of(shown) if row["id"] != hidden]
            return page_of(shown, [*rows, rows_of(answer(query, page + 1, size))[0]])
        return shown

    platform.answer = hide
    scan = platform.scan(concurrency=8)
    cdrs, error = run(read(scan))
    assert error is None
    assert {cdr.id for cdr in cdrs} == {call for _, call in rows}
    assert (scan.complete, scan.certified, scan.recovered) == (True, True, 1)
    assert len(platform.requests) <= 400 + 30


def test_ten_years_with_three_busy_days_cost_little_more_than_these_days_alone():
    chance = random.Random(1)
    rows = [(chance.randint(1, LAST_SECOND * 3), call) for call in range(10_000)]
    requests = []
    for query in (
        CdrQuery(DAY, DAY + timedelta(days=3)),
        CdrQuery(DAY - timedelta(days=365 * 6), DAY + timedelta(days=365 * 4)),
    ):
        platform = Platform(list(rows), size=100, deep=5_000)
        scan = platform.scan(concurrency=8, query=query)
        cdrs, error = run(read(scan))
        assert error is None
        assert len(cdrs) == 10_000
        assert scan.certified
        requests.append(len(platform.requests))
    alone, ten_years = requests
    assert ten_years <= 1.3 * alone
