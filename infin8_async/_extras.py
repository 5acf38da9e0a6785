"""Optional dependencies: what to say when one is missing."""

from collections.abc import Generator
from contextlib import contextmanager


class MissingExtraError(ImportError):
    """An optional dependency is not installed. The message says which extra to install."""


@contextmanager
def requires(extra: str, *modules: str, what: str) -> Generator[None]:
    """
    Import *modules* in this block, and name the extra they belong to if one is missing.

    An import that fails for another reason, such as a broken installation of one of them, passes as it is.

    Args:
        extra: The extra to install.

        modules: The top-level modules that it brings.

        what: What needs it: "a store needs".

    Raises:
        MissingExtraError: One of *modules* is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in modules:
            raise
        raise MissingExtraError(f"{what}: pip install 'infin8-async[{extra}]'", name=error.name) from error
