"""`infin8 report`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import asynccontextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import evolve
from cyclopts import Parameter
from rich.console import Console

from ..._files import written_whole
from ...models import BEIJING, Cdr, CdrQuery
from ...report import Language, Report, Words, before, gather
from ...report.terminal import printed
from .. import DONE, FAILED
from ..options import CALLS, PLATFORM, Calls, Platform, UsageError
from ..output import say, write_out
from ..stores import opened


async def report(
    *,
    calls: Calls = CALLS,
    zone: Annotated[str | None, Parameter(env_var="INFIN8_ZONE")] = None,
    lang: Language = "en",
    numbers: Annotated[bool, Parameter(negative="")] = False,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    platform: Platform = PLATFORM,
) -> int:
    """
    Say what the calls of a window amount to, and those of the period before: on the terminal, or as a page.

    The page is one HTML file without a script, to look at, to send and to print. It and the terminal say first whether
    all calls are there; if some are missing, the exit code is 1.

    ```
    infin8 report --last 7d
    infin8 report --last 30d --lang zh --zone America/Mexico_City -o report.html
    infin8 report --day 2020-06-10 --from sqlite:///calls.db
    infin8 report --last 14d --sandbox -o report.html
    ```

    Args:
        calls: Which calls.

        zone: Whose hours and days are meant, such as America/Mexico_City. Beijing's if not given.

        lang: In which language: en or zh.

        numbers: Show phone numbers. Without it they are masked.

        from_: Read this database instead of the platform: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.

        output: Write a page to this file, .html.

        platform: Where they are.
    """
    query = calls.query()
    words = Words(lang, numbers=numbers)
    write = _page(output) if output is not None else None
    here = _zone(zone)
    async with _source(query, from_, platform, here) as cdrs:
        made = await gather(query, cdrs, zone=here)
    if output is None or write is None:
        _print(made, words)
    else:
        await asyncio.to_thread(write, made, words)
        say(f"{made.figures.calls:,} calls in {output}", name=False)
    return FAILED if made.figures.complete is False else DONE


def _page(output: Path) -> Callable[[Report, Words], None]:
    """
    What writes a page to that file.

    Raises:
        UsageError: It can't be written, or an extra is missing.
    """
    if output.suffix != ".html":
        raise UsageError(f"--output {output}: a page ends in .html")
    if output.exists() and not output.is_file():
        raise UsageError(f"--output {output}: exists and is not a regular file")
    try:
        from ...report.page import page  # noqa: PLC0415  # it belongs to an extra
    except ImportError as error:
        raise UsageError(f"--output {output}: {error}") from error

    def write(made: Report, words: Words) -> None:
        with written_whole(output) as out:
            out.write(page(made, words).encode())

    return write


def _print(made: Report, words: Words) -> None:
    console = Console()
    with console.capture() as captured:
        printed(made, words, console)
    write_out(captured.get().encode(console.encoding, "replace"))


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return BEIJING
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--zone {name}: there is no such zone; names are such as America/Mexico_City") from None


@asynccontextmanager
async def _source(
    query: CdrQuery, url: str | None, platform: Platform, zone: tzinfo
) -> AsyncGenerator[Callable[[CdrQuery], AsyncIterable[Cdr]]]:
    """What gives the calls of a query: a store, or a session."""
    if url is not None:
        async with opened(url) as store:
            yield store.cdrs
        return
    # A made-up platform has calls in the period before as well.
    both = evolve(query, starttime=before(query, zone).starttime)
    async with platform.session(both) as session:
        yield session.cdrs
