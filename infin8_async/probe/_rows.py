"""What the rows hold."""

import re
from collections import Counter
from typing import Final

from ..models import CallDirection, CallMethod, HangupDirection
from ._observed import Observed
from .report import Finding, not_found_out

_NONE: Final = "none"
_LEAST_CALLS: Final = 5
_LEAST_TALK: Final = 3  # seconds
_NEARLY_ALL: Final = 0.95
_A_NAME: Final = re.compile(r"[A-Za-z_](?!\w*\d{4})\w{0,39}", re.ASCII)
_A_CODE: Final = re.compile(r"\d{1,5}", re.ASCII)


def duration_includes_talk(observed: Observed) -> Finding:
    """Whether the `duration` of an answered call lasts until its end, or until its answer."""
    yes = no = calls = 0
    for cdr in observed.known:
        if cdr.starttime and cdr.answertime and cdr.endtime and cdr.billsec >= _LEAST_TALK:
            calls += 1
            yes += abs((cdr.endtime - cdr.starttime).total_seconds() - cdr.duration) <= 1
            no += abs((cdr.answertime - cdr.starttime).total_seconds() - cdr.duration) <= 1
    evidence = (
        f"of {calls:,} answered calls, duration is the time to the end in {yes:,}, the time to the answer in {no:,}"
    )
    if calls >= _LEAST_CALLS:
        for value, many, few in (("yes", yes, no), ("no", no, yes)):
            if many >= _NEARLY_ALL * calls and few <= (1 - _NEARLY_ALL) * calls:
                return Finding(value, evidence)
    return not_found_out(evidence)


def ids(observed: Observed) -> Finding:
    """Whether each id comes once in an answer."""
    answers = [look for look in observed.looks if len(look.cdrs) > 1]
    repeated = [len(look.ids) - len(set(look.ids)) for look in answers]
    rows = sum(len(look.cdrs) for look in answers)
    if any(repeated):
        return Finding("repeated", f"{sum(repeated):,} of {rows:,} rows had an id that their answer held already")
    return Finding("unique", f"{rows:,} rows in {len(answers)} answers, no id twice in one")


def unknown_fields(observed: Observed) -> Finding:
    """Fields that the platform's page does not list."""
    calls = observed.known
    if not calls:
        return not_found_out("no calls came")
    found = Counter(name for cdr in calls for name in cdr.extra)
    shown = {name: number for name, number in sorted(found.items()) if _A_NAME.fullmatch(name)}
    hidden = len(found) - len(shown)
    evidence = f"in {len(calls):,} calls" + "".join(f", {name} in {number:,}" for name, number in shown.items())
    if hidden:
        evidence += f"; {hidden} more names are not shown: they could be data"
    return Finding(", ".join(shown) or _NONE, evidence) if shown or not hidden else not_found_out(evidence)


def unknown_values(observed: Observed) -> Finding:
    """Fields of few values that have one which no document lists."""
    calls = observed.known
    if not calls:
        return not_found_out("no calls came")
    found = {
        "context": Counter(cdr.context for cdr in calls if not isinstance(cdr.context, CallDirection)),
        "callmethod": Counter(cdr.callmethod for cdr in calls if not isinstance(cdr.callmethod, CallMethod)),
        "hangupdirection": Counter(cdr.hangupdirection for cdr in calls if not isinstance(cdr.hangup, HangupDirection)),
    }
    for values in found.values():
        values.pop("", None)
    names = [name for name, values in found.items() if values]
    evidence = f"in {len(calls):,} calls" + "".join(
        f", {name} {found[name].total():,} times ({_codes(found[name])})" for name in names
    )
    used = Counter(cdr.hangupdirection for cdr in calls if _A_CODE.fullmatch(cdr.hangupdirection))
    if used:
        evidence += f"; hangupdirection is a code in {used.total():,}: {', '.join(sorted(used))}"
    return Finding(", ".join(names) or _NONE, evidence)


def _codes(values: Counter[str]) -> str:
    """The values that are codes; others could be anything, and are only counted."""
    codes = sorted(value for value in values if _A_CODE.fullmatch(value))
    others = len(values) - len(codes)
    return ", ".join([*codes, *([f"{others} that are no codes"] if others else [])])
