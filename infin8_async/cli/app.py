"""The command line: `infin8 pull`, `count`, `sync`, `follow`, `sandbox`."""

import asyncio
import shlex
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, CycloptsError, Parameter

from ..errors import Infin8Error
from ..export import arrow, json_lines
from ..models import Cdr, Integrity, check_number
from ..stream import StreamReport
from ..testing import Order, Sandbox, Ties
from .options import Calls, Platform, UsageError, today, usage
from .output import SUFFIXES, call_lines, in_thread, say, write_out, writing
from .progress import Bar, closing
from .progress import calls as in_words

if TYPE_CHECKING:
    from ..store import CdrStore, SyncProgress

_DONE, _FAILED, _USAGE, _INTERRUPTED = 0, 1, 2, 130
_LAST_PORT: Final = 65_535
_LIVE: Final = 1.0  # calls a second of a sandbox that is followed
_CALLS: Final = Calls()
_PLATFORM: Final = Platform()

app = App(
    name="infin8",
    help="The call detail records of the Infin8linx cloud call centre.",
    version=lambda: version("infin8-async"),
    help_format="markdown",
    suppress_keyboard_interrupt=False,
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)


def run() -> int:
    """
    Run the command that the arguments of this process name.

    Returns:
        What to exit with: 0 done; 1 the platform, the network or a file failed; 2 used wrongly; 130 interrupted.
    """
    try:
        code: object = app()
    except (CycloptsError, UsageError) as error:
        say(str(error))
        return _USAGE
    except BrokenPipeError:  # whoever reads has seen enough
        return _DONE
    except Infin8Error as error:
        say(str(error))
        return _FAILED
    except OSError as error:
        say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return _FAILED
    return code if isinstance(code, int) else _DONE


@app.command
async def pull(
    *,
    calls: Calls = _CALLS,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    spreadsheet: Annotated[bool, Parameter(negative="")] = False,
    integrity: Integrity = "repair",
    platform: Platform = _PLATFORM,
) -> int:
    """
    Pull every call of a window of time.

    To a terminal goes a table, with the phone numbers; to a pipe go JSON Lines: one object a line, under the
    platform's own field names, times in ISO 8601 with +08:00.

    ```
    infin8 pull --last 2h
    infin8 pull --day 2020-06-10 --context callout -o calls.csv
    infin8 pull --last 7d -o calls.parquet
    infin8 pull --start "2020-06-10 09:00:00" --end "2020-06-10 12:00:00" | jq .billsec
    infin8 pull --sandbox | head
    ```

    Args:
        calls: Which calls.

        output: Write to this file, .jsonl, .csv or .parquet. It appears when everything has been read, whole or not at
            all.

        spreadsheet: In a .csv file, put a ' before each text that a spreadsheet would take for a formula, as it would
            the number +8613800000000.

        integrity: What to do where calls moved between pages while they were read. "repair" finds them and fails where
            that is impossible, "raise" fails as soon as some were missed, "off" gives what the pages held.

        platform: Where they are.
    """
    query = calls.query()
    if output is not None and output.suffix not in SUFFIXES:
        raise UsageError(f"--output {output}: a file ends in {' or '.join(SUFFIXES)}")
    if output is not None and output.exists() and not output.is_file():
        raise UsageError(f"--output {output}: there is something that is no file")
    if spreadsheet and (output is None or output.suffix != ".csv"):
        raise UsageError("--spreadsheet is for an --output that ends in .csv")
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
            return _FAILED
        report = stream.report
        where = "" if output is None else f" in {output}"
        say(closing(report, stream.total or 0, monotonic() - begin, where), name=False)
    return _DONE if report.complete else _FAILED


@app.command
async def count(*, calls: Calls = _CALLS, platform: Platform = _PLATFORM) -> int:
    """
    Ask the platform how many calls a window of time holds: one small request.

    ```
    infin8 count --day 2020-06-10 --extnumber 8001
    infin8 count --last 7d --context callin --sandbox
    ```

    Args:
        calls: Which calls.

        platform: Where they are.
    """
    query = calls.query()
    async with platform.session(query) as session:
        write_out(f"{await session.count(query)}\n".encode())
    return _DONE


@app.command
async def sync(
    store: str,
    /,
    *,
    calls: Calls = _CALLS,
    platform: Platform = _PLATFORM,
) -> int:
    """
    Have a database hold every call of a window of time.

    Day by day; each day is written whole, with a line in a ledger. Interrupted and started again it goes on where it
    was. A day that has not changed since costs one small request.

    ```
    infin8 sync sqlite:///calls.db --start "2020-06-01 00:00:00"
    infin8 sync postgresql://user@host/database --last 30d
    infin8 sync sqlite:///calls.db --last 7d --sandbox
    ```

    Args:
        store: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.

        calls: Which calls.

        platform: Where they are.
    """
    query = calls.query()
    begin = monotonic()
    async with _store(store) as database, platform.session(query) as session:
        with Bar() as bar:

            def show(at: "SyncProgress") -> None:
                day = max(query.starttime, at.window.starttime + timedelta(seconds=1)).date()
                bar.show(at.received, at.total, f"{day}, day {at.number} of {at.days}")

            report = await database.sync(session, query, progress=show)
    saved = report.saved
    say(
        f"{in_words(saved.inserted)} new, {saved.updated:,} changed, {saved.unchanged:,} as they were, "
        f"in {monotonic() - begin:.1f} s; of {report.days:,} {'day' if report.days == 1 else 'days'} "
        f"{report.unchanged:,} needed no pull, {report.certified:,} now hold exactly what the platform counts.",
        name=False,
    )
    return _DONE


