"""What follows from the findings for the use of this library."""

from collections.abc import Callable, Mapping
from typing import Final

from .report import Finding

_MUCH_SKEW: Final = 60  # seconds
_DEFAULT_PAGE: Final = 1000
_DEFAULT_CONCURRENCY: Final = 8


def advice(findings: Mapping[str, Finding]) -> list[str]:
    """Settings that can be pasted, each with its reason after a `#`."""
    lines = []
    for name, say in _RULES.items():
        finding = findings.get(name)
        if finding is not None and finding.found and (line := say(finding.value)):
            lines.append(line)
    return lines


def _page(value: str) -> str | None:
    size = int(value)
    if size == _DEFAULT_PAGE:
        return None
    more = "fewer" if size < _DEFAULT_PAGE else "more"
    return f"--per-page {size}  # in Python per_page={size}: the platform gives {more} calls at once than the default"


def _concurrency(value: str) -> str | None:
    if int(value) >= _DEFAULT_CONCURRENCY:
        return None
    return f"--concurrency {value}  # in Python concurrency={value}: more requests at once are no faster"


def _rate(value: str) -> str | None:
    if not value.isdecimal():
        return None
    return f"--max-rate {value}  # in Python max_rate={value}: more requests a second are refused"


def _https(value: str) -> str | None:
    if value != "answers":
        return None
    host = "host=${INFIN8_BASE_URL:-http://platform.infin8linx.com}"
    return f"{host}; export INFIN8_BASE_URL=https://${{host#*://}}  # key and calls are encrypted on their way"


def _skew(value: str) -> str | None:
    if abs(int(value)) < _MUCH_SKEW:
        return None
    return f"timedatectl set-ntp true  # this machine and the platform differ by {abs(int(value))} s"


def _lateness(value: str) -> str:
    minutes = max(5, -(-2 * int(value) // 60))
    return f"lookback=timedelta(minutes={minutes})  # for session.follow(): twice what the latest call took to appear"


def _repeated(value: str) -> str | None:
    return None if value == "unique" else "ids repeat: report this, the library hands each id on once"


_RULES: Final[Mapping[str, Callable[[str], str | None]]] = {
    "largest_page": _page,
    "useful_concurrency": _concurrency,
    "rate_limit": _rate,
    "lateness": _lateness,
    "https": _https,
    "clock_skew": _skew,
    "ids": _repeated,
}
