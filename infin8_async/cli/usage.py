"""What is wrong with how the command line was used."""

from collections.abc import Generator
from contextlib import contextmanager


class UsageError(Exception):
    """An option or argument makes no sense. The message says why."""


@contextmanager
def usage(about: str = "") -> Generator[None]:
    """Turn the refusal of a value into a `UsageError`, whose message begins with what it is *about*."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{about}: {error}" if about else str(error)) from error