@app.command
async def follow(
    *,
    calls: Calls = _CALLS,
    to: str | None = None,
    checkpoint: Path | None = None,
    interval: timedelta = timedelta(seconds=30),
    lookback: timedelta = timedelta(hours=1),
    platform: Platform = _PLATFORM,
) -> int:
    """
    Watch calls as they appear, each once, until Ctrl-C.

    A call appears when it ends. To a terminal goes one line a call, to a pipe JSON Lines. Without a window of time the
    last ten minutes come first.

    ```
    infin8 follow --context callin
    infin8 follow --to sqlite:///calls.db
    infin8 follow --checkpoint calls.json | jq .billsec
    infin8 follow --sandbox --interval 2s
    ```

    Args:
        calls: Which calls.

        to: Save them in this database as well: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE. Started
            again it goes on where it was.

        checkpoint: Keep in this file what has been written, so that started again it goes on where it was.

        interval: How often to ask: 10s, 5m.

        lookback: How long after it was dialled a call may appear: 2h.

        platform: Where they are. With --sandbox, one where calls come in.
    """
    if to is not None and checkpoint is not None:
        raise UsageError("--to keeps its place in the database: leave --checkpoint out")
    for name, span in {"--interval": interval, "--lookback": lookback}.items():
        if span <= timedelta():
            raise UsageError(f"{name} must be longer than nothing")
    query = calls.following(timedelta(minutes=10))
    lines = call_lines if sys.stdout.isatty() else json_lines

    async def show(cdrs: Sequence[Cdr]) -> None:
        await in_thread(lambda: write_out(lines(cdrs)))

    async with platform.session(query, live=_LIVE) as session:
        if to is not None:
            async with _store(to) as database:
                await database.follow(session, query, interval=interval, lookback=lookback, landed=show)
            return _DONE
        feed = session.follow(query, interval=interval, lookback=lookback, checkpoint=checkpoint)
        async with feed, aclosing(feed.batches()) as batches:
            async for cdrs in batches:
                await show(cdrs)
    return _DONE


@asynccontextmanager
async def _store(url: str) -> AsyncGenerator["CdrStore"]:
    """
    An open store.

    Raises:
        UsageError: Its address is none, or an extra is missing.
    """
    try:
        from ..store import CdrStore  # noqa: PLC0415  # it belongs to an extra

        store = CdrStore(url)
    except (ImportError, ValueError) as error:
        raise UsageError(str(error)) from error
    async with store:
        yield store


@app.command
async def sandbox(
    *,
    port: int = 0,
    calls: int = 10_000,
    days: int = 1,
    start: date | None = None,
    seed: int = 0,
    order: Order = "newest",
    ties: Ties = "stable",
    live: float = 0.0,
    latency: float = 0.0,
    per_page_cap: int = 1000,
) -> None:
    """
    Serve a made-up platform on this machine until Ctrl-C.

    It answers as the platform documents, with made-up calls: for trying things out, and for tests in any language.

    ```
    infin8 sandbox --calls 100000 --days 7
    infin8 sandbox --live 5 --port 8080
    ```

    Args:
        port: Where to listen on 127.0.0.1; 0 takes any free port.

        calls: How many calls there are when it starts.

        days: Over how many days they are spread.

        start: The first of these days, YYYY-MM-DD. If not given, today in Beijing is the last.

        seed: The same seed makes the same calls.

        order: How calls are sorted: newest or oldest dial time first, or by id.

        ties: What becomes of calls with the same dial time: they keep their order, or are shuffled at each request.

        live: New calls a second, while it runs.

        latency: Seconds before each answer.

        per_page_cap: The most calls in one page, whatever is asked for.
    """
    with usage():
        for name, value in {"calls": calls, "port": port, "live": live, "latency": latency}.items():
            check_number(f"--{name}", value, least=0)
        check_number("--days", days, least=1)
        check_number("--per-page-cap", per_page_cap, least=1)
        if port > _LAST_PORT:
            raise UsageError(f"--port is {_LAST_PORT} at most, not {port}")
        platform = Sandbox(
            calls,
            days=days,
            start=start or today() - timedelta(days=days - 1),
            seed=seed,
            order=order,
            ties=ties,
            live=live,
            latency=latency,
            max_per_page=per_page_cap,
            port=port,
        )
    async with platform:
        credentials = platform.credentials
        exports = {
            "INFIN8_BASE_URL": platform.base_url,
            "INFIN8_APPID": credentials.appid,
            "INFIN8_ACCESSKEY": str(credentials.accesskey),
            "INFIN8_USERNAME": credentials.username or "",
        }
        write_out(
            (
                f"# A platform with {len(platform):,} made-up calls, until Ctrl-C. In another terminal:\n"
                + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in exports.items() if value)
                + "infin8 count\ninfin8 pull | head\n"
            ).encode()
        )
        await asyncio.Event().wait()


def _aftermath(report: StreamReport, output: Path | None) -> str:
    """What had been done when a pull failed."""
    facts = [f"after {in_words(report.received)}"] if report.received else []
    facts += [f"{output} was not written"] if output is not None else []
    return f" ({', '.join(facts)})" if facts else ""
