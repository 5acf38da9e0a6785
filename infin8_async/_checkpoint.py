"""Where a feed of new calls stands, kept so that it can go on after a stop or a crash."""

import asyncio
import os
from collections.abc import Collection
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

import msgspec
from attrs import asdict

from ._files import written_whole
from .errors import CheckpointError
from .models import BEIJING, CdrQuery, Credentials

_VERSION: Final = 1


class Checkpoint(Protocol):
    """
    Anywhere that holds one text: a row of your database, a key in Redis.

    The text is JSON of some ten bytes a call within the feed's *lookback*. It names nobody: neither phone numbers nor
    the access key are in it.
    """

    async def load(self) -> str | None:
        """The text that was saved last; None if there is none."""
        ...

    async def save(self, state: str) -> None:
        """Keep the text in place of the last one, whole or not at all; on return it is safe."""
        ...


class FileCheckpoint:
    """
    A `Checkpoint` in a file, which is written whole or not at all.

    Args:
        path: The file. It need not be there yet; its folder must be.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    async def load(self) -> str | None:
        """What the file holds; None if there is none."""
        try:
            return await asyncio.to_thread(self._path.read_text, "utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            return ""

    async def save(self, state: str) -> None:
        """Replace the file."""
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, state.encode()))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])  # or it would replace what is saved after it
            raise

    def _write(self, state: bytes) -> None:
        with written_whole(self._path) as file:
            file.write(state)


class _State(msgspec.Struct):
    """
    What a checkpoint's text says.

    Attributes:
        of: Whose calls, and which.

        start: Everything before this time has been taken, in the platform's form.

        ids: The calls after it that have been taken, too.
    """

    of: str
    start: str
    ids: list[int]
    version: int = _VERSION


def selection(credentials: Credentials, query: CdrQuery) -> str:
    """Who asks and by which filters, as one short key. Neither the access key nor the query's times count."""
    account = (credentials.appid, credentials.username, credentials.ip)
    filters = {name: value for name, value in asdict(query).items() if name not in ("starttime", "endtime")}
    return sha256(msgspec.json.encode((account, filters), order="sorted")).hexdigest()


class Mark:
    """
    The states of one feed, in its checkpoint.

    Args:
        credentials: Whose calls they are. The access key does not count: it may be changed.

        query: Which they are. Its times do not count.
    """

    def __init__(self, checkpoint: Checkpoint, credentials: Credentials, query: CdrQuery) -> None:
        self._of = selection(credentials, query)
        self._checkpoint = checkpoint

    async def load(self) -> tuple[datetime, list[int]] | None:
        """
        From where to go on, and which of the calls after it have been taken; None at the very beginning.

        Raises:
            CheckpointError: It is damaged, or that of another feed.
        """
        text = await self._checkpoint.load()
        if text is None:
            return None
        try:
            state = msgspec.json.decode(text, type=_State)
            start = CdrQuery(state.start).starttime
        except (msgspec.MsgspecError, ValueError):
            raise CheckpointError("the checkpoint is damaged: it holds no state of a feed") from None
        if state.version != _VERSION:
            raise CheckpointError(f"the checkpoint is of version {state.version}, this library knows {_VERSION}")
        if state.of != self._of:
            raise CheckpointError("the checkpoint is that of other credentials or other filters")
        return start, state.ids

    async def save(self, start: datetime, ids: Collection[int]) -> None:
        """Keep a state."""
        text = start.astimezone(BEIJING).isoformat(" ")[:19]
        await self._checkpoint.save(msgspec.json.encode(_State(self._of, text, list(ids))).decode())
