"""The database that a command names."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from attrs import evolve

from ..errors import StoreError
from .options import UsageError

if TYPE_CHECKING:
    from ..store import CdrStore


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator["CdrStore"]:
    """
    Open the store at an address.

    Raises:
        UsageError: The address is not one of a store, or an extra is missing.

        StoreError: The database refused, or could not be reached. The message names it.
    """
    try:
        from ..store import CdrStore  # noqa: PLC0415  # it belongs to an extra

        store = CdrStore(url)
    except (ImportError, ValueError) as error:
        raise UsageError(str(error)) from error
    try:
        async with store:
            yield store
    except StoreError as error:
        raise evolve(error, detail=f"{_name(url)}: {error.detail}") from error


def _name(url: str) -> str:
    """The file, or the server and the database: without user and password, and without options."""
    kind, _, place = url.partition("://")
    return place.removeprefix("/") if kind == "sqlite" else place.rpartition("@")[2].partition("?")[0]
