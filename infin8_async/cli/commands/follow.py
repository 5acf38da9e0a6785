"""`infin8 follow`."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta, tzinfo
from functools import partial
from pathlib import Path
from shutil import get_terminal_size

from ...errors import CheckpointError
from ...models import Cdr, CdrQuery, platform_text
from .. import DONE
from ..formats import SHAPE, Lines, Shape, lines_of
from ..options import CALLS, PLATFORM, Calls, Platform, UsageError
from ..output import call_lines, in_thread, say, write_out
from ..stores import opened
from ..times import zone_name


async def follow(
    *,
    calls: Calls = CALLS,
    to: str | None = None,
    checkpoint: Path | None = None,
    interval: timedelta = timedelta(seconds=30),
    lookback: timedelta = timedelta(hours=1),
    shape: Shape = SHAPE,
    platform: Platform = PLATFORM,
) -> int:
    """
    Show new calls as they appear, each once, the oldest first, until Ctrl-C.

    A call appears when it ends. A terminal gets one line a call, a pipe gets JSON Lines. Without a window of time, the
    calls of the last ten minutes come first. Standard error says when it starts, when a poll fails, and when polls
    work again.

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

        shape: In which form.

        platform: Where the calls are. With --sandbox, new calls come in all the time.
    """
    if to is not None and checkpoint is not None:
        raise UsageError("--checkpoint is not needed with --to: the database remembers what has been written")
    for name, span in {"--interval": interval, "--lookback": lookback}.items():
        if span <= timedelta():
            raise UsageError(f"{name} must be positive")
    zone = platform.zone
    query = calls.following(timedelta(minutes=10), zone)
    lines = _lines(shape, zone)

    async def show(cdrs: Sequence[Cdr]) -> None:
        await in_thread(lambda: write_out(lines(cdrs)))

    async with platform.session(query, following=True) as session:
        if not shape.quiet:
            say(_beginning(query, checkpoint, interval, zone))
        if to is not None:
            async with opened(to) as database:
                await database.follow(session, query, interval=interval, lookback=lookback, landed=show)
            return DONE
        feed = session.follow(query, interval=interval, lookback=lookback, checkpoint=checkpoint)
        try:
            async with feed, aclosing(feed.batches()) as batches:
                async for cdrs in batches:
                    await show(cdrs)
        except CheckpointError as error:
            raise CheckpointError(f"{checkpoint}: {error}") from error
    return DONE


def _lines(shape: Shape, zone: tzinfo) -> Lines:
    """What makes lines of calls: on a terminal one that reads well, in a pipe JSON."""
    if shape.on_terminal() and shape.columns is None:
        return partial(call_lines, zone=zone, columns=get_terminal_size().columns)
    return lines_of(shape.format or ("table" if shape.on_terminal() else "jsonl"), shape.columns, zone)


def _beginning(query: CdrQuery, checkpoint: Path | None, interval: timedelta, zone: tzinfo) -> str:
    """The line that says that it has begun."""
    since = f"since {platform_text(query.starttime.astimezone(zone))} ({zone_name(zone)})"
    if checkpoint is not None and checkpoint.exists():
        since = f"on from where {checkpoint} left off"
    return f"following {since}, every {interval.total_seconds():g} s; Ctrl-C ends it"
