"""Reads the report of a probe: which options make a sandbox behave like the platform that was probed."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypedDict, cast, get_args

from ._platform import SandboxRequest
from ._quirks import Compression, OutOfRange, Quirks
from ._store import Bounds, Compared, Order, Ties

_NOT_FOUND_OUT: Final = "not found out"
_NO_CAP: Final = 1_000_000
_LAG: Final = 60.0  # seconds


class _Finding(Protocol):
    @property
    def value(self) -> str: ...


class Findings(Protocol):
    """What a probe reports."""

    @property
    def findings(self) -> Mapping[str, _Finding]:
        """What was found out, by name."""
        ...


class Options(TypedDict):
    """The arguments of a sandbox that follow from a report."""

    order: Order
    ties: Ties
    bounds: Bounds
    compares: Compared
    count_age: float
    max_per_page: int
    latency: float | Callable[[SandboxRequest], float]
    quirks: Quirks


def options_like(report: Findings) -> Options:
    """What was not found out stays as it is by default."""
    found = {name: it.value for name, it in report.findings.items() if it.value != _NOT_FOUND_OUT}
    return Options(
        order=cast("Order", found.get("order", "newest")),
        ties="shuffled" if found.get("ties") == "unstable" else "stable",
        bounds=cast("Bounds", found.get("bounds", "[]")),
        compares=cast("Compared", found.get("time_compared", "starttime")),
        count_age=_LAG if found.get("counts") == "lag" else 0.0,
        max_per_page=_NO_CAP if found.get("page_cap") == "none seen" else int(found.get("largest_page", 1000)),
        latency=_latency(found),
        quirks=Quirks(
            page_zero=cast("OutOfRange", found.get("page_zero", "error")),
            page_beyond_end=cast("OutOfRange", found.get("page_beyond_end", "empty")),
            echo="asked" if found.get("page_cap") == "silent" else "given",
            duration_includes_talk=found.get("duration_includes_talk") != "no",
            unknown_fields=_names(found, "unknown_fields"),
            unknown_values=_names(found, "unknown_values"),
            repeated_ids=found.get("ids") == "repeated",
            compression=_compression(found),
            keep_alive=found.get("keep_alive") != "no",
            clock_skew=float(found.get("clock_skew", 0)),
            workers=_number(found, "useful_concurrency"),
            rate_limit=_rate_limit(found),
        ),
    )


def _latency(found: Mapping[str, str]) -> float | Callable[[SandboxRequest], float]:
    first = float(found.get("latency", 0)) / 1000
    deep = float(found["latency_deep"]) / 1000 if "latency_deep" in found else first
    return first if deep == first else lambda request: deep if request.page > 1 else first


def _names(found: Mapping[str, str], name: str) -> tuple[str, ...]:
    value = found.get(name, "none")
    return () if value == "none" else tuple(value.split(", "))


def _compression(found: Mapping[str, str]) -> Compression:
    value = found.get("compression")
    return cast("Compression", value) if value in get_args(Compression) else "none"


def _number(found: Mapping[str, str], name: str) -> int | None:
    value = found.get(name, "")
    return int(value) if value.isdecimal() else None


def _rate_limit(found: Mapping[str, str]) -> int | None:
    """How many requests any second may have, if this many evenly spaced ones were no trouble: one more at its edge."""
    rate = _number(found, "rate_limit")
    return None if rate is None else rate + 1
