"""The databases that the tests may empty, each through a driver of the tests' own."""

import asyncio
import os
import sqlite3

import asyncmy
import asyncpg
import pytest
from sqlalchemy import make_url

DATABASES = ("sqlite", "postgresql", "mysql")
_VARIABLES = {"postgresql": "INFIN8_TEST_POSTGRES", "mysql": "INFIN8_TEST_MYSQL"}
_TABLES = "cdrs, cdr_windows, cdr_checkpoints, cdr_schema"


def is_there(kind):
    """Whether tests can use a kind of database."""
    return kind == "sqlite" or _VARIABLES[kind] in os.environ


def empty(kind, folder):
    """The address of an empty database of a kind."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'calls.db'}"
    if not is_there(kind):
        pytest.skip(f"{_VARIABLES[kind]} is not set")
    url = os.environ[_VARIABLES[kind]]
    run_sql(url, f"DROP TABLE IF EXISTS {_TABLES}")
    return url


def run_sql(url, *statements):
    """What the last of some statements gives."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        try:
            with connection:
                for statement in statements:
                    rows = connection.execute(statement).fetchall()
            return rows
        finally:
            connection.close()
    with asyncio.Runner() as runner:
        return runner.run((_postgres if url.startswith("postgres") else _mysql)(url, statements))


async def sql(url, *statements):
    """The same in a thread: other tasks go on."""
    return await asyncio.to_thread(run_sql, url, *statements)


async def _postgres(url, statements):
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            rows = await connection.fetch(statement)
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def _mysql(url, statements):
    address = make_url(url)
    connection = await asyncmy.connect(
        host=address.host, port=address.port, user=address.username, password=address.password, db=address.database
    )
    try:
        async with connection.cursor() as cursor:
            for statement in statements:
                await cursor.execute(statement)
            rows = await cursor.fetchall()
        await connection.commit()
        return list(rows)
    finally:
        await connection.ensure_closed()
