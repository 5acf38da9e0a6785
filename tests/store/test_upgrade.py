"""Tables of another version, of somebody else, or damaged ones."""

import re

import pytest
from attrs import evolve
from databases import sql
from platform_of_calls import ME, START, Platform, call

from infin8_async import Cdr, CdrQuery, Infin8Session, StoreError
from infin8_async._feed.checkpoint import Mark
from infin8_async.store import CdrStore, SaveResult
from infin8_async.testing import Sandbox

DAY = CdrQuery.day(START.date())
FIRST = """
CREATE TABLE cdr_checkpoints (account TEXT NOT NULL, filters TEXT NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (account, filters));
CREATE TABLE cdr_windows (account TEXT NOT NULL, filters TEXT NOT NULL, starttime TIME NOT NULL, endtime TIME NOT NULL,
    calls INTEGER NOT NULL, certified BOOLEAN NOT NULL, synced TIME NOT NULL,
    PRIMARY KEY (account, filters, starttime, endtime));
CREATE TABLE cdrs (account TEXT NOT NULL, id BIGINT NOT NULL, extnumber TEXT NOT NULL, disnumber TEXT NOT NULL,
    callnumber TEXT NOT NULL, context TEXT NOT NULL, callmethod TEXT NOT NULL, starttime TIME, answertime TIME,
    endtime TIME, duration INTEGER NOT NULL, billsec INTEGER NOT NULL, clientip TEXT NOT NULL, downloadip TEXT NOT NULL,
    hangupdirection TEXT NOT NULL, anumber TEXT NOT NULL, astarttime TIME, aanswertime TIME, aendtime TIME,
    aduration INTEGER NOT NULL, abillsec INTEGER NOT NULL, userid TEXT NOT NULL, memberid TEXT NOT NULL, extra JSON,
    PRIMARY KEY (account, id)) END;
CREATE INDEX cdrs_by_callnumber ON cdrs (account, callnumber);
CREATE INDEX cdrs_by_disnumber ON cdrs (account, disnumber);
CREATE INDEX cdrs_by_extnumber ON cdrs (account, extnumber, starttime);
CREATE INDEX cdrs_by_starttime ON cdrs (account, starttime)
"""
"""The tables of 0.1.0."""

OLD = Cdr(id=7, starttime=START, callnumber="00123", duration=5, extra={"recording": {"tries": [1, None]}})


async def make_first(url, *, account="sandbox-app"):
    """A store of 0.1.0 with a call, a line in the ledger and a checkpoint."""
    words = {"TIME": "VARCHAR(19)", "END": "WITHOUT ROWID", "JSON": "JSON"}
    if url.startswith("postgres"):
        words = {"TIME": "timestamptz", "END": "", "JSON": "JSONB"}
    statements = re.sub(r"\b(TIME|END|JSON)\b", lambda match: words[match[0]], FIRST).split(";")
    when = "2020-06-10 00:00:00" + ("+08" if url.startswith("postgres") else "")
    texts = ", ".join(["''"] * 3)
    await sql(
        url,
        *statements,
        f"INSERT INTO cdrs VALUES ('{account}', 7, '', '', '00123', '', '', '{when}', NULL, NULL, 5, 0, {texts}, '',"
        " NULL, NULL, NULL, 0, 0, '', '', '{\"recording\": {\"tries\": [1, null]}}')",
        f"INSERT INTO cdr_windows VALUES ('{account}', '{{}}', '{when}', '{when}', 1, true, '{when}')",
    )


@pytest.fixture
def first(url):
    if url.startswith("mysql"):
        pytest.skip("0.1.0 did not know it")
    return url


