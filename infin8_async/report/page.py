"""A report as one self-contained page: no script, no request, nothing but itself."""

from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from typing import Final

from .._extras import requires

with requires("report", "jinja2", what="a page needs"):
    from jinja2 import Environment, StrictUndefined

from ._gather import Report
from ._pictures import pictures
from ._sections import sections
from ._tiles import completeness, headings, meanings, tiles
from ._words import Words

_OURS: Final = files(__package__)


def page(report: Report, words: Words) -> str:
    """Write a report as HTML."""
    style = (_OURS / "page.css").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    template = environment.from_string((_OURS / "page.html").read_text("utf-8"))
    any_calls = bool(report.figures.calls)
    return template.render(
        words=words,
        language="zh-CN" if words.language == "zh" else words.language,
        style=style,
        # The only style that may apply is this one, to the letter.
        style_hash=f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}",
        complete=report.figures.complete is not False,
        completeness=completeness(report, words),
        headings=headings(report, words),
        tiles=tiles(report, words) if any_calls else [],
        sections=sections(report, words),
        pictures=pictures(report, words) if any_calls else {},
        meanings=meanings(words),
        made=words("made", time=words.time(datetime.now(report.zone), year=True)),
    )
