"""`infin8 probe`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from ..._files import written_whole
from ...models import CdrQuery, check_number
from ...probe import ProbeReport, rate_test, watch
from ...probe import probe as find_out
from .. import DONE
from ..options import CALLS, PLATFORM, Calls, Platform, UsageError, usage
from ..output import say, write_out

_RATE: Final = 2.0
_DAY: Final = timedelta(days=1)


async def probe(
    *,
    calls: Calls = CALLS,
    json: Path | None = None,
    rate: Annotated[list[float] | None, Parameter(consume_multiple=True, negative="")] = None,
    most_requests: int = 120,
    watch_: Annotated[timedelta | None, Parameter(name="--watch")] = None,
    platform: Platform = PLATFORM,
) -> int:
    """
    Find out what your platform does that no document says, and which settings suit it.

    It sends some 40 requests, two a second, and ends if the platform says that it gets too many. What it prints
    holds no phone number, user name or key, and can be shown to anybody.

    ```
    infin8 probe
    infin8 probe --json probe.json --last 7d    # for a bug report
    infin8 probe --watch 30m                    # how late do calls come, and do they change?
    infin8 probe --rate                         # how many requests a second are taken? This presses the platform
    ```

    Args:
        calls: Which calls to look at. If not given: those of the last day, or of more days if they are few.

        json: Write findings and advice to this file as well.

        rate: The most requests a second. Without a number: find out how many the platform takes, up to 16.

        most_requests: The most requests for each of the three parts: the probe, --rate and --watch.

        watch_: Look again and again for this long, such as 30m.

        platform: Where the calls are.
    """
    query = calls.query(platform.zone) if calls != CALLS else None
    _check(json)
    with usage():
        check_number("--most-requests", most_requests, least=1)
        speed = _speed(rate)
        if watch_ is not None:
            check_number("--watch", watch_.total_seconds(), above=0)
    async with platform.session(query or CdrQuery.last(_DAY)) as session:
        say("looking…", name=False)
        report = await find_out(session, query=query, most_requests=most_requests, rate=speed)
        if rate == []:
            say("pressing: up to 16 requests a second…", name=False)
            report = await rate_test(session, report, query=query, most_requests=most_requests)
        _show(report, json)
        if watch_ is not None:
            say(f"watching for {watch_}…", name=False)
            report = await watch(session, report, duration=watch_, query=query, most_requests=most_requests)
            _show(report, json)
    return DONE


def _check(file: Path | None) -> None:
    """
    Look whether a file can be written, before minutes go by.

    Raises:
        UsageError: It can't.
    """
    if file is not None and not file.absolute().parent.is_dir():
        raise UsageError(f"--json {file}: there is no such folder")
    if file is not None and file.exists() and not file.is_file():
        raise UsageError(f"--json {file}: exists and is not a regular file")


def _speed(rate: list[float] | None) -> float:
    """
    The requests a second.

    Raises:
        ValueError: More than one number, or one that makes no sense.
    """
    if not rate:
        return _RATE
    if len(rate) > 1:
        raise ValueError("--rate takes one number, or none")
    check_number("--rate", rate[0], above=0)
    return rate[0]


def _show(report: ProbeReport, file: Path | None) -> None:
    """Print the report, and write it to the file if there is one."""
    if file is not None:
        with written_whole(file) as out:
            out.write(msgspec.json.format(msgspec.json.encode(report.to_dict()), indent=2) + b"\n")
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("finding", "value", "evidence"):
        table.add_column(heading, overflow="fold")
    for name, finding in report.findings.items():
        table.add_row(name, finding.value, finding.evidence, style="" if finding.found else "dim")
    with console.capture() as captured:
        console.print(table)
        for line in report.advice:
            console.print(line, markup=False, soft_wrap=True)
    write_out(captured.get().encode(console.encoding, "replace"))
