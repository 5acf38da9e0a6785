"""The databases that the benchmarks may empty."""

import os
from typing import Final

from infin8_async.store import CdrStore
from infin8_async.store._backends import backend_for
from infin8_async.store._schema import metadata

from .figures import Figure

_SERVERS: Final = {"PostgreSQL": "INFIN8_TEST_POSTGRES", "MySQL": "INFIN8_TEST_MYSQL"}


def addresses(folder: str) -> dict[str, str]:
    """SQLite in a folder, and the servers whose variables are set."""
    servers = {name: os.environ[variable] for name, variable in _SERVERS.items() if variable in os.environ}
    return {"SQLite": f"sqlite:///{folder}/calls.db", **servers}


def not_set(row: str) -> list[Figure]:
    """A line for each server whose variable is not set."""
    missing = {name: variable for name, variable in _SERVERS.items() if variable not in os.environ}
    return [Figure(row, name, None, note=f"skipped: {variable} is not set") for name, variable in missing.items()]


async def emptied(url: str) -> None:
    """Leave the tables of a store with nothing in them."""
    engine = backend_for(url).engine
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
    await engine.dispose()
    async with CdrStore(url):
        pass
