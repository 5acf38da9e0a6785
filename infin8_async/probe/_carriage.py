"""What an HTTP answer shows apart from its rows: times, clock, connection, compression."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from math import ceil, floor, inf
from statistics import median
from typing import Final

import aiohttp

from ..errors import PlatformError, TransportError
from ._asking import Look
from ._observed import Observed
from .report import Finding, not_found_out

_LEAST_TIMES: Final = 3
_FEW: Final = 0.1
_ENOUGH_TO_COMPRESS: Final = 10  # rows
_SECOND: Final = timedelta(seconds=1)


def latency(observed: Observed) -> Finding:
    """How long a small first page takes."""
    return _median(observed.first)


def latency_deep(observed: Observed) -> Finding:
    """How long the last page takes, as small."""
    return _median(observed.last)


def _median(looks: Sequence[Look]) -> Finding:
    times = [1000 * look.seconds for look in looks if look.page is not None]
    if len(times) < _LEAST_TIMES:
        return not_found_out(f"{len(times)} answers, at least {_LEAST_TIMES} are needed")
    where = f"page {looks[0].number:,} of {looks[0].asked} rows"
    return Finding(f"{median(times):.0f}", f"{where}, {len(times)} times: {min(times):.0f} to {max(times):.0f} ms")


def clock_skew(observed: Observed) -> Finding:
    """How many seconds the platform's clock is ahead of this machine's. Each answer narrows it down."""
    least, most, dated = -inf, inf, 0
    for look in observed.answers:
        date = look.date
        if date is None:
            continue
        dated += 1
        # It was that second when the answer was made, which was between sending and receiving.
        least = max(least, (date - look.came).total_seconds())
        most = min(most, (date + _SECOND - look.sent).total_seconds())
    if not dated:
        return not_found_out(f"{len(observed.answers)} answers, none with a date that can be read")
    evidence = f"by the dates of {dated} answers, between {least:.2f} and {most:.2f} s"
    if least > most:
        return not_found_out(f"the dates of {dated} answers contradict each other")
    inside = range(ceil(least), floor(most) + 1)
    nearest = 0 if 0 in inside else inside[len(inside) // 2] if inside else round((least + most) / 2)
    return Finding(str(nearest), evidence)


def keep_alive(observed: Observed) -> Finding:
    """Whether a connection stays open after an answer."""
    answers = observed.answers
    closed = sum("close" in look.headers.get("Connection", "").lower() for look in answers)
    evidence = f"{closed} of {len(answers)} answers closed their connection"
    if not answers or _FEW * len(answers) < closed < len(answers):
        return not_found_out(evidence)
    return Finding("no" if closed == len(answers) else "yes", evidence)


def compression(observed: Observed) -> Finding:
    """How bodies are compressed, if the client accepts it. Small ones may well not be."""
    answers = [look for look in observed.answers if len(look.cdrs) >= _ENOUGH_TO_COMPRESS]
    found = Counter(look.headers.get("Content-Encoding", "none").lower() for look in answers)
    evidence = f"{len(answers)} answers of {_ENOUGH_TO_COMPRESS} rows and more"
    if len(found) != 1:
        return not_found_out(evidence + "".join(f", {number} {name}" for name, number in sorted(found.items())))
    return Finding(next(iter(found)), evidence)


def https(observed: Observed) -> Finding:
    """Whether the same host answers by https."""
    look = observed.https
    if look is None:
        return not_found_out("not asked")
    error = look.error
    if error is None or isinstance(error, PlatformError):
        return Finding("answers", "the same question, sent by https with the certificate verified")
    if isinstance(error, TransportError):
        if isinstance(error.__cause__, aiohttp.ClientConnectorCertificateError):
            return Finding("bad certificate", "the certificate does not verify; nothing was sent")
        return Finding("does not answer", "no complete answer by https")
    return not_found_out(f"by https came {look.outcome}")
