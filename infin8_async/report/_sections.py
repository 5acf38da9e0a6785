"""What a report shows, in words and rows: the same for a terminal and for a page."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Final, Literal

from attrs import frozen

from ..figures import Figures, Share, Tally
from ..models import CdrQuery
from ._gather import Report
from ._steps import levels, step, tallies
from ._words import Words

TOP: Final = 10
"""How many extensions are shown."""

_LENGTHS: Final = (0, 10, 30, 60, 120, 300, 600, 1800)  # seconds; where the steps of time talked begin
_CALLBACKS: Final = 15


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


@frozen(kw_only=True)
class Section:
    """
    One table.

    Attributes:
        name: Which one, and what its picture is called, if there is one.

        title: Its heading.

        columns: The headings of its columns. The first column says what a row is about; the others hold numbers.

        rows: Its cells.

        caption: What its picture shows, if that needs a word.

        note: What there is more to say; may be empty.
    """

    name: Literal["heat", "days", "at_once", "talks", "extensions", "sides", "callbacks", "oddities"]
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    note: str = ""


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


def sections(report: Report, words: Words) -> list[Section]:
    """The tables, those without a row left out."""
    makers = (_heat, _days, _at_once, _talks, _extensions, _callbacks, _sides, _oddities)
    return [section for make in makers if (section := make(report, words)).rows]


def _heat(report: Report, words: Words) -> Section:
    made = report.figures
    most, day, hour = max(
        ((tally.calls, -day, -hour) for (day, hour), tally in made.by_weekday_hour.items()), default=(0, 0, 0)
    )
    rows = [
        [words.weekday(day), *(words.number(made.by_weekday_hour[day, hour].calls) for hour in range(24))]
        for day in range(7)
    ]
    return Section(
        name="heat",
        title=words("heat"),
        caption=words("caption_heat", at=f"{words.weekday(-day)} {-hour}:00", calls=words.number(most)),
        columns=["", *map(str, range(24))],
        rows=rows if made.by_weekday_hour else [],
    )


def _days(report: Report, words: Words) -> Section:
    made = report.figures
    return Section(
        name="days",
        title=words("days"),
        caption=words("caption_days"),
        columns=[
            words(name) for name in (step(made), "calls", "answered", "answer_rate", "interval", "talk_time", "acd")
        ],
        rows=[[words.step(step(made), key), *_tally(tally, words)] for key, tally in tallies(made).items()],
    )


def _at_once(report: Report, words: Words) -> Section:
    made = report.figures
    return Section(
        name="at_once",
        title=words("at_once"),
        caption=words("caption_at_once"),
        columns=[words(step(made)), words("most_at_once"), f"{words('busiest')} ({words('erlangs')})"],
        rows=[
            [words.step(step(made), key), words.number(level.most), f"{level.erlangs:.2f}"]
            for key, level in levels(made).items()
        ],
    )


def lengths(made: Figures) -> dict[tuple[int, int | None], int]:
    """How many answered calls talked for how long: from so many seconds up to, but not including, so many."""
    bounds = [*zip(_LENGTHS, (*_LENGTHS[1:], None), strict=True)]
    return {
        (low, high): sum(calls for talk, calls in made.talks.items() if low <= talk and (high is None or talk < high))
        for low, high in bounds
    }


def _talks(report: Report, words: Words) -> Section:
    made = report.figures
    rows = [
        [words.length(low, high), words.number(calls), words.percent(Share(calls, made.answered.part).value)]
        for (low, high), calls in lengths(made).items()
    ]
    return Section(
        name="talks",
        title=words("talks"),
        columns=[words("talked"), words("answered"), words("share")],
        rows=rows if made.answered.part else [],
    )


def extensions(report: Report) -> list[tuple[str, Tally]]:
    """The calls by extension, the most first, without those that reached none."""
    return sorted(((name, tally) for name, tally in report.extensions.items() if name), key=_most_first)


def _most_first(item: tuple[str, Tally]) -> tuple[int, str]:
    return -item[1].calls, item[0]


def _extensions(report: Report, words: Words) -> Section:
    found = extensions(report)
    without = report.extensions.get("", Tally()).calls
    return Section(
        name="extensions",
        title=words("extensions"),
        caption=words("caption_extensions"),
        columns=[
            words(name) for name in ("extension", "calls", "answered", "answer_rate", "interval", "talk_time", "acd")
        ],
        rows=[[words.extension(name), *_tally(tally, words)] for name, tally in found[:TOP]],
        note=" ".join(
            [_more(len(found) - TOP, words), words("no_extension", calls=words.calls(without)) if without else ""]
        ).strip(),
    )


def sides(report: Report) -> list[tuple[str, int]]:
    """How many calls each side hung up, the most first."""
    return sorted(report.sides.items(), key=lambda item: (-item[1], item[0]))


def _sides(report: Report, words: Words) -> Section:
    found = sides(report)
    return Section(
        name="sides",
        title=words("sides"),
        columns=[words("side"), words("calls"), words("share")],
        rows=[
            [words.side(name), words.number(calls), words.percent(Share(calls, report.figures.calls).value)]
            for name, calls in found[:TOP]
        ],
        note=_more(len(found) - TOP, words),
    )


def _callbacks(report: Report, words: Words) -> Section:
    made = report.figures
    found = made.callbacks()
    return Section(
        name="callbacks",
        title=words("callbacks"),
        columns=[words("number"), words("rang"), words("last")],
        rows=[[words.phone(who.number), words.number(who.calls), words.time(who.last)] for who in found[:_CALLBACKS]],
        note=" ".join([_more(len(found) - _CALLBACKS, words), "" if words.numbers else words("masked")]).strip(),
    )


def _oddities(report: Report, words: Words) -> Section:
    made = report.figures
    return Section(
        name="oddities",
        title=words("oddities"),
        columns=[words("kind"), words("calls")],
        rows=[[words(kind), words.number(calls)] for kind, calls in made.oddities.items()],
    )


def _tally(tally: Tally, words: Words) -> list[str]:
    return [
        words.number(tally.calls),
        words.number(tally.answered),
        words.percent(tally.answer_rate.value),
        words.interval(tally.answer_rate.interval),
        words.span(tally.talk_time),
        words.span(tally.acd),
    ]


def _more(number: int, words: Words) -> str:
    return words("more", number=words.number(number)) if number > 0 else ""
