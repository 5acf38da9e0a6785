"""`infin8 sync`."""

from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from .. import DONE
from ..options import CALLS, PLATFORM, Calls, Platform
from ..output import say
from ..progress import Bar
from ..progress import calls as in_words
from ..stores import opened

if TYPE_CHECKING:
    from ...store import SyncProgress


async def sync(
    store: str,
    /,
    *,
    calls: Calls = CALLS,
    platform: Platform = PLATFORM,
) -> int:
    """
    Bring every call of a window of time into a database.

    It works day by day. Each day is written in one transaction, with a line in a ledger. If you interrupt it and start
    it again, it continues where it was. A day that has not changed since costs one small request.

    ```
    infin8 sync sqlite:///calls.db --start "2020-06-01 00:00:00"
    infin8 sync postgresql://user@host/database --last 30d
    infin8 sync sqlite:///calls.db --last 7d --sandbox
    ```

    Args:
        store: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.

        calls: Which calls.

        platform: Where the calls are.
    """
    query = calls.query()
    begin = monotonic()
    async with opened(store) as database, platform.session(query) as session:
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
    return DONE
