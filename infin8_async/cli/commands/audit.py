"""`infin8 audit`."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from attrs import asdict
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from .. import DONE, FAILED
from ..access import Access
from ..everybody import each, print_accounts
from ..options import CALLS, PLATFORM, Calls, Platform
from ..output import say, write_out
from ..progress import calls as in_words
from ..stores import opened

if TYPE_CHECKING:
    from ...store import AuditDay, AuditReport


async def audit(
    store: str,
    /,
    *,
    calls: Calls = CALLS,
    deep: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    platform: Platform = PLATFORM,
) -> int:
    """
    Compare a database with the platform, and write nothing.

    It prints the days that differ, days of Beijing, and exits with 1 if there are any. If all agrees, it costs one
    small request.

    ```
    infin8 audit sqlite:///calls.db --last 30d
    infin8 audit postgresql://user@host/database --day 2020-06-10 --deep
    infin8 audit sqlite:///calls.db --last 365d --json | jq .days
    infin8 audit sqlite:///calls.db --last 30d --account all
    ```

    Args:
        store: sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE or mysql://USER:PASSWORD@HOST/DATABASE.

        calls: Which calls.

        deep: Pull every day, and compare it call by call: which are missing, changed, or no longer on the platform.

        json: Print one JSON object instead of a table; with --account all, one that has such an object for each
            account, or null for one that failed.

        platform: Where the calls are.
    """
    if platform.every_account:
        return await _every_account(store, calls, platform, deep=deep, json=json)
    query = calls.query(platform.zone)
    async with opened(store) as database, platform.session(query) as session:
        report = await database.audit(session, query, deep=deep)
    if json:
        write_out(msgspec.json.encode(_document(report)) + b"\n")
    else:
        if report.days:
            _print(report, deep=deep)
        say(_closing(report, deep=deep), name=False)
    return DONE if report.agrees else FAILED


async def _every_account(store: str, calls: Calls, platform: Platform, *, deep: bool, json: bool) -> int:
    async with opened(store) as database:

        async def audit(way: Access) -> "AuditReport":
            query = calls.query(way.zone)
            async with way.session() as session:
                return await database.audit(session, query, deep=deep)

        with platform.accesses() as ways:
            reports = await each(ways, audit)
    if json:
        documents = {name: None if report is None else _document(report) for name, report in reports.items()}
        write_out(msgspec.json.encode(documents) + b"\n")
    else:
        print_accounts(reports, _cells)
    return DONE if all(report is not None and report.agrees for report in reports.values()) else FAILED


def _cells(report: "AuditReport") -> dict[str, str]:
    """The line of an account."""
    numbers = {
        "in the store": report.held, "on the platform": report.counted, "days that differ": len(report.days)
    }  # fmt: skip
    return {name: f"{number:,}" for name, number in numbers.items()}


def _document(report: "AuditReport") -> dict[str, object]:
    days = [
        {name: value for name, value in asdict(day, recurse=False).items() if name != "window"} for day in report.days
    ]
    return {"agrees": report.agrees, "held": report.held, "counted": report.counted, "days": days}


def _print(report: "AuditReport", *, deep: bool) -> None:
    """Print the days that differ."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("day in Beijing")
    for heading in ("in the store", "on the platform", *(("missing", "changed", "vanished") if deep else ())):
        table.add_column(heading, justify="right")
    for day in report.days:
        table.add_row(str(day.day), *(f"{number:,}" for number in _numbers(day, deep=deep)))
    Console(soft_wrap=True).print(table)


def _numbers(day: "AuditDay", *, deep: bool) -> list[int]:
    found = [len(ids) for ids in (day.missing, day.changed, day.vanished)] if deep else []
    return [day.held, day.counted, *found]


def _closing(report: "AuditReport", *, deep: bool) -> str:
    """The line that ends an audit."""
    if report.agrees:
        same = "call for call" if deep else "in number"
        return f"{in_words(report.held)} in the store, as on the platform, {same}."
    days = len(report.days)
    return (
        f"NOT THE SAME: {in_words(report.held)} in the store, {report.counted:,} on the platform; "
        f"{days:,} {'day differs' if days == 1 else 'days differ'}."
    )
