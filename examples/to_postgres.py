"""
Keep a database current: back-fill what is missing, then land new calls as they appear, until Ctrl-C or SIGTERM.

    infin8 sandbox --live 1            # in another terminal, or your own account's INFIN8_* variables
    DATABASE_URL=postgresql://user:password@localhost/calls python examples/to_postgres.py

Killed at any moment and started again it goes on where it was: calls and the mark that they were taken are written in
one transaction. `sqlite:///calls.db` and `mysql://user:password@localhost/calls` do as well. Needs
`infin8-async[postgres]`.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from infin8_async import BEIJING, Cdr, CdrQuery, Infin8Session
from infin8_async.store import CdrStore

DAYS = 30
LOOKBACK = timedelta(hours=2)


async def main(url: str) -> None:
    """Have the database hold the last days, and then whatever comes."""
    midnight = datetime.now(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)

    async def landed(cdrs: Sequence[Cdr]) -> None:
        print(f"{len(cdrs)} landed")

    async with CdrStore(url) as store, Infin8Session.from_env() as session:
        report = await store.sync(session, CdrQuery(midnight - timedelta(days=DAYS)))
        print(f"{report.saved.inserted} new calls in {report.days} days, {report.unchanged} of them were up to date")
        await store.follow(session, CdrQuery(datetime.now(BEIJING) - LOOKBACK), lookback=LOOKBACK, landed=landed)


async def until_stopped(url: str) -> None:
    """Run `main` until Ctrl-C or SIGTERM."""
    working = asyncio.ensure_future(main(url))
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, working.cancel)
    with suppress(asyncio.CancelledError):
        await working


if __name__ == "__main__":
    asyncio.run(until_stopped(os.environ.get("DATABASE_URL", "sqlite:///calls.db")))
