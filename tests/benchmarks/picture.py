"""The time of a pull, compared with its peers, as a small SVG for light and dark pages."""

from html import escape
from typing import Final

from .figures import Figure, machine

_BAR, _GAP, _LEFT, _WIDTH = 22, 8, 200, 760
_TOP: Final = 58
_STYLE: Final = """
  text { font: 14px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 16px }
  .note { font-size: 12px; fill: #57606a }
  rect { fill: #afb8c1 }
  rect.own { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    rect { fill: #484f58 }
    rect.own { fill: #4493f8 }
  }
"""


def picture(figures: list[Figure]) -> str:
    """Bars for the figures that compare a peer's time with the library's, the slowest first."""
    bars = [(f.what.partition(":")[0], f.value) for f in figures if f.against_library and f.value is not None]
    bars = sorted([*bars, ("infin8_async", 1.0)], key=lambda bar: -bar[1])
    longest = max(value for _, value in bars)
    height = _TOP + len(bars) * (_BAR + _GAP) + 30
    drawn = []
    for number, (name, value) in enumerate(bars):
        y = _TOP + number * (_BAR + _GAP)
        length = (_WIDTH - _LEFT - 90) * value / longest
        own = ' class="own"' if name == "infin8_async" else ""
        drawn += [
            f'<text x="{_LEFT - 10}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect{own} x="{_LEFT}" y="{y}" width="{length:.0f}" height="{_BAR}" rx="3"/>',
            f'<text x="{_LEFT + length + 8:.0f}" y="{y + 16}">{value:.{0 if value >= 10 else 2}f} &#215;</text>',
        ]
    title = "200 pages from a platform that takes 50 ms for each"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">',
            f"<style>{_STYLE}</style>",
            f'<text class="title" x="10" y="24">{title}</text>',
            '<text class="note" x="10" y="44">time, compared with infin8_async; shorter is better</text>',
            *drawn,
            f'<text class="note" x="10" y="{height - 10}">{escape(machine())}</text>',
            "</svg>\n",
        ]
    )
