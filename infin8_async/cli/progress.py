"""The progress bar of a pull, and the line that ends it."""

import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from ..stream import StreamReport

_ROOM_FOR_SPEED: Final = 60  # columns


def calls(number: int) -> str:
    """A number of calls in words: "1 call", "2,000 calls"."""
    return f"{number:,} {'call' if number == 1 else 'calls'}"


def days(number: int) -> str:
    """A number of days in words: "1 day", "2,000 days"."""
    return f"{number:,} {'day' if number == 1 else 'days'}"


def _is_wanted(console: Console, *, quiet: bool) -> bool:
    """Whether to show a bar. If standard output is a pipe, its reader may write to the same terminal."""
    kind = os.fstat(sys.stdout.fileno()).st_mode
    return not quiet and console.is_terminal and console.is_interactive and not stat.S_ISFIFO(kind)


class _Counts(ProgressColumn):
    def __init__(self, *, speed: bool) -> None:
        super().__init__(Column(no_wrap=True))
        self._speed = speed

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("asking …")
        rate = f", {task.speed:,.0f} a second" if task.speed and self._speed else ""
        return Text(f"{task.completed:,.0f} of {calls(int(task.total))}{rate}")


class Bar:
    """
    A progress bar on standard error for the time of a `with` block.

    Nothing is shown if that is not a terminal, if standard output is a pipe, or if *quiet*.
    """

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._shown = _is_wanted(console, quiet=quiet)
        self._progress = Progress(
            BarColumn(),
            _Counts(speed=console.width >= _ROOM_FOR_SPEED),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._progress.add_task("", total=None)

    def show(self, received: int, total: int) -> None:
        """Show how many calls of *total* have come."""
        self._progress.update(self._task, completed=received, total=max(received, total))

    @contextmanager
    def aside(self) -> Generator[None]:
        """Hide the bar while rows are printed, if they go to a terminal: it is the same one."""
        hidden = self._shown and sys.stdout.isatty()
        if hidden:
            self._progress.stop()
        yield
        if hidden:
            self._progress.start()

    def __enter__(self) -> Self:
        if self._shown:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._progress.stop()


class _Days(ProgressColumn):
    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("asking …")
        return Text(f"{task.completed:,.0f} of {days(int(task.total))}, {calls(task.fields['received'])}")


class DaysBar:
    """A bar for all days of a sync, and a line for the one under way. Shown where `Bar` is."""

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        shown = _is_wanted(console, quiet=quiet)
        self._whole = Progress(BarColumn(), _Days(), TimeRemainingColumn(compact=True), console=console)
        self._line = Progress(TextColumn("{task.description}"), console=console)
        self._task = self._whole.add_task("", total=None, received=0)
        self._day = self._line.add_task("")
        self._live = Live(Group(self._whole, self._line), console=console, transient=True) if shown else None

    def show(self, done: int, total: int, received: int, day: str) -> None:
        """Show how many days of *total* are done, how many calls came, and a text about the day under way."""
        self._whole.update(self._task, completed=done, total=total, received=received)
        self._line.update(self._day, description=day)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def closing(report: StreamReport, counted: int, seconds: float, where: str) -> str:
    """
    The line that ends a pull: what came, and whether it is complete.

    Args:
        report: The pull's report, after its end.

        counted: The platform's newest count.

        seconds: How long the pull took.

        where: Where the calls are now, such as " in calls.csv".
    """
    if report.certified and report.complete:
        verdict = "complete: exactly as many as the platform counts"
    elif report.complete:
        verdict = f"complete: all calls that were there from beginning to end; the platform now counts {counted:,}"
    else:
        verdict = f"NOT COMPLETE: the platform counts {counted:,}"
    facts = [
        f"{number:,} {fact}"
        for number, fact in (
            (report.recovered, "had moved and were found again"),
            (report.duplicates, "dropped as duplicates"),
            (report.retries, "retry" if report.retries == 1 else "retries"),
        )
        if number
    ]
    return f"{calls(report.received)}{where} in {seconds:.1f} s, {'; '.join([verdict, *facts])}."
