"""A report for a terminal: tiles, a heat map in blocks, tables; it says the same without colour."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..figures import Figures
from ._gather import Report
from ._sections import Section, sections
from ._tiles import Tile, completeness, headings, tiles
from ._words import Words

_BLOCKS: Final = "·░▒▓█"
_LEAST: Final = 20  # columns of a tile
_ON_ONE_LINE: Final = ("calls", "answer_rate", "missed", "unreturned", "talk_time", "acd", "billed")


def printed(report: Report, words: Words, console: Console) -> None:
    """Print a report."""
    made = report.figures
    style = "bold red" if made.complete is False else "green"
    console.print(Text(completeness(report, words), style))
    console.print(Text(words("title"), "bold"), *(Text(line, "dim") for line in headings(report, words)), sep="\n")
    if not made.calls:
        console.print(words("none"))
        return
    console.print()
    console.print(_tiles(tiles(report, words), console.width))
    for section in sections(report, words):
        console.print()
        console.print(Text(section.title, "bold"))
        if section.name == "heat":
            console.print(_heat(made, words, console.width))
            console.print(Text(section.caption, "dim"))
        else:
            console.print(_table(section, words, console.width))
        if section.note:
            console.print(Text(section.note, "dim"))


def on_one_line(report: Report, words: Words) -> dict[str, str]:
    """The most important figures under their names. If calls are missing, the first one says so."""
    wanted = [words(name) for name in _ON_ONE_LINE]
    line = {tile.name: tile.value for tile in tiles(report, words) if tile.name in wanted}
    if report.figures.complete is False:
        line[words("calls")] += " (NOT COMPLETE)"
    return line


def _tiles(shown: Sequence[Tile], width: int) -> Table:
    """As many tiles in a row as there is room for."""
    across = max(1, min(4, width // _LEAST))
    grid = Table.grid(padding=(0, 2, 0, 0))
    for start in range(0, len(shown), across):
        grid.add_row(*(_tile(tile) for tile in shown[start : start + across]))
    return grid


def _tile(tile: Tile) -> Text:
    lines = [Text(tile.name, "dim"), Text(tile.value, "bold"), Text(tile.detail), Text(tile.before, "dim")]
    return Text("\n").join([*(line for line in lines if line), Text()])


def _heat(made: Figures, words: Words, width: int) -> Text:
    """One row a weekday, one block or two an hour: the fuller, the more calls."""
    calls = {key: tally.calls for key, tally in made.by_weekday_hour.items()}
    most = max(calls.values())
    wide = 2 if width >= 6 + 2 * 24 else 1
    names = [Text(words.weekday(day)) for day in range(7)]
    label = max(name.cell_len for name in names) + 1
    lines = [Text(" " * label + "".join(f"{hour:<{3 * wide}}" for hour in range(0, 24, 3)), "dim")]
    for day, name in enumerate(names):
        blocks = "".join(_BLOCKS[-(-4 * calls.get((day, hour), 0) // most)] * wide for hour in range(24))
        lines.append(name + Text(" " * (label - name.cell_len) + blocks))
    return Text("\n").join(lines)


def _table(section: Section, words: Words, width: int) -> Table:
    """As many of its columns as there is room for: some are missed less than others."""
    dispensable = [words("talk_time"), words("interval")]

    def importance(number: int) -> tuple[int, int]:
        heading = section.columns[number]
        return -dispensable.index(heading) if heading in dispensable else 1, -number

    widths = {
        number: max(Text(row[number]).cell_len for row in (section.columns, *section.rows))
        for number in range(len(section.columns))
    }
    while len(widths) > 1 and sum(widths.values()) + 2 * (len(widths) - 1) > width:
        del widths[min(widths, key=importance)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number in widths:
        table.add_column(Text(section.columns[number]), justify="right" if number else "left", no_wrap=True)
    for row in section.rows:
        table.add_row(*(Text(row[number]) for number in widths))
    return table
