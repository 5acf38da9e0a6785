"""Shared by all tests."""

import asyncio
import atexit
import gc
import logging
import os

import pytest
from hypothesis import settings
from profiles import cases
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

# The same examples every time; `INFIN8_SEARCH=1 pytest` looks for new ones. How long an example takes proves nothing.
settings.register_profile(
    "infin8", deadline=None, derandomize=not os.environ.get("INFIN8_SEARCH"), max_examples=cases(100)
)
settings.load_profile("infin8")

# A process that a test starts shall not compile every module again: that is a quarter of its time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["pytester"]

SERVERS = {"INFIN8_TEST_POSTGRES": "postgresql+asyncpg", "INFIN8_TEST_MYSQL": "mysql+asyncmy"}
"""The variables that name a database server for the tests, and how to reach it."""


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests also wait, for servers, browsers, and real seconds."""
    return (os.cpu_count() or 1) + 1


def pytest_configure() -> None:
    """Give each process of pytest-xdist a database of its own."""
    # What a slow step is to the debug mode says how busy the machine is.
    logging.getLogger("asyncio").addFilter(lambda record: not str(record.msg).startswith("Executing"))
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    for variable, driver in SERVERS.items():
        if worker and variable in os.environ:
            address = make_url(os.environ[variable])
            name = f"{address.database}_{worker}"
            asyncio.run(make_database(address.set(drivername=driver), name))
            os.environ[variable] = address.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="module", autouse=True)
def leave_out_what_is_imported() -> None:
    """Leave out of garbage collection what a module's tests find: to go through it takes a third of a second."""
    gc.collect()
    gc.freeze()


# When Python ends it looks for leaks. Not earlier: pytest collects garbage five more times when the tests are done.
atexit.register(gc.unfreeze)


async def make_database(server, name: str) -> None:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
