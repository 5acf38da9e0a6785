"""Calls as JSON Lines."""

from collections.abc import AsyncIterable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from .._columns import AnyCall
from .._files import StrPath, written_whole
from ..models import Cdr, by_name
from ..stream import CdrStream
from .writing import Write, batches_of, written

_encoder: Final = msgspec.json.Encoder()


async def to_jsonl(cdrs: AsyncIterable[Cdr], path: StrPath) -> int:
    """
    Write calls as JSON Lines: one object a line with the platform's field names, times in ISO 8601 with +08:00.

    `extra` is an object, and is left out if it is empty. The file appears under its name when the last call is written.
    After an error or a cancellation before that, an older file stays as it was. Encoding and writing are done in a
    thread, and a cancellation waits for it.

    Args:
        cdrs: The calls: a stream, a store, or any other async iterable. It is read to its end and not closed.

        path: The file. An existing one is replaced.

    Returns:
        How many calls were written.

    Raises:
        OSError: The file can't be written; `filename` is *path*.
    """
    return await written(batches_of(cdrs, CdrStream.texts), jsonl_writer(path))


def json_lines(cdrs: Sequence[AnyCall]) -> bytes:
    """The lines of `to_jsonl`: each is the JSON of `cdr.to_dict()`."""
    return _encoder.encode_lines([by_name(cdr) if isinstance(cdr, Cdr) else cdr for cdr in cdrs])


@contextmanager
def jsonl_writer(path: StrPath) -> Generator[Write]:
    """The file of `to_jsonl`. It appears when the block is left."""
    with written_whole(path) as out:
        yield lambda batches: out.writelines(map(json_lines, batches))
