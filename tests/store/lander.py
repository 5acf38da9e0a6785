"""Lands a week of calls in a store: a process to be killed, in copies of one that has imported what it needs."""

import asyncio
import json
import os
import sys
from datetime import datetime, timedelta

from infin8_async import BEIJING, CdrQuery, Infin8Session
from infin8_async.store import CdrStore

START = datetime(2020, 6, 10, tzinfo=BEIJING)
WEEK = CdrQuery(START, START + timedelta(days=7) - timedelta(seconds=1))


async def land(what: str, url: str) -> None:
    async with CdrStore(url) as store, Infin8Session.from_env(per_page=20, concurrency=2) as session:
        if what in ("sync", "deep"):
            await store.sync(session, WEEK, deep=what == "deep")
        else:
            await store.follow(session, WEEK, interval=timedelta(milliseconds=10))


def serve() -> None:
    """For each line with a task, one with the number of the process that does it, and one that says how it ended."""

    def say(number: int) -> None:
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()

    for line in sys.stdin:
        task = json.loads(line)
        process = os.fork()
        if not process:
            os.environ.update(task["environment"])
            asyncio.run(land(task["what"], task["url"]))
            return
        say(process)
        say(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


serve()
