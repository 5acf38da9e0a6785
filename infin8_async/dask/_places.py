"""Places for the partitions that are pulled at once: on a cluster, or on this host if there is none."""

import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from itertools import chain, count, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from distributed import Lock, Worker

_WAIT: Final = 0.2  # seconds, for one place, before the next one is tried

Take = Callable[[str, float], Callable[[], object] | None]
"""Takes the lock of a name within some seconds; returns what releases it, or None if it is not free."""


@contextmanager
def place(account: str, places: int) -> Generator[None]:
    """
    Hold one of some places.

    Each is a lock of the cluster whose task this is, or else a file that is locked on this host. The places are
    numbered locks rather than one semaphore, so that readers with different numbers of places share them.

    Args:
        account: Whose places; a name that may be seen.

        places: How many there are.
    """
    take = _take_on_cluster if _in_a_cluster() else _take_on_host
    for number, wait in zip(count(), chain(repeat(0.0, places), repeat(_WAIT)), strict=False):
        release = take(f"infin8-{account}-{number % places}", wait)
        if release is not None:
            try:
                yield
            finally:
                release()
            return


def _in_a_cluster() -> bool:
    if "distributed" not in sys.modules:  # a worker has imported it
        return False
    from distributed import get_worker  # noqa: PLC0415  # the local schedulers do without it

    try:
        get_worker()
    except ValueError:
        return False
    return True


def _take_on_cluster(name: str, wait: float) -> Callable[[], object] | None:
    from distributed import get_worker  # noqa: PLC0415  # as above

    lock = _lock_of(get_worker(), name)
    return lock.release if lock.acquire(timeout=wait) else None


@cache  # each lock has a timer in its worker's loop, which nothing ends
def _lock_of(_: "Worker", name: str) -> "Lock":
    from distributed import Lock  # noqa: PLC0415  # as above

    return Lock(name)


def _take_on_host(name: str, wait: float) -> Callable[[], object] | None:
    # Whoever else uses this host may have to open the file.
    lock = FileLock(Path(tempfile.gettempdir()) / f"{name}.lock", mode=0o666)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        return None
    return lock.release