async def test_a_store_of_the_first_version_is_upgraded_and_goes_on(first):
    async with Sandbox(50) as sandbox, Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session:
        await make_first(first)
        states = []

        class Memory:
            async def load(self):
                return None

            async def save(self, state):
                states.append(state)

        await Mark(Memory(), sandbox.credentials, DAY).save(START, sandbox.ids())
        await sql(first, f"INSERT INTO cdr_checkpoints VALUES ('sandbox-app', '{{}}', '{states[0]}')")
        async with CdrStore(first) as store:
            assert [cdr async for cdr in store] == [OLD]
            assert await store.follow(session, DAY) == SaveResult()  # all had been taken
            assert (await store.sync(session, DAY)).saved.inserted == 50
            await store.save([evolve(OLD, duration=2**40)], account="sandbox-app")
        async with CdrStore(first) as store:
            assert len([cdr async for cdr in store]) == 51
        assert await sql(first, "SELECT version FROM cdr_schema") == [(2,)]


async def test_a_damaged_checkpoint_of_the_first_version_is_left_out(first):
    await make_first(first)
    await sql(first, "INSERT INTO cdr_checkpoints VALUES ('a', '{}', '{')")
    async with CdrStore(first) as store:
        assert [cdr async for cdr in store] == [OLD]
    assert await sql(first, "SELECT * FROM cdr_checkpoints") == []


async def tables(url):
    """All there is to see of a database."""
    catalogue = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = {} ORDER BY 1, 2"
    if url.startswith("sqlite"):
        return await sql(url, "SELECT name, sql FROM sqlite_master ORDER BY name")
    return await sql(url, catalogue.format("current_schema()" if url.startswith("postgres") else "database()"))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE TABLE cdrs (id INTEGER, caller VARCHAR(20))", "cdrs is not one of infin8-async"),
        ("CREATE TABLE cdr_windows (id INTEGER)", "cdr_windows"),
    ],
)
@pytest.mark.any_database
async def test_a_table_of_somebody_else_is_refused_and_left_alone(url, statement, message):
    await sql(url, statement)
    before = await tables(url)
    with pytest.raises(StoreError, match=message):
        async with CdrStore(url):
            pass
    assert await tables(url) == before


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE cdr_schema SET version = 99", "version 99"),
        ("ALTER TABLE cdrs RENAME COLUMN userid TO user_id", "no column userid"),
        ("DROP TABLE cdr_windows", "no table cdr_windows"),
    ],
)
@pytest.mark.any_database
async def test_a_newer_or_a_damaged_store_is_refused_and_left_alone(url, statement, message):
    async with CdrStore(url) as store:
        await store.save([OLD])
    await sql(url, statement)
    before = await tables(url)
    with pytest.raises(StoreError, match=message) as caught:
        async with CdrStore(url):
            pass
    assert not caught.value.transient
    assert await tables(url) == before


async def test_a_first_version_with_a_column_missing_is_refused_and_left_alone(first):
    await make_first(first)
    await sql(first, "ALTER TABLE cdrs RENAME COLUMN memberid TO member")
    before = await tables(first)
    with pytest.raises(StoreError, match="memberid"):
        async with CdrStore(first):
            pass
    assert await tables(first) == before


@pytest.mark.any_database
async def test_columns_that_somebody_added_do_no_harm(url):
    platform = Platform.of([call(1, 1000)], credentials=ME)
    async with CdrStore(url) as store:
        await store.save([OLD])
    await sql(url, "ALTER TABLE cdrs ADD note VARCHAR(20)")
    async with CdrStore(url) as store:
        await store.sync(platform, DAY)
        assert {cdr.id async for cdr in store} == {1, 7}


async def test_each_table_has_its_indexes(url):
    async with CdrStore(url):
        pass
    ways = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'cdrs_by%'",
        "postgresql": "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'cdrs_by%'",
        "mysql": "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = database() "
        "AND index_name LIKE 'cdrs_by%'",
    }
    found = await sql(url, ways[url.partition(":")[0]])
    assert {name for (name,) in found} == {
        f"cdrs_by_{column}" for column in ("starttime", "extnumber", "disnumber", "callnumber")
    }
