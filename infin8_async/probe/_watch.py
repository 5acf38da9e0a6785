"""Looks again and again: how late calls come, and whether they change."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import evolve, frozen

from ..models import Cdr, CdrQuery, check_number
from ..session import Infin8Session
from ._advice import advice
from ._asking import Asker, Look, StoppedError
from .report import Finding, ProbeReport, not_found_out

_PAGE: Final = 1000
_RATE: Final = 2.0
_LOOKBACK: Final = timedelta(hours=3)
_AHEAD: Final = timedelta(days=1)
_LEAST_INTERVAL: Final = 30.0  # seconds
_MOST_PAGES: Final = 10
_NARROWINGS: Final = 6


@frozen
class Round:
    """
    All calls of the window at one moment.

    Attributes:
        at: The platform's time when the reading began.

        until: The platform's time when it had ended.

        cdrs: By their ids.
    """

    at: datetime
    until: datetime
    cdrs: Mapping[int, Cdr]


async def watch(
    session: Infin8Session,
    report: ProbeReport,
    *,
    duration: timedelta,
    query: CdrQuery | None = None,
    most_requests: int = 120,
) -> ProbeReport:
    """
    Find out how late calls come: read the same window again and again for a while.

    Args:
        session: What the requests go through.

        report: What was found out before.

        duration: For how long. The longest calls come latest, so it should be longer than most calls.

        query: Which calls to watch; those of the last three hours, or as many as fit on a page, if not given.

        most_requests: The most HTTP requests that are sent. The longer it takes, the further they are apart.

    Returns:
        The report, with `lateness`: the most seconds from a call's dial time until it appeared. The evidence says
        whether calls changed or vanished.

    Raises:
        ValueError: A number or a duration that makes no sense.

        Infin8Error: The platform did not answer the first request.
    """
    check_number("most_requests", most_requests, least=1, whole=True)
    check_number("duration", duration.total_seconds(), above=0)
    asker = Asker(session, most_requests=most_requests, rate=_RATE)
    rounds: list[Round] = []
    stopped = ""
    try:
        await _rounds(asker, rounds, query, duration.total_seconds())
    except StoppedError as stop:
        stopped = str(stop)
    found = {"lateness": lateness(rounds, stopped)}
    made = report.with_findings(found, requests=len(asker.looks))
    return evolve(made, advice=advice(made.findings))


async def _rounds(asker: Asker, rounds: list[Round], query: CdrQuery | None, duration: float) -> None:
    loop = asyncio.get_running_loop()
    began, now = loop.time(), datetime.now(UTC)
    window = query or CdrQuery(now - _LOOKBACK, now + _AHEAD)
    if window.endtime is None:
        window = evolve(window, endtime=now + _AHEAD)
    first = await asker.look_surely(window, rows=_PAGE)
    if first.error is not None:
        raise first.error
    now = first.date or now
    for part in range(1, _NARROWINGS):
        if query is not None or len(first.cdrs) >= first.total:
            break
        window = evolve(window, starttime=now - _LOOKBACK / 2**part)
        first = await asker.look_surely(window, rows=_PAGE)
    interval = max(_LEAST_INTERVAL, 2 * duration / asker.most_requests)
    while True:
        read_at = loop.time()
        cdrs = await _read(asker, window)
        if cdrs is not None:
            at, until = (now + timedelta(seconds=time - began) for time in (read_at, loop.time()))
            rounds.append(Round(at, until, cdrs))
        if read_at + interval > began + duration:
            return
        await asyncio.sleep(read_at + interval - loop.time())


async def _read(asker: Asker, window: CdrQuery) -> Mapping[int, Cdr] | None:
    """All calls of a window; None if some are missing."""
    looks: list[Look] = []
    cdrs: dict[int, Cdr] = {}
    while len(looks) < _MOST_PAGES:
        look = await asker.look_surely(window, len(looks) + 1, _PAGE)
        looks.append(look)
        cdrs |= {cdr.id: cdr for cdr in look.cdrs}
        if look.error is None and len(cdrs) >= look.total:
            return cdrs
        if not look.cdrs:
            return None
    return None


def lateness(rounds: Sequence[Round], stopped: str = "") -> Finding:
    """The most seconds from the dial time of a call until it was there, and whether calls change or vanish."""
    after_dial: list[tuple[float, float]] = []  # at least, at most
    after_end: list[float] = []
    changed, vanished = set[int](), set[int]()
    seen: dict[int, Cdr] = {}
    for number, this in enumerate(rounds):
        for call, cdr in this.cdrs.items():
            if call not in seen and number and cdr.starttime is not None:
                before = rounds[number - 1].at
                after_dial.append(
                    ((before - cdr.starttime).total_seconds(), (this.until - cdr.starttime).total_seconds())
                )
                if cdr.endtime is not None:
                    after_end.append((this.until - cdr.endtime).total_seconds())
            elif call in seen and seen[call] != cdr:
                changed.add(call)
        vanished |= seen.keys() - this.cdrs.keys()
        seen |= this.cdrs
    minutes = (rounds[-1].until - rounds[0].at).total_seconds() / 60 if rounds else 0
    evidence = [f"{len(after_dial)} calls appeared in {minutes:.0f} min, seen by {len(rounds)} looks"]
    if after_end:
        evidence.append(f"at most {max(after_end):.0f} s after they ended")
    least, most = max(after_dial, key=lambda bounds: bounds[1], default=(0, 0))
    if after_dial:
        evidence.append(f"the latest {max(0, least):.0f} to {max(0, most):.0f} s after it was dialled")
    evidence.append(f"of {len(seen):,} calls {len(changed)} changed and {len(vanished)} vanished")
    said = "; ".join([*evidence, *filter(None, [stopped])])
    return Finding(f"{max(0, most):.0f}", said) if after_dial else not_found_out(said)
