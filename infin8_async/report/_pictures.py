"""The pictures of a report, as SVG that takes its colours from the page."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from .._extras import requires

with requires("report", "altair", "vl_convert", what="a page needs"):
    import altair as alt
    import vl_convert

from ._gather import Report
from ._sections import TOP, extensions, lengths, sides
from ._steps import levels, step, tallies
from ._words import Words

Values = Sequence[Mapping[str, object]]

# Colours that stand for those of the page, which differ in light, in dark and on paper.
_INK: Final = "#010101"
_LINE: Final = "#020202"
_MARK: Final = "#030303"
_COLOURS: Final = {_INK: "var(--soft)", _LINE: "var(--line)", _MARK: "var(--mark)"}

_WIDTH: Final = 360
_PALE: Final = 0.35  # how opaque the greater of two bars is, with the smaller one on it
_ROW: Final = 22
_LABELS: Final = 96  # room for labels: their width is only guessed, as the reader's fonts are not known
_DECIMALS: Final = re.compile(r"(\d+\.\d)\d+")
_ROLES: Final = re.compile(r' (?:role|aria-\w+)="[^"]*"')  # of its parts, which mean nothing one by one
_CONFIG: Final = {
    "aria": False,  # the table under a picture says more than its marks would
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "domainColor": _LINE,
        "tickColor": _LINE,
        "gridColor": _LINE,
        "labelFontSize": 12,
    },
    "axisY": {"minExtent": 36},
    "title": {"color": _INK, "fontSize": 12, "fontWeight": "normal", "anchor": "start"},
}


def pictures(report: Report, words: Words) -> dict[str, str]:
    """The pictures by the name of their section, each an `<svg>` element."""
    charts: Mapping[str, Callable[[Report, Words], alt.TopLevelMixin]] = {
        "heat": _heat,
        "days": _days,
        "at_once": _at_once,
        "talks": _talks,
        "extensions": _extensions,
        "sides": _sides,
    }
    return {name: _svg(chart(report, words), words(name)) for name, chart in charts.items()}


def _svg(chart: Any, label: str) -> str:  # noqa: ANN401  # Altair's charts share no type that has what is called here
    spec = chart.configure(**_CONFIG).to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec)
    svg = _DECIMALS.sub(r"\1", _ROLES.sub("", svg))
    for stand_in, colour in _COLOURS.items():
        svg = svg.replace(stand_in, colour)
    # Its size is the page's to choose.
    return re.sub(r'<svg .*?(viewBox="[^"]*")>', rf'<svg \1 role="img" aria-label="{label}">', svg, count=1)


def _chart(values: Values, height: int, title: str = "") -> alt.Chart:
    data = alt.InlineData(values=[dict(value) for value in values])
    return alt.Chart(data, width=_WIDTH, height=height, title=title or alt.Undefined)


def _across(name: str = "at") -> alt.X:
    """Steps of time from left to right, with as many labels as there is room for."""
    axis = alt.Axis(title=None, labelAngle=0, labelOverlap="greedy", ticks=False, labelSeparation=6)
    return alt.X(f"{name}:O", sort=None, axis=axis)


def _heat(report: Report, words: Words) -> alt.Chart:
    made = report.figures
    values = [
        {"day": words.weekday(day), "at": hour, "calls": made.by_weekday_hour[day, hour].calls}
        for day in range(7)
        for hour in range(24)
    ]
    axis = alt.Axis(title=None, ticks=False, domain=False)
    hours = alt.Axis(title=None, ticks=False, domain=False, labelAngle=0, values=[*range(0, 24, 3)])
    gaps = alt.Scale(paddingInner=0.08)
    chart: alt.Chart = (
        _chart(values, 7 * _ROW)
        .mark_rect(fill=_MARK, cornerRadius=2)
        .encode(
            x=alt.X("at:O", axis=hours, scale=gaps),
            y=alt.Y("day:O", sort=None, axis=axis, scale=gaps),
            opacity=alt.Opacity("calls:Q", legend=None, scale=alt.Scale(domainMin=0, range=[0.06, 1])),
        )
    )
    return chart


def _days(report: Report, words: Words) -> alt.VConcatChart:
    made = report.figures
    values = []
    for key, tally in tallies(made).items():
        low, high = tally.answer_rate.interval or (None, None)
        values.append(
            {
                "at": words.short(step(made), key),
                "rate": tally.answer_rate.value,
                "low": low,
                "high": high,
                "acd": None if tally.acd is None else tally.acd / timedelta(minutes=1),
            }
        )
    rate = _chart(values, 110).encode(x=_across())
    scale = alt.Scale(domain=[0, 1])
    band = rate.mark_area(fill=_MARK, opacity=_PALE).encode(
        y=alt.Y("low:Q", scale=scale, axis=alt.Axis(title=None, format="%", tickCount=5)), y2="high:Q"
    )
    line = rate.mark_line(stroke=_MARK, point=alt.OverlayMarkDef(fill=_MARK, size=18)).encode(
        y=alt.Y("rate:Q", scale=scale)
    )
    talk = _chart(values, 90, f"{words('acd')} ({words('minutes')})").mark_bar(fill=_MARK)
    acd = talk.encode(x=_across(), y=alt.Y("acd:Q", axis=alt.Axis(title=None, tickCount=4)))
    return alt.vconcat(alt.layer(band, line, title=words("answer_rate")), acd, spacing=12)


def _at_once(report: Report, words: Words) -> alt.LayerChart:
    made = report.figures
    values = [
        {"at": words.short(step(made), key), "most": level.most, "erlangs": level.erlangs}
        for key, level in levels(made).items()
    ]
    base = _chart(values, 150).encode(x=_across())
    most = base.mark_bar(fill=_MARK, opacity=_PALE).encode(
        y=alt.Y("most:Q", axis=alt.Axis(title=None, tickMinStep=1, tickCount=5))
    )
    return alt.LayerChart(layer=[most, base.mark_bar(fill=_MARK).encode(y="erlangs:Q")])


def _talks(report: Report, words: Words) -> alt.LayerChart:
    return _bars(
        [(words.length(low, high), calls, None) for (low, high), calls in lengths(report.figures).items()], words
    )


def _extensions(report: Report, words: Words) -> alt.LayerChart:
    found = extensions(report)[:TOP]
    return _bars([(words.extension(name), tally.calls, tally.answered) for name, tally in found], words)


def _sides(report: Report, words: Words) -> alt.LayerChart:
    return _bars([(words.side(name), calls, None) for name, calls in sides(report)[:TOP]], words)


def _bars(bars: Sequence[tuple[str, int, int | None]], words: Words) -> alt.LayerChart:
    """A bar for each name, with its number of calls, and on it another for those answered, if that is known."""
    values = [
        {"name": name, "calls": calls, "answered": answered, "label": words.number(calls)}
        for name, calls, answered in bars
    ]
    names = alt.Axis(title=None, ticks=False, domain=False, minExtent=_LABELS)
    base = _chart(values, _ROW * len(values)).encode(y=alt.Y("name:N", sort=None, axis=names))
    calls = alt.X("calls:Q", axis=None)
    layers = [
        base.mark_bar(fill=_MARK, opacity=_PALE if any(answered is not None for _, _, answered in bars) else 1),
        base.mark_text(align="left", dx=4, fill=_INK, fontSize=12).encode(text="label:N"),
    ]
    answered = base.mark_bar(fill=_MARK).encode(x="answered:Q")
    return alt.LayerChart(layer=[*(layer.encode(x=calls) for layer in layers), answered])
