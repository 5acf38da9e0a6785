"""`infin8 pull`."""

from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Annotated, Final

from cyclopts import Parameter, validators

from ...errors import Infin8Error
from ...export.writing import batches_of
from ...models import Integrity
from ...stream import CdrStream, StreamReport
from .. import DONE, FAILED
from ..formats import OUTPUT, SHAPE, Shape, Target, target
from ..options import CALLS, PLATFORM, Calls, Platform
from ..output import explained, say
from ..progress import Bar, closing
from ..progress import calls as in_words

_ON_TERMINAL: Final = 20
"""How many calls a terminal shows if nothing else is asked for: a screenful."""


async def pull(
    *,
    calls: Calls = CALLS,
    output: Annotated[Path | None, Parameter(alias="-o", group=OUTPUT, allow_leading_hyphen=True)] = None,
    shape: Shape = SHAPE,
    limit: Annotated[int | None, Parameter(group=OUTPUT, validator=validators.Number(gte=1))] = None,
    spreadsheet: Annotated[bool, Parameter(group=OUTPUT, negative="")] = False,
    integrity: Integrity = "repair",
    platform: Platform = PLATFORM,
) -> int:
    """
    Pull every call of a window of time.

    A terminal gets a table of the first 20 calls, with the phone numbers. A pipe gets all of them as JSON Lines: one
    object a line, with the platform's own field names, and times in ISO 8601 with +08:00.

    ```
    infin8 pull --last 2h
    infin8 pull --day 2020-06-10 --context callout -o calls.csv
    infin8 pull --last 7d -o calls.parquet
    infin8 pull --start "2020-06-10 09:00:00" --end "2020-06-10 12:00:00" | jq .billsec
    infin8 pull --last 7d --format table --fields starttime,billsec | less
    infin8 pull --sandbox
    ```

    Args:
        calls: Which calls.

        output: Write to this file, .jsonl, .csv or .parquet, or packed as .jsonl.gz or .csv.gz. It appears when
            everything has been read, complete or not at all. "-" is standard output.

        shape: In which form.

        limit: Stop after this number of calls.

        spreadsheet: Write a CSV that Excel and LibreOffice open as it is meant: Chinese is readable, phone numbers keep
            their zeros, times are times, and no text is run as a formula.

        integrity: What to do if calls moved between pages while they were read. "repair" finds them, and fails if it
            can't; "raise" fails as soon as some were missed; "off" gives what the pages held.

        platform: Where the calls are.
    """
    zone = platform.zone
    query = calls.query(zone)
    to = target(shape, output, zone, spreadsheet=spreadsheet)
    if limit is None and output is None and shape.on_terminal():
        limit = _ON_TERMINAL
    begin = monotonic()
    async with platform.session(query) as session, session.cdrs(query, integrity=integrity) as stream:
        try:
            limited = await _written(stream, to, limit=limit, quiet=shape.quiet)
        except Infin8Error as error:
            say(f"{explained(error)}{_aftermath(stream.report, to.path)}")
            return FAILED
        report, total = stream.report, stream.total or 0
    done = limited or report.complete
    if not (shape.quiet and done):
        seconds, where = monotonic() - begin, "" if to.path is None else f" in {to.path}"
        if limited:
            say(f"The first {limit:,} of {in_words(total)}{where}, in {seconds:.1f} s.", name=False)
        else:
            say(closing(report, total, seconds, where), name=False)
    if shape.on_terminal() and output is None and not shape.quiet:
        _say_what_is_next(limited=limited, sandbox=platform.sandbox)
    return DONE if done else FAILED


def _say_what_is_next(*, limited: bool, sandbox: bool) -> None:
    if limited:
        say("More: --limit 100. All: -o calls.csv.", name=False)
    if sandbox:
        say("Made up. Next: infin8 report --sandbox", name=False)


async def _written(stream: CdrStream, to: Target, *, limit: int | None, quiet: bool) -> bool:
    """Write the calls of a stream. True if there are more than *limit*, and those were left out."""
    left = limit
    async with to.writing() as write, aclosing(batches_of(stream, to.read)) as batches:
        with Bar(quiet=quiet) as bar:
            async for batch in batches:
                if left != 0:
                    with bar.aside():
                        await write(batch[:left])
                total = stream.total or 0
                bar.show(stream.report.received, total)
                if left is not None:
                    left = max(0, left - len(batch))
                    if left == 0 and stream.report.received < total:
                        return True
    return limit is not None and stream.report.received > limit


def _aftermath(report: StreamReport, output: Path | None) -> str:
    """What was done before a pull failed."""
    facts = [f"after {in_words(report.received)}"] if report.received else []
    facts += [f"{output} was not written"] if output is not None else []
    return f" ({', '.join(facts)})" if facts else ""
