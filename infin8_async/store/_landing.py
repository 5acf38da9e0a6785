"""Save what is pulled: each part as it comes, in short transactions that waiting parts share."""

import asyncio
from collections.abc import Sequence

from attrs import define, field
from sqlalchemy.ext.asyncio import AsyncConnection

from ..models import Cdr
from ._database import Database
from ._ledger import Ledger, Line
from ._reports import SaveResult
from ._rows import Row


@define(eq=False)
class _Part:
    rows: list[Row]
    lines: Sequence[Line]
    is_saved: bool = field(default=False)


class Landing:
    """
    Writes what several pulls bring, each part as it comes.

    Parts that wait while another is being written share the next transaction. A part is in one transaction with its
    lines in the ledger; nothing but the database is awaited in it.

    Attributes:
        saved: What became of all calls.
    """

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._waiting: list[_Part] = []
        self._writing = asyncio.Lock()
        self.saved = SaveResult()

    async def land(self, cdrs: Sequence[Cdr], *, lines: Sequence[Line] = ()) -> None:
        """
        Save calls, and what is claimed of them. On return they are committed.

        Raises:
            StoreError: The database refused, or can't be reached. None of it has been saved.
        """
        part = _Part(await self._database.rows(self._ledger.account, cdrs), lines)
        self._waiting.append(part)
        try:
            async with self._writing:
                if not part.is_saved:
                    await self._write_all()
        finally:
            if not part.is_saved:
                self._waiting.remove(part)

    async def _write_all(self) -> None:
        parts = list(self._waiting)
        rows = {row[1]: row for part in parts for row in part.rows}

        async def work(connection: AsyncConnection) -> SaveResult:
            saved = await self._database.save(connection, [rows[call] for call in sorted(rows)])
            await self._ledger.enter(connection, [line for part in parts for line in part.lines])
            return saved

        self.saved += await self._database.write(work)
        for part in parts:
            part.is_saved = True
            self._waiting.remove(part)
