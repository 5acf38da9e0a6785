"""What the command line says of what the library logs."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from time import monotonic
from typing import Final

import stamina

from .output import say

_SECONDS_BETWEEN: Final = 10.0


@contextmanager
def listening(*, verbose: bool, timed: tzinfo | None = None) -> Generator[None]:
    """
    Say what goes wrong, while it goes wrong, on standard error.

    Args:
        verbose: Say everything else as well that the library logs, but for its debugging.

        timed: Put the time in this zone before each line.
    """
    stamina.instrumentation.set_on_retry_hooks(())  # with structlog installed, stamina would write to standard output
    log, said = logging.getLogger("infin8_async"), _Said(verbose=verbose, timed=timed)
    before = log.level
    log.addHandler(said)
    log.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)
        log.removeHandler(said)


class _Said(logging.Handler):
    def __init__(self, *, verbose: bool, timed: tzinfo | None) -> None:
        super().__init__()
        self._verbose = verbose
        self._timed = timed
        self._next_retry = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if record.levelno == logging.WARNING and record.module == "transport":
            line += "; trying again"
            if not self._verbose and not self._is_next():
                return
        elif record.module == "session" and not self._verbose:
            return  # that the access key travels in the clear: the help says so
        say(f"{datetime.now(self._timed):%H:%M:%S} {line}" if self._timed else line)

    def _is_next(self) -> bool:
        """Whether to say that a request is sent again: an outage hits many requests at once."""
        now = monotonic()
        due = now >= self._next_retry
        if due:
            self._next_retry = now + _SECONDS_BETWEEN
        return due
