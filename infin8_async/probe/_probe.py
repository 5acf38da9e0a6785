"""The probe itself."""

from collections.abc import Callable, Mapping
from typing import Final

from ..models import CdrQuery, check_number
from ..session import Infin8Session
from ._advice import advice
from ._asking import Asker
from ._carriage import clock_skew, compression, https, keep_alive, latency, latency_deep
from ._gather import gather
from ._observed import Observed
from ._order import order, ties
from ._pages import counts, largest_page, page_beyond_end, page_cap, page_zero
from ._rows import duration_includes_talk, ids, unknown_fields, unknown_values
from ._windows import bounds, time_compared
from .report import Finding, ProbeReport, not_found_out


def _untested(_: Observed) -> Finding:
    return not_found_out("not tested: infin8 probe --rate, or rate_test() in Python, finds out")


def _not_watched(_: Observed) -> Finding:
    return not_found_out("takes time: infin8 probe --watch 30m, or watch() in Python, finds out")


FINDINGS: Final[Mapping[str, Callable[[Observed], Finding]]] = {
    "order": order,
    "ties": ties,
    "bounds": bounds,
    "time_compared": time_compared,
    "largest_page": largest_page,
    "page_cap": page_cap,
    "page_zero": page_zero,
    "page_beyond_end": page_beyond_end,
    "counts": counts,
    "latency": latency,
    "latency_deep": latency_deep,
    "useful_concurrency": _untested,
    "rate_limit": _untested,
    "clock_skew": clock_skew,
    "https": https,
    "keep_alive": keep_alive,
    "compression": compression,
    "duration_includes_talk": duration_includes_talk,
    "ids": ids,
    "unknown_fields": unknown_fields,
    "unknown_values": unknown_values,
    "lateness": _not_watched,
}
"""Each finding, and what decides it from what was seen."""

_OF_ONE_LIST: Final = frozenset(
    (
        "order",
        "ties",
        "bounds",
        "time_compared",
        "largest_page",
        "page_cap",
        "page_zero",
        "page_beyond_end",
        "counts",
        "ids",
    )
)
"""Findings that need a platform with one list of calls: one that answers at random shows nothing of the kind."""


async def probe(
    session: Infin8Session, *, query: CdrQuery | None = None, most_requests: int = 120, rate: float = 2.0
) -> ProbeReport:
    """
    Find out what the platform does not document, with one's own account, and gently.

    Some 40 requests are sent, one after the other. One that fails may be sent once more; each counts. If the platform
    says that it gets too many requests, the probe ends there.

    Args:
        session: What the requests go through. Its own limits apply as well.

        query: Which calls to look at: the more, the more can be found out. If there is none, the last day; if that
            holds few calls, the last 7 or 30.

        most_requests: The most HTTP requests that are sent.

        rate: The most requests a second, evenly spaced.

    Returns:
        Every finding. Its value is `"not found out"` if the calls did not show it.

    Raises:
        Infin8Error: The platform did not answer even the first request.

        ValueError: A number that makes no sense.
    """
    check_number("most_requests", most_requests, least=1, whole=True)
    check_number("rate", rate, above=0)
    asker = Asker(session, most_requests=most_requests, rate=rate)
    return decide(await gather(asker, query))


def decide(observed: Observed) -> ProbeReport:
    """What follows from what was seen."""
    findings = {name: _decided(name, observed) for name in FINDINGS}
    return ProbeReport(findings, advice(findings), requests=len(observed.looks))


def _decided(name: str, observed: Observed) -> Finding:
    if name in _OF_ONE_LIST and not observed.repeats_itself:
        asked = len(observed.base)
        finding = not_found_out(
            f"the same question was asked {asked} times, and did not get the same calls each time"
            if asked > 1
            else "no question was asked twice"
        )
    else:
        finding = FINDINGS[name](observed)
    if observed.stopped and not finding.found:
        return not_found_out(f"{finding.evidence}; {observed.stopped}")
    return finding
