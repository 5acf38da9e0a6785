"""How large a page can be, and what comes for pages that do not exist; whether counts keep up with rows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from ._asking import Look
from ._observed import Observed, alike
from .report import Finding, not_found_out

_LEAST_CHANGES: Final = 3


def largest_page(observed: Observed) -> Finding:
    """How many rows come at the most."""
    return _cap(observed) or not_found_out(_uncapped(observed))


def page_cap(observed: Observed) -> Finding:
    """Whether the platform says so when it gives fewer rows than were asked for."""
    cap = _cap(observed)
    if cap is not None:
        echoed = {look.page.per_page for look in _cut_short(observed) if look.page}
        honest = echoed == {int(cap.value)}
        says = ", ".join(str(size) for size in sorted(echoed))
        return Finding("echoed" if honest else "silent", f"{cap.evidence}; its per_page says {says}")
    full = [look for look in observed.larger if len(look.cdrs) == look.asked]
    return Finding("none seen", _uncapped(observed)) if full else not_found_out(_uncapped(observed))


def _cut_short(observed: Observed) -> list[Look]:
    """The looks at the whole query that gave fewer rows than were asked for, and than there are."""
    return [look for look in (*observed.wide, *observed.larger) if 0 < len(look.cdrs) < min(look.asked, look.total)]


def _cap(observed: Observed) -> Finding | None:
    """The largest page, if one was cut short at the same size at least twice, and none was larger."""
    cut = _cut_short(observed)
    sizes = {len(look.cdrs) for look in cut}
    if len(cut) < 2 or sizes != {observed.most_rows}:
        return None
    asked = ", ".join(f"{look.asked:,}" for look in cut)
    return Finding(str(observed.most_rows), f"asked for {asked} of {cut[0].total:,} calls: {observed.most_rows:,} came")


def _uncapped(observed: Observed) -> str:
    looks = [*observed.wide, *observed.larger]
    if not looks:
        return "nothing was asked"
    refused = [look for look in looks if look.refused]
    there = max(look.total for look in looks)
    evidence = f"asked for up to {max(look.asked for look in looks):,} of {there:,} calls: {observed.most_rows:,} came"
    if refused:
        return f"{evidence}; {refused[0].asked:,} were refused"
    return evidence


def page_zero(observed: Observed) -> Finding:
    """What comes for page 0."""
    return _out_of_range(observed, observed.zero)


def page_beyond_end(observed: Observed) -> Finding:
    """What comes for a page after the last."""
    return _out_of_range(observed, observed.beyond)


def _out_of_range(observed: Observed, looks: Sequence[Look]) -> Finding:
    if len(looks) < 2:
        return not_found_out("not asked twice")
    kinds = [_kind(observed, look) for look in looks]
    asked = f"page {looks[0].number:,} of {looks[0].asked} rows, asked {len(looks)} times"
    if kinds[0] is None or len(set(kinds)) > 1:
        return not_found_out(f"{asked}: {', '.join(f'{len(look.cdrs)} rows' for look in looks)}, of no known page")
    return Finding(kinds[0], f"{asked}: {looks[0].outcome}")


def _kind(observed: Observed, look: Look) -> str | None:
    if look.page is None:
        return "error" if look.refused else None
    if not look.cdrs:
        return "empty"
    first, last = observed.first, observed.last
    if not first or not last or set(first[0].ids) & set(last[0].ids):
        return None  # there is one page, which is both
    if any(alike(look.ids, other.ids) for other in first):
        return "first"
    return "last" if any(alike(look.ids, other.ids) for other in last) else None


def counts(observed: Observed) -> Finding:
    """Whether the count of an answer is as new as its rows."""
    whole = [look for look in observed.looks if observed.short(look)]
    behind = [look for look in whole if look.total < _distinct(look)]
    ahead = [look for look in whole if look.total > len(look.cdrs)]
    changes = sum(bool(set(new.ids) - set(old.ids)) for old, new in pairwise(observed.live) if old.page and new.page)
    agreeing = len(whole) - len(behind) - len(ahead)
    evidence = f"{agreeing} of {len(whole)} answers that held everything had as many calls as they counted"
    if behind and not ahead:
        most = max(_distinct(look) - look.total for look in behind)
        return Finding("lag", f"{evidence}; the others counted up to {most} fewer")
    if whole and not behind and not ahead and changes >= _LEAST_CHANGES:
        return Finding("agree", f"{evidence}; {changes} times new calls had come since the last answer")
    if ahead:
        return not_found_out(f"{evidence}; {len(ahead)} counted more, {len(behind)} fewer")
    return not_found_out(f"{evidence}, but only {changes} times had new calls come since the last answer")


def _distinct(look: Look) -> int:
    """How many different calls an answer holds: the smallest count that fits it, if rows come twice."""
    return len(set(look.ids))
