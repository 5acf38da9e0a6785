"""Small lists, every order of what can happen: nothing lost in silence, nothing twice, no false claim, an end."""

import random
from itertools import pairwise

import pytest
from interleavings import Loop, World, every_pull
from profiles import cases, some

SECONDS = 12


@pytest.fixture
def loop():
    loop = Loop()
    yield loop
    loop.close()


def a_world(chance: random.Random) -> World:
    """Up to six calls, some in the same second, and up to three changes."""
    last = 3 if chance.random() < 0.3 else SECONDS - 1
    rows = tuple(chance.randint(1, last) for _ in range(chance.randint(0, 6)))
    alive = list(range(len(rows)))
    changes = []
    for _ in range(chance.randint(0, 3)):
        if alive and chance.random() < 0.5:
            changes.append(("remove", alive.pop(chance.randrange(len(alive)))))
        else:
            changes.append(("add", chance.randint(1, SECONDS - 1)))
    return World(
        rows,
        tuple(changes),
        newest_first=chance.random() < 0.5,
        bounds=chance.choice(["[]", "[)", "(]", "()"]),
        concurrency=chance.randint(1, 3),
        seconds=SECONDS,
    )


def leaves_no_trace(log: list[str], counts: str = "count") -> bool:
    """Whether a call went and another came with none of these counts between the two: no number shows that."""
    seen = [entry.split()[0] for entry in log if not entry.startswith(("read", "count")) or entry.startswith(counts)]
    return any({first, second} == {"add", "remove"} for first, second in pairwise(seen))


@pytest.mark.parametrize("seed", some(range(10), 3))
def test_nothing_is_lost_in_silence_and_no_claim_is_false(loop, seed):
    chance = random.Random(seed)
    most = cases(2_200, 80)
    pulls = 0
    while pulls < most:
        for path, pull in every_pull(loop, a_world(chance), min(40, most - pulls)):
            pulls += 1
            lost = pull.there - set(pull.ids)
            assert len(set(pull.ids)) == len(pull.ids), (seed, path, pull.log)
            assert pull.error is None, (seed, path, pull.log)
            assert pull.report.complete, (seed, path, pull.log)
            assert not lost or leaves_no_trace(pull.log), (seed, path, lost, pull.log)
            # A piece that was counted meanwhile does not show what happens in others.
            if pull.report.certified and not leaves_no_trace(pull.log, "count 00:00-00:12"):
                assert set(pull.ids) == pull.at_the_last_count, (seed, path, pull.log)


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_call_that_ends_between_the_count_and_the_rows_of_a_page_hides_none(loop, newest_first):
    world = World((2, 4, 6, 8, 10), (("add", 9 if newest_first else 3),), newest_first=newest_first, concurrency=3)
    for path, pull in every_pull(loop, world, cases(2_000, 50)):
        assert pull.there <= set(pull.ids), (path, pull.log)
        assert pull.report.complete


def test_a_count_that_falls_and_rises_between_two_looks_hides_none(loop):
    world = World((2, 4, 6), (("remove", 2), ("add", 1)))
    for path, pull in every_pull(loop, world, cases(2_000, 80)):
        assert pull.there <= set(pull.ids) or leaves_no_trace(pull.log), (path, pull.log)
