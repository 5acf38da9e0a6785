"""What a pull claims, on platforms that count at one moment and read at another, compare any time, move and lie."""

import random

import pytest
from clock import run
from profiles import cases
from simulation import LAST_SECOND, Platform, read, times

SEEDS = range(cases(1_000, 40))


def a_platform(chance: random.Random, seed: int, **options) -> tuple[Platform, set[int]]:
    """A platform, and the ids of the calls that are there from beginning to end."""
    crowded = chance.choice([None, [3, 40_000, 40_001]])
    rows = [
        (chance.choice(crowded) if crowded and chance.random() < 0.3 else chance.randint(1, LAST_SECOND - 400), call)
        for call in range(1, chance.randint(0, 120))
    ]
    platform = Platform(
        rows,
        size=chance.randint(2, 15),
        newest_first=chance.random() < 0.5,
        by_id=chance.random() < 0.1,
        bounds=chance.choice(["[]", "[)", "(]", "()"]),
        compares=chance.choice(["starttime", "answertime", "endtime"]),
        snapshot=False,
        seed=seed,
        most_turns=chance.randint(0, 12),
        deep=chance.choice([50, 50_000]),
        **options,
    )
    return platform, {call for second, call in rows if times(second, call)[platform.compares] is not None}


def arriving(chance: random.Random, often: float, at_most: int):
    """Calls appear while the platform answers, anywhere in the list or all in its newest minute."""
    left = at_most
    recent = chance.random() < 0.5

    def arrive(platform: Platform) -> None:
        nonlocal left
        while left and chance.random() < often:
            left -= 1
            first = LAST_SECOND - 460 if recent else 1
            platform.insert(chance.randint(first, LAST_SECOND - 400), 10_000 + left)

    return arrive


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_that_arrive_hide_none_whichever_time_is_compared(seed):
    chance = random.Random(seed)
    platform, there = a_platform(chance, seed)
    platform.before_answer = arriving(chance, chance.uniform(0, 0.6), 60)
    scan = platform.scan(chance.randint(1, 12))
    cdrs, error = run(read(scan))
    ids = [cdr.id for cdr in cdrs]
    assert error is None
    assert scan.complete
    assert there <= set(ids)
    assert len(ids) == len(set(ids))
    if scan.certified:
        assert set(ids) == platform.counted


@pytest.mark.parametrize("seed", SEEDS)
def test_removals_or_arrivals_among_ties_in_any_order_never_make_a_claim_false(seed):
    chance = random.Random(seed)
    platform, there = a_platform(chance, seed, shuffled_ties=chance.random() < 0.5)
    removals = 6

    def remove(platform: Platform) -> None:
        nonlocal removals
        if platform.rows and removals and chance.random() < 0.2:
            removals -= 1
            gone = chance.choice(platform.rows)
            platform.rows.remove(gone)
            there.discard(gone[1])

    platform.before_answer = remove if chance.random() < 0.5 else arriving(chance, 0.3, 30)
    scan = platform.scan(chance.randint(1, 12))
    cdrs, error = run(read(scan))
    ids = [cdr.id for cdr in cdrs]
    assert len(ids) == len(set(ids))
    assert error is None
    assert scan.complete
    assert there <= set(ids)


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_from_before_the_answer_never_make_a_claim_false(seed):
    chance = random.Random(seed)
    platform, there = a_platform(chance, seed, stale=chance.randint(1, 10))
    platform.before_answer = arriving(chance, chance.uniform(0, 0.6), 60)
    scan = platform.scan(chance.randint(1, 12))
    cdrs, error = run(read(scan))
    ids = [cdr.id for cdr in cdrs]
    assert len(ids) == len(set(ids))
    assert error is not None or (scan.complete and there <= set(ids))
