"""The tables of a report: the same for a terminal and for a page."""

from collections.abc import Sequence
from typing import Final, Literal

from attrs import frozen

from ..figures import Figures, Share, Tally
from ._gather import Report
from ._steps import levels, step, tallies
from ._words import Words

TOP: Final = 10
"""How many extensions are shown."""

_LENGTHS: Final = (0, 10, 30, 60, 120, 300, 600, 1800)  # seconds; where the steps of time talked begin
_CALLBACKS: Final = 15


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
    """Answered calls by how long they talked: from the first number of seconds to just below the second."""
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
