"""Files that are written completely or not at all."""

import errno
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

StrPath = str | os.PathLike[str]


class _Part(FileIO):
    """A temporary file that becomes *target*. Its errors name the target: nobody knows the temporary file."""

    def __init__(self, part: Path, target: StrPath) -> None:
        self._target = target
        with _said_of(target):
            super().__init__(part, "x")

    def write(self, data: "ReadableBuffer") -> int:
        with _said_of(self._target):
            return super().write(data)


@contextmanager
def written_whole(path: StrPath) -> Generator[BinaryIO]:
    """
    A binary file that appears as *path* when the block is left without an exception.

    Until then, and after an exception, an older file of that name stays as it was.

    Raises:
        OSError: The file can't be written; `filename` is *path*. An OSError that the block raises passes as it is.
    """
    target = Path(os.path.realpath(path))  # replace what a link points to, not the link
    if target.exists() and not target.is_file():
        raise FileExistsError(errno.EEXIST, "Is not a file", os.fspath(path))
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with BufferedWriter(_Part(part, path)) as out:
            yield out
            out.flush()
            with _said_of(path):
                os.fsync(out.fileno())
        with _said_of(path):
            part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def _said_of(path: StrPath) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
