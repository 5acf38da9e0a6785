"""`infin8 pull`."""

from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Annotated

from cyclopts import Parameter

from ...errors import Infin8Error
from ...export.arrow import arrow
from ...models import Integrity
from ...stream import StreamReport
from .. import DONE, FAILED
from ..options import CALLS, PLATFORM, Calls, Platform, UsageError
from ..output import SUFFIXES, say, writing
from ..progress import Bar, closing
from ..progress import calls as in_words


async def pull(
    *,
    calls: Calls = CALLS,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    spreadsheet: Annotated[bool, Parameter(negative="")] = False,
    integrity: Integrity = "repair",
    platform: Platform = PLATFORM,
) -> int:
    """
    Pull every call of a window of time.

    A terminal gets a table, with the phone numbers. A pipe gets JSON Lines: one object a line, with the platform's own
    field names, and times in ISO 8601 with +08:00.

    ```
    infin8 pull --last 2h
    infin8 pull --day 2020-06-10 --context callout -o calls.csv
    infin8 pull --last 7d -o calls.parquet
    infin8 pull --start "2020-06-10 09:00:00" --end "2020-06-10 12:00:00" | jq .billsec
    infin8 pull --sandbox | head
    ```

    Args:
        calls: Which calls.

        output: Write to this file, .jsonl, .csv or .parquet. It appears when everything has been read, complete or not
            at all.

        spreadsheet: In a .csv file, put a ' before each text that a spreadsheet would take for a formula, such as the
            number +8613800000000.

        integrity: What to do if calls moved between pages while they were read. "repair" finds them, and fails if it
            can't; "raise" fails as soon as some were missed; "off" gives what the pages held.

        platform: Where the calls are.
    """
    query = calls.query(platform.zone)
    if output is not None and output.suffix not in SUFFIXES:
        raise UsageError(f"--output {output}: the name must end in {' or '.join(SUFFIXES)}")
    if output is not None and output.exists() and not output.is_file():
        raise UsageError(f"--output {output}: exists and is not a regular file")
    if spreadsheet and (output is None or output.suffix != ".csv"):
        raise UsageError("--spreadsheet needs an --output that ends in .csv")
    if output is not None and output.suffix == ".parquet":
        try:
            arrow()
        except ImportError as error:
            raise UsageError(f"--output {output}: {error}") from error
    begin = monotonic()
    async with platform.session(query) as session, session.cdrs(query, integrity=integrity) as stream:
        try:
            async with writing(output, spreadsheet=spreadsheet) as write, aclosing(stream.pages()) as pages:
                with Bar() as bar:
                    async for page in pages:
                        with bar.aside():
                            await write(page.cdrs)
                        bar.show(stream.report.received, page.total)
        except Infin8Error as error:
            say(f"{error}{_aftermath(stream.report, output)}")
            return FAILED
        report = stream.report
        where = "" if output is None else f" in {output}"
        say(closing(report, stream.total or 0, monotonic() - begin, where), name=False)
    return DONE if report.complete else FAILED


def _aftermath(report: StreamReport, output: Path | None) -> str:
    """What was done before a pull failed."""
    facts = [f"after {in_words(report.received)}"] if report.received else []
    facts += [f"{output} was not written"] if output is not None else []
    return f" ({', '.join(facts)})" if facts else ""
