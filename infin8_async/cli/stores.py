"""The database that a command names."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .options import UsageError

if TYPE_CHECKING:
    from ..store import CdrStore


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator["CdrStore"]:
    """
    Open the store at an address.

    Raises:
        UsageError: The address is not one of a store, or an extra is missing.
    """
    try:
        from ..store import CdrStore  # noqa: PLC0415  # it belongs to an extra

        store = CdrStore(url)
    except (ImportError, ValueError) as error:
        raise UsageError(str(error)) from error
    async with store:
        yield store
