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

_LIVE: Final = 1.0  # new calls a second in a sandbox


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
    Show new calls as they appear, each once, until Ctrl-C.

    A call appears when it ends. A terminal gets one line a call, a pipe gets JSON Lines. Without a window of time, the
    calls of the last ten minutes come first.

    ```
    infin8 follow --context callin
    infin8 follow --to sqlite:///calls.db
    infin8 follow --checkpoint calls.json | jq .billsec
    infin8 follow --sandbox --interval 2s
    ```

    Args:
        calls: Which calls.

        to: Also save the calls in this database: sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE or
            mysql://USER:PASSWORD@HOST/DATABASE. When it is started again, it continues where it was.

        checkpoint: A file that remembers what has been written. When it is started again, it continues where it was.

        interval: How often to ask the platform: 10s, 5m.

        lookback: How long after its dial time a call may still appear: 2h.

        platform: Where the calls are. With --sandbox, new calls come in all the time.
    """
    if to is not None and checkpoint is not None:
        raise UsageError("--checkpoint is not needed with --to: the database remembers what has been written")
    for name, span in {"--interval": interval, "--lookback": lookback}.items():
        if span <= timedelta():
            raise UsageError(f"{name} must be positive")
    query = calls.following(timedelta(minutes=10), platform.zone)
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
