"""Following into the database: calls, and the mark that they were taken, in one transaction."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import StoreError
from ..models import Cdr
from ._database import Database
from ._ledger import Ledger
from ._reports import SaveResult

T = TypeVar("T")

log: Final = logging.getLogger("infin8_async")

_FIRST_PAUSE: Final = 0.5  # seconds before the database is tried again
_LONGEST_PAUSE: Final = 60.0

Landed = Callable[[Sequence[Cdr]], Awaitable[object]]
"""Awaited with calls that have just been committed."""


class FollowMark:
    """
    A feed's checkpoint in the store, which saves the calls that it is about in the same transaction.

    A database that restarts, or is locked for long, does not end a feed: it is tried again.

    Attributes:
        coming: Calls that the feed has handed over and not yet marked as taken.

        saved: What became of all calls before.
    """

    def __init__(self, database: Database, ledger: Ledger, landed: Landed | None) -> None:
        self._database = database
        self._ledger = ledger
        self._landed = landed
        self.coming: Sequence[Cdr] = ()
        self.saved = SaveResult()

    async def load(self) -> str | None:
        """Read the mark."""
        return await self._patiently(lambda: self._database.read(self._ledger.mark))

    async def save(self, state: str) -> None:
        """Commit the calls that came, and the mark."""
        cdrs = self.coming
        rows = await self._database.rows(self._ledger.account, cdrs)

        async def work(connection: AsyncConnection) -> SaveResult:
            saved = await self._database.save(connection, rows)
            await self._ledger.set_mark(connection, state)
            return saved

        self.saved += await self._patiently(lambda: self._database.write(work))
        self.coming = ()
        if self._landed is not None and cdrs:
            await self._landed(cdrs)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        pause = _FIRST_PAUSE
        while True:
            try:
                return await work()
            except StoreError as error:
                if not error.transient:
                    raise
                log.warning("the database is tried again in %g s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
