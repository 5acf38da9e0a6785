"""The rate test: how many requests a second, and how many at once, the platform bears. The one part that presses it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from itertools import accumulate
from typing import Final

from attrs import evolve

from ..errors import ResponseError
from ..models import CdrQuery, check_number
from ..session import Infin8Session
from ._advice import advice
from ._asking import Look, ask
from .report import Finding, ProbeReport, not_found_out

_AT_ONCE: Final = (1, 2, 4, 8)
_RATES: Final = (4, 8, 16)  # requests a second
_SECONDS: Final = 2.0  # of each rate
_PAUSE: Final = 1.0  # seconds before some are sent at once
_AS_GOOD: Final = 0.9
_ROWS: Final = 1
_KEPT_UP: Final = 0.8


async def rate_test(
    session: Infin8Session, report: ProbeReport, *, query: CdrQuery | None = None, most_requests: int = 120
) -> ProbeReport:
    """
    Find out how many requests at once are of use, and how many a second are not refused.

    This presses the platform, up to 16 small requests a second, and ends at the first status 429. Let nothing else of
    the account run meanwhile.

    Args:
        session: What the requests go through. Its own limits apply as well: leave `max_rate` out, and let
            `concurrency` be 8 or more.

        report: What was found out before.

        query: Which calls to ask for; the last hour if not given.

        most_requests: The most HTTP requests that are sent.

    Returns:
        The report, with `useful_concurrency` and `rate_limit`.

    Raises:
        ValueError: A number that makes no sense.
    """
    check_number("most_requests", most_requests, least=1, whole=True)
    query = (query or CdrQuery.last(timedelta(hours=1))).until_now()
    left = most_requests
    steps: list[Sequence[Look]] = []
    bursts: list[Sequence[Look]] = []
    plans = [(steps, [place / rate for place in range(int(rate * _SECONDS))]) for rate in _RATES]
    plans += [(bursts, [_PAUSE] * number) for number in _AT_ONCE]
    for looks, when in plans:
        if len(when) > left or too_many([*steps, *bursts]):
            break
        looks.append(await _send(session, query, when))
        left -= len(looks[-1])
    found = {"rate_limit": rate_limit(steps), "useful_concurrency": useful_concurrency(bursts)}
    made = report.with_findings(found, requests=most_requests - left)
    return evolve(made, advice=advice(made.findings))


async def _send(session: Infin8Session, query: CdrQuery, when: Sequence[float]) -> Sequence[Look]:
    """Send requests at these times from now, answered or not; none any more once there are too many."""
    looks: list[Look] = []

    async def one(wait: float) -> None:
        await asyncio.sleep(wait)
        if not too_many([looks]):
            looks.append(await ask(session, query, 1, _ROWS))

    async with asyncio.TaskGroup() as group:
        for wait in when:
            group.create_task(one(wait))
    return looks


def too_many(parts: Sequence[Sequence[Look]]) -> bool:
    """Whether the platform said somewhere that it gets too many requests."""
    return any(
        isinstance(look.error, ResponseError) and look.error.status == HTTPStatus.TOO_MANY_REQUESTS
        for looks in parts
        for look in looks
    )


def most_in_flight(looks: Sequence[Look]) -> int:
    """How many requests were under way at the same moment. The session may have held some back."""
    ends = sorted([(look.ended - look.seconds, 1) for look in looks] + [(look.ended, -1) for look in looks])
    return max(accumulate(change for _, change in ends))


def useful_concurrency(bursts: Sequence[Sequence[Look]]) -> Finding:
    """The fewest requests at once that are answered as quickly, in sum, as any larger number."""
    whole = [looks for looks in bursts if all(look.page is not None and look.seconds > 0 for look in looks)]
    if len(whole) < len(_AT_ONCE):
        return not_found_out(f"{len(whole)} of {len(_AT_ONCE)} bursts were answered whole")
    if any(most_in_flight(looks) < len(looks) for looks in whole):
        return not_found_out("the session did not send as many requests at once: see its concurrency and max_rate")
    rates = {len(looks): len(looks) / max(look.seconds for look in looks) for looks in whole}
    best = max(rates.values())
    least = min(number for number, rate in rates.items() if rate >= _AS_GOOD * best)
    evidence = ", ".join(f"{number} at once: {rate:.0f} answers a second" for number, rate in rates.items())
    return Finding(str(least), evidence + "; more were not tried" * (least == _AT_ONCE[-1]))


def rate_limit(steps: Sequence[Sequence[Look]]) -> Finding:
    """The highest rate without a refusal, if the next one was refused."""
    good = 0.0
    for looks, rate in zip(steps, _RATES, strict=False):
        evidence = f"status 429 after {len(looks)} requests at {rate} a second"
        if too_many([looks]):
            if not good:
                return not_found_out(f"{evidence}: it is less")
            return Finding(f"{good:g}", f"{evidence}, none at {good:g}")
        starts = sorted(look.ended - look.seconds for look in looks if look.page is not None)
        if len(starts) < len(looks) or (len(looks) - 1) / (starts[-1] - starts[0]) < _KEPT_UP * rate:
            return not_found_out(f"at {rate} a second, requests were held back by the session or not answered")
        good = rate
    if len(steps) < len(_RATES):
        return not_found_out(f"tried up to {good:g} a second, none was refused; too few requests are left for more")
    return Finding("none seen", f"up to {good:g} requests a second for {_SECONDS:g} s, none was refused")
