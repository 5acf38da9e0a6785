"""Sandboxes of every behaviour that a probe can find."""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations, pairwise, product

from infin8_async import CdrQuery, Infin8Session
from infin8_async.probe import NOT_FOUND_OUT, ProbeReport, probe
from infin8_async.testing import Sandbox

DAY = CdrQuery("2020-06-10 00:00:00", "2020-06-11 00:00:00")
MORNING = datetime(2020, 6, 10, 9)

BEHAVIOURS: Mapping[str, Sequence[object]] = {
    "order": ["newest", "oldest", "id", "id descending", "none"],
    "ties": ["stable", "unstable"],
    "bounds": ["[]", "[)", "(]", "()"],
    "time_compared": ["starttime", "answertime", "endtime", "none"],
    "largest_page": ["60", "110"],
    "page_cap": ["echoed", "silent"],
    "page_zero": ["empty", "first", "last", "error"],
    "page_beyond_end": ["empty", "first", "last", "error"],
    "latency": ["20", "300"],
    "latency_deep": ["20", "300"],
    "clock_skew": ["0", "-95", "1800"],
    "keep_alive": ["yes", "no"],
    "compression": ["none", "gzip", "deflate"],
    "duration_includes_talk": ["yes", "no"],
    "ids": ["unique", "repeated"],
    "unknown_fields": ["none", "recordurl, uuid"],
    "unknown_values": ["none", "context, callmethod", "hangupdirection"],
}
"""Each finding that does not need new calls, and the values that it can have."""


class Reported:
    """A report with these values, as `Sandbox.like` reads it."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.findings = {name: Value(str(value)) for name, value in values.items()}


class Value:
    def __init__(self, value: str) -> None:
        self.value = value


def sandbox_like(values: Mapping[str, object], *, seed: int = 0, calls: int = 240) -> Sandbox:
    """A sandbox that behaves so, with calls of which some tie, and whose ids follow none of their times."""
    return filled(Sandbox.like(Reported(values), 0, seed=seed), seed, calls)


def filled(sandbox: Sandbox, seed: int = 0, calls: int = 240) -> Sandbox:
    seconds = [13 * (number // 3) for number in range(calls)]
    random.Random(seed).shuffle(seconds)
    for second in seconds:
        sandbox.add_call(starttime=f"{MORNING + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}")
    return sandbox


def session_of(sandbox: Sandbox, **options) -> Infin8Session:
    return Infin8Session(sandbox.credentials, base_url=sandbox.base_url, **options)


async def probed(sandbox: Sandbox, **options) -> ProbeReport:
    async with sandbox, session_of(sandbox) as session:
        report = await probe(session, query=DAY, **options)
        assert len(sandbox.requests) <= report.requests <= options.get("most_requests", 120)
        starts = [request.at for request in sandbox.requests]
        apart = 1 / options.get("rate", 2.0)
        assert all(late - early > apart - 0.01 for early, late in pairwise(starts))
    return report


def expected(values: Mapping[str, object]) -> dict[str, set[str]]:
    """What a probe may say of a platform that behaves so."""
    may = {name: {str(value)} for name, value in values.items()}
    if values["order"] in ("id", "id descending"):
        may["ties"] = {"stable"}
    if values["time_compared"] == "none":
        may["bounds"] = {NOT_FOUND_OUT}
    if values["order"] == "none" and values["ties"] == "unstable":
        # No page of such a platform is the first or the last one.
        for name in ("page_zero", "page_beyond_end"):
            may[name] |= {NOT_FOUND_OUT}
        if values["time_compared"] == "none":
            # Each answer is some of all calls: nobody can tell it from chance.
            for name in ("order", "ties", "time_compared", "ids", "largest_page", "page_cap"):
                may[name] |= {NOT_FOUND_OUT}
    return may


def differences(report: ProbeReport, may: Mapping[str, set[str]]) -> dict[str, object]:
    return {name: report.findings[name] for name, values in may.items() if report.findings[name].value not in values}


def together(number: int, chance: random.Random) -> Iterator[dict[str, object]]:
    """Platforms among which any values of that many findings come together at least once."""
    left = {
        values
        for names in combinations(BEHAVIOURS, number)
        for values in product(*([(name, value) for value in BEHAVIOURS[name]] for name in names))
    }
    while left:
        first = dict(min(left, key=repr))
        tries = [{name: chance.choice(values) for name, values in BEHAVIOURS.items()} | first for _ in range(60)]
        best = max(tries, key=lambda values: len(left.intersection(combinations(values.items(), number))))
        left.difference_update(combinations(best.items(), number))
        yield best
