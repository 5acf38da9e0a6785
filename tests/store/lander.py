"""A process that lands a week of calls in a store, to be killed: `lander.py sync|deep|follow URL`."""

import asyncio
import sys
from datetime import datetime, timedelta

from infin8_async import BEIJING, CdrQuery, Infin8Session
from infin8_async.store import CdrStore

START = datetime(2020, 6, 10, tzinfo=BEIJING)
WEEK = CdrQuery(START, START + timedelta(days=7) - timedelta(seconds=1))


async def main(what: str, url: str) -> None:
    async with CdrStore(url) as store, Infin8Session.from_env(per_page=20, concurrency=2) as session:
        if what in ("sync", "deep"):
            await store.sync(session, WEEK, deep=what == "deep")
        else:
            await store.follow(session, WEEK, interval=timedelta(milliseconds=10))


asyncio.run(main(*sys.argv[1:]))
