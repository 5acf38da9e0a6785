"""Calls out of a database, compared with making them of the pages that they came in: both end in the same `Cdr`s."""

import asyncio
from collections.abc import Sequence
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from infin8_async import Cdr
from infin8_async._wire.decoding import decode_rows
from infin8_async._wire.structuring import structure
from infin8_async.store import CdrStore

from .calls import Calls
from .databases import addresses, emptied, not_set
from .figures import Figure, in_turn, ratio

_PER_PAGE: Final = 1000


def reading(*, quick: bool) -> list[Figure]:
    """All calls of each database, compared with the same calls out of pages of 1,000, in the same run."""
    count, rounds = (2000, 1) if quick else (60_000, 7)
    calls = Calls(count)
    pages = [
        msgspec.Raw(b"[" + calls.slice(first, min(first + _PER_PAGE, count)) + b"]")
        for first in range(0, count, _PER_PAGE)
    ]
    figures = []
    with TemporaryDirectory() as folder:
        for name, url in addresses(folder).items():
            taken = _taken(url, pages, rounds)
            note = f"{count / median(taken['read']) / 1000:.0f}k a second"
            figures.append(
                Figure("reading", f"{name}: read / decode", ratio(taken["read"], taken["decode"]), most=1.3, note=note)
            )
    return figures + not_set("reading")


def _taken(url: str, pages: Sequence[msgspec.Raw], rounds: int) -> dict[str, list[float]]:
    with asyncio.Runner() as runner:
        runner.run(emptied(url))
        store = runner.run(_filled(url, pages))
        try:
            contenders = {"decode": lambda: _decode(pages), "read": lambda: runner.run(_read(store))}
            return in_turn(contenders, rounds)
        finally:
            runner.run(store.aclose())


def _calls_of(page: msgspec.Raw) -> list[Cdr]:
    rows = decode_rows(page)
    return structure(rows, range(len(rows)))


async def _filled(url: str, pages: Sequence[msgspec.Raw]) -> CdrStore:
    store = await CdrStore(url).__aenter__()
    for page in pages:
        await store.save(_calls_of(page))
    return store


def _decode(pages: Sequence[msgspec.Raw]) -> None:
    for page in pages:
        for _ in _calls_of(page):
            pass


async def _read(store: CdrStore) -> None:
    async for _ in store:
        pass
