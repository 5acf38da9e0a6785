"""`infin8 report`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from attrs import evolve
from cyclopts import Parameter
from rich.console import Console

from ..._files import written_whole
from ...models import Cdr, CdrQuery
from ...report import Language, Report, Words, before, gather
from ...report.terminal import on_one_line, printed
from ...session import Infin8Session
from .. import DONE, FAILED
from ..access import Access
from ..everybody import each, print_accounts
from ..options import CALLS, PLATFORM, Calls, Platform, UsageError
from ..output import say, write_out
from ..stores import opened

if TYPE_CHECKING:
    from ...store import CdrStore


async def report(
    *,
    calls: Calls = CALLS,
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
    infin8 report --day "last month" --account all
    ```

    Args:
        calls: Which calls.

        lang: In which language: en or zh.

        numbers: Show phone numbers. Without it they are masked.

        from_: Read this database instead of the platform: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.
            With --account, only the calls of that account.

        output: Write a page to this file, .html.

        platform: Where they are.
    """
    words = Words(lang, numbers=numbers)
    write = _page(output) if output is not None else None
    if platform.every_account and output is not None:
        raise UsageError("--output: a page is about one account: name it with --account")
    async with opened(from_) if from_ is not None else nullcontext() as store:
        if platform.every_account:
            return await _every_account(store, calls, platform, words)
        made = await _made(calls, store, platform.access(), platform.session)
    if output is None or write is None:
        _print(made, words)
    else:
        await asyncio.to_thread(write, made, words)
        say(f"{made.figures.calls:,} calls in {output}", name=False)
    return FAILED if made.figures.complete is False else DONE


async def _every_account(store: "CdrStore | None", calls: Calls, platform: Platform, words: Words) -> int:
    with platform.accesses() as ways:
        reports = await each(ways, lambda way: _made(calls, store, way, lambda _: way.session()))
    print_accounts(reports, lambda made: on_one_line(made, words))
    return FAILED if any(made is None or made.figures.complete is False for made in reports.values()) else DONE


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


async def _made(
    calls: Calls,
    store: "CdrStore | None",
    way: Access,
    session: Callable[[CdrQuery], AbstractAsyncContextManager[Infin8Session]],
) -> Report:
    query = calls.query(way.zone)
    async with _source(query, way, store, session) as cdrs:
        return await gather(query, cdrs, zone=way.zone)


@asynccontextmanager
async def _source(
    query: CdrQuery,
    way: Access,
    store: "CdrStore | None",
    session: Callable[[CdrQuery], AbstractAsyncContextManager[Infin8Session]],
) -> AsyncGenerator[Callable[[CdrQuery], AsyncIterable[Cdr]]]:
    """What gives the calls of a query: a store, or a session."""
    if store is not None:
        yield partial(store.cdrs, account=way.appid)
        return
    # A made-up platform has calls in the period before as well.
    async with session(evolve(query, starttime=before(query, way.zone).starttime)) as opened_session:
        yield opened_session.cdrs
