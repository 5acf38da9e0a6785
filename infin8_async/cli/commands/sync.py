"""`infin8 sync`."""

from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .. import DONE, FAILED
from ..access import Access
from ..everybody import each, print_accounts
from ..formats import Quiet
from ..options import CALLS, PLATFORM, Calls, Platform
from ..output import say
from ..progress import DaysBar
from ..progress import calls as in_words
from ..progress import days as in_days
from ..stores import opened

if TYPE_CHECKING:
    from ...store import SyncProgress, SyncReport


async def sync(
    store: str,
    /,
    *,
    calls: Calls = CALLS,
    deep: Annotated[bool, Parameter(negative="")] = False,
    quiet: Quiet = False,
    platform: Platform = PLATFORM,
) -> int:
    """
    Bring every call of a window of time into a database.

    If the platform counts as many calls of the window as it did before, one small request is all. Otherwise the days
    that differ are found by counting, and only they are pulled, several at once. If you interrupt it and start it
    again, it continues where it was.

    ```
    infin8 sync sqlite:///calls.db --start "2020-06-01 00:00:00"
    infin8 sync postgresql://user@host/database --last 30d
    infin8 sync mysql://user@host/database --last 365d --deep
    infin8 sync sqlite:///calls.db --last 7d --sandbox
    infin8 sync sqlite:///calls.db --last 30d --account all
    ```

    Several accounts share one database: the column "account" of each call is the appid of its account.

    Args:
        store: sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE or mysql://USER:PASSWORD@HOST/DATABASE.

        calls: Which calls.

        deep: Pull every day again, whatever its count says. Calls that changed are updated. Calls that the platform no
            longer gives get the time in their column "vanished", and stay.

        quiet: Say nothing on standard error, except about what went wrong.

        platform: Where the calls are.
    """
    if platform.every_account:
        return await _every_account(store, calls, platform, deep=deep, quiet=quiet)
    query = calls.query(platform.zone)
    begin = monotonic()
    async with opened(store) as database, platform.session(query) as session:
        with DaysBar(quiet=quiet) as bar:

            def show(at: "SyncProgress") -> None:
                day = max(query.starttime, at.window.starttime + timedelta(seconds=1)).date()
                bar.show(at.done, at.days, at.calls, f"{day}: {at.received:,} of {in_words(at.total)}")

            report = await database.sync(session, query, deep=deep, progress=show)
    if not quiet:
        say(_closing(report, monotonic() - begin), name=False)
    return DONE


async def _every_account(store: str, calls: Calls, platform: Platform, *, deep: bool, quiet: bool) -> int:
    async with opened(store) as database:
        with platform.accesses() as ways, DaysBar(quiet=quiet) as bar:
            at: dict[str, SyncProgress] = {}

            async def sync(way: Access) -> "SyncReport":
                def show(progress: "SyncProgress") -> None:
                    at[way.name] = progress
                    bar.show(*_together(at))

                query = calls.query(way.zone)
                async with way.session() as session:
                    return await database.sync(session, query, deep=deep, progress=show)

            reports = await each(ways, sync)
    print_accounts(reports, _cells)
    return FAILED if None in reports.values() else DONE


def _together(at: Mapping[str, "SyncProgress"]) -> tuple[int, int, int, str]:
    """How many days of all accounts are done, how many there are, how many calls came, and which accounts are at it."""
    known = at.values()
    busy = ", ".join(name for name, progress in at.items() if progress.done < progress.days)
    return sum(one.done for one in known), sum(one.days for one in known), sum(one.calls for one in known), busy


def _cells(report: "SyncReport") -> dict[str, str]:
    """The line of an account."""
    numbers = {
        "new": report.saved.inserted,
        "changed": report.saved.updated,
        "as they were": report.saved.unchanged,
        "vanished": report.vanished,
        "days": report.days,
        "needed no pull": report.unchanged,
    }
    return {name: f"{number:,}" for name, number in numbers.items()}


def _closing(report: "SyncReport", seconds: float) -> str:
    """The line that ends a sync."""
    saved = report.saved
    if report.unchanged == report.days and not report.vanished:
        return f"up to date: {in_days(report.days)} unchanged, in {seconds:.1f} s."
    gone = f"{report.vanished:,} no longer on the platform, " if report.vanished else ""
    pulled = report.days - report.unchanged
    return (
        f"{in_words(saved.inserted)} new, {saved.updated:,} changed, {saved.unchanged:,} as they were, {gone}"
        f"in {seconds:.1f} s; {in_days(report.unchanged)} unchanged, {in_days(pulled)} pulled, "
        f"{report.certified:,} of them exactly as the platform counts."
    )
