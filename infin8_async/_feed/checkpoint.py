"""Where a feed of new calls stands, kept so that it can go on after a stop or a crash."""

import asyncio
import errno
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

import msgspec

from .._files import written_whole
from ..errors import CheckpointError
from ..models import BEIJING, CdrQuery, Credentials

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

    What has been taken since is added at its end, a line at a time, so that a large file need not be written again for
    each call. A crash can leave half a line there: `Mark` leaves it out.

    A lock file next to it keeps a second feed away. The operating system lets go of the lock when the process ends.

    Args:
        path: The file. It need not be there yet; its folder must be.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from filelock import FileLock  # noqa: PLC0415  # only those who follow with a file wait for it to load

        self._path = Path(path)
        target = Path(os.path.realpath(path))
        self._lock = FileLock(target.with_name(f".{target.name}.lock"), blocking=False, thread_local=False)

    def lock(self) -> None:
        """
        Keep other feeds away.

        Raises:
            CheckpointError: Another feed uses the file.

            OSError: The lock file can't be written.
        """
        from filelock import Timeout  # noqa: PLC0415  # as above

        if not self._path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "No such folder for the checkpoint", os.fspath(self._path))
        try:
            self._lock.acquire()
        except Timeout:
            raise CheckpointError(f"another feed is using the checkpoint {self._path}") from None

    def unlock(self) -> None:
        """Let other feeds use it."""
        self._lock.release()

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
        await _to_the_end(self._write, state)

    async def add(self, line: str) -> None:
        """Add a line to the file."""
        await _to_the_end(self._append, line)

    def _write(self, state: str) -> None:
        with written_whole(self._path) as file:
            file.write(state.encode())

    def _append(self, line: str) -> None:
        with self._path.open("ab") as file:
            file.write(b"\n" + line.encode())
            file.flush()
            os.fsync(file.fileno())


async def _to_the_end(write: Callable[[str], None], text: str) -> None:
    """Write in a thread. If the caller is cancelled it has ended when he goes on."""
    writing = asyncio.ensure_future(asyncio.to_thread(write, text))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])  # or it would replace what is saved after it
        raise


class _Version(msgspec.Struct):
    version: int = _VERSION


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
    return sha256(msgspec.json.encode((account, query.filters), order="sorted")).hexdigest()


class Mark:
    """
    The states of one feed, in its checkpoint.

    Args:
        credentials: Whose calls they are. The access key does not count: it may be changed.

        query: Which they are. Its times do not count.

    Attributes:
        start: The start that was saved last; None before anything was saved.
    """

    def __init__(self, checkpoint: Checkpoint, credentials: Credentials, query: CdrQuery) -> None:
        self._of = selection(credentials, query)
        self._checkpoint = checkpoint
        self._ids = ""
        self.start: datetime | None = None

    async def load(self) -> tuple[datetime, list[int]] | None:
        """
        From where to go on, and which of the calls after it have been taken; None at the very beginning.

        A file is locked from here on, until `close`.

        Raises:
            CheckpointError: It is damaged, of a newer version, or that of another feed, or another feed is using it.
        """
        if isinstance(self._checkpoint, FileCheckpoint):
            self._checkpoint.lock()
        text = await self._checkpoint.load()
        if text is None:
            return None
        state = _decode(text)
        if state.of != self._of:
            raise CheckpointError("the checkpoint is that of other credentials or other filters")
        return CdrQuery(state.start).starttime, state.ids

    async def save(self, start: datetime, ids: Collection[int]) -> None:
        """Keep a state in place of the last one."""
        self._ids = msgspec.json.encode(list(ids)).decode()[1:-1]
        self.start = None  # if saving fails, nobody knows what is there
        await self._save(start)
        self.start = start

    async def add(self, ids: Collection[int]) -> None:
        """Keep some more calls as taken. A state must have been saved before."""
        if self.start is None:
            raise ValueError("nothing was saved yet")
        line = msgspec.json.encode(list(ids)).decode()
        if isinstance(self._checkpoint, FileCheckpoint):
            await self._checkpoint.add(line)
        else:
            self._ids = ",".join(filter(None, (self._ids, line[1:-1])))
            await self._save(self.start)

    async def _save(self, start: datetime) -> None:
        text = start.astimezone(BEIJING).isoformat(" ")[:19]
        await self._checkpoint.save(f'{{"of":"{self._of}","start":"{text}","ids":[{self._ids}],"version":{_VERSION}}}')

    def close(self) -> None:
        """Let another feed use a file."""
        if isinstance(self._checkpoint, FileCheckpoint):
            self._checkpoint.unlock()


def _decode(text: str) -> _State:
    """
    Read a text, and the lines that were added to it.

    Raises:
        CheckpointError: It is damaged, or of a newer version.
    """
    state, *added = text.split("\n")
    try:
        version = msgspec.json.decode(state, type=_Version).version
    except msgspec.DecodeError:
        raise _damaged() from None
    if version > _VERSION:
        raise CheckpointError(
            f"the checkpoint was written by a newer infin8-async: it is of version {version}, this one knows {_VERSION}"
        )
    try:
        saved = msgspec.json.decode(state, type=_State)
        CdrQuery(saved.start)
        for line in added[:-1]:
            saved.ids += msgspec.json.decode(line, type=list[int])
    except ValueError:
        raise _damaged() from None
    with suppress(msgspec.DecodeError):  # a crash may have cut the last line short, before anybody relied on it
        saved.ids += msgspec.json.decode(added[-1], type=list[int]) if added else []
    return saved


def _damaged() -> CheckpointError:
    return CheckpointError("the checkpoint is damaged: it holds no state of a feed")
