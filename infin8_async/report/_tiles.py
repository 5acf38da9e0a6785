"""The figures of a report in words: what stands above its tables."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from attrs import frozen

from ..figures import Figures, Share
from ..models import CdrQuery
from ._gather import Report
from ._words import Words


@frozen
class Tile:
    """
    One figure.

    Attributes:
        name: What it is.

        value: The figure.

        detail: What it is made of, or how sure it is; may be empty.

        before: The same figure of the period before; empty if there is none.
    """

    name: str
    value: str
    detail: str
    before: str


def completeness(report: Report, words: Words) -> str:
    """Whether all calls are there: what a report says first."""
    made = report.figures
    calls = words.calls(made.calls)
    if made.complete is None:
        return words("stored", calls=calls)
    if not made.complete:
        return words("incomplete", calls=calls)
    return words("certified" if report.certified else "complete", calls=calls)


def headings(report: Report, words: Words) -> list[str]:
    """Of which time the calls are, and which calls."""

    def window(name: str, query: CdrQuery) -> str:
        start, end = (words.time(time.astimezone(report.zone), year=True) for time in query.ends)
        return words(name, start=start, end=end, zone=words.zone(report.zone))

    lines = [window("window", report.query)]
    if report.figures_before is not None:
        lines.append(window("compared", report.before))
    if filters := list(_filters(report.query, words)):
        lines.append(words("filters", filters=", ".join(filters)))
    return lines


def _filters(query: CdrQuery, words: Words) -> Iterator[str]:
    for name in ("extnumber", "disnumber", "callnumber", "context", "callmethod", "userid", "memberid"):
        value = getattr(query, name)
        if value is not None:
            shown = words.phone(value) if name in ("disnumber", "callnumber") else words.extension(str(value))
            yield f"{name} {shown}"


def tiles(report: Report, words: Words) -> list[Tile]:
    """The figures, in their order of interest."""
    made, past = report.figures, report.figures_before

    def tile(name: str, figure: Callable[[Figures], str], detail: str = "", **values: object) -> Tile:
        earlier = words("before", value=figure(past)) if past is not None else ""
        return Tile(words(name, **values), figure(made), detail, earlier)

    def share(name: str, of: Callable[[Figures], Share], **values: object) -> Tile:
        part = of(made)
        detail = words("of", part=words.number(part.part), whole=words.number(part.whole))
        return tile(name, lambda figures: words.percent(of(figures).value), detail, **values)

    peak = made.most_at_once
    return [
        tile("calls", lambda figures: words.number(figures.calls)),
        share("answer_rate", lambda figures: figures.answered),
        share("missed", lambda figures: figures.missed),
        share("unreturned", lambda figures: figures.unreturned),
        share("within", lambda figures: figures.within, within=20),
        tile(
            "time_to_answer",
            lambda figures: words.span(figures.time_to_answer.p50),
            words("p90", value=words.span(made.time_to_answer.p90)),
        ),
        tile("talk_time", lambda figures: words.span(figures.talk_time)),
        tile("acd", lambda figures: words.span(figures.acd)),
        tile("billed", lambda figures: f"{words.number(figures.billed / timedelta(minutes=1))} {words('minutes')}"),
        share("short_calls", lambda figures: figures.short_calls),
        tile(
            "most_at_once",
            lambda figures: words.number(figures.most_at_once.calls),
            f"{words.short('day', peak.at.date())} {peak.at:%H:%M}" if peak.at else "",
        ),
        tile("busy_hour", lambda figures: words.hours(figures.busy_hour)),
    ]


def meanings(words: Words) -> list[tuple[str, str]]:
    """What each figure means."""
    values = {"within": 20, "short": 6, "increment": 60, "digits": 10}
    names = (
        "answered", "missed", "unreturned", "within", "time_to_answer", "talk_time", "billed", "short_calls",
        "most_at_once", "busy_hour", "interval",
    )  # fmt: skip
    titles = {"answered": "answer_rate"}
    return [(words(titles.get(name, name), **values), words(f"means_{name}", **values)) for name in names]
