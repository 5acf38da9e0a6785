"""`infin8 follow`."""

import sys
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Final

from ...export.jsonl import json_lines
from ...models import Cdr
from .. import DONE
from ..options import CALLS, PLATFORM, Calls, Platform, UsageError
from ..output import call_lines, in_thread, write_out
from ..stores import opened

_LIVE: Final = 1.0  # calls a second of a sandbox that is followed


async def follow(
    *,
    calls: Calls = CALLS,
    to: str | None = None,
    checkpoint: Path | None = None,
    interval: timedelta = timedelta(seconds=30),
    lookback: timedelta = timedelta(hours=1),
    platform: Platform = PLATFORM,
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
            async with opened(to) as database:
                await database.follow(session, query, interval=interval, lookback=lookback, landed=show)
            return DONE
        feed = session.follow(query, interval=interval, lookback=lookback, checkpoint=checkpoint)
        async with feed, aclosing(feed.batches()) as batches:
            async for cdrs in batches:
                await show(cdrs)
    return DONE
