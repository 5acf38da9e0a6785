"""Connections, locks, cancellations, errors."""

import asyncio
import logging
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import tempfile
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import trustme
from databases import run_sql, sql
from platform_of_calls import START, Platform, call
from profiles import cases
from sqlalchemy import make_url

from infin8_async import BEIJING, Cdr, CdrQuery, Infin8Session, StoreError
from infin8_async.store import CdrStore, SaveResult
from infin8_async.store._backends.postgres import _UPSERT
from infin8_async.testing import Sandbox

DAY = CdrQuery.day(START.date())
CALLS = [Cdr(id=number, starttime=START, callnumber="13800000000") for number in range(1, 1001)]
PATIENCE = 20  # seconds: far below the 30 s for which a store tries, far above what a busy machine needs


async def held(store):
    return {cdr.id: cdr async for cdr in store}


class TestNoTransactionIsOpenWhileThePlatformIsWaitedFor:
    @asynccontextmanager
    async def reading(self, url, *, calls=7_000):
        """A sync of a long day that has read and landed some of it, and waits for the platform."""
        answer = asyncio.Event()
        async with Sandbox(calls, order="oldest") as sandbox:

            async def hold(request):
                if request.page >= 7:  # the first 5000 calls are committed by themselves
                    await answer.wait()

            sandbox.on_request = hold
            async with CdrStore(url) as store, Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session:
                syncing = asyncio.ensure_future(store.sync(session, DAY))
                while not await sql(url, "SELECT 1 FROM cdrs LIMIT 1"):
                    await asyncio.sleep(0)
                    assert not syncing.done()
                yield sandbox, store
                answer.set()
                assert (await syncing).certified == 1
                assert len(await held(store)) == calls

    @pytest.mark.any_database
    async def test_others_open_read_and_save_meanwhile(self, url):
        async with self.reading(url) as (_, store), asyncio.timeout(PATIENCE):
            assert await store.save(CALLS, account="other") == SaveResult(inserted=1000)
            async with CdrStore(url) as other:
                assert await other.save([call(10**9, 1)], account="third") == SaveResult(inserted=1)
                assert len([cdr async for cdr in other.cdrs(account="other")]) == 1000
            await sql(url, "DELETE FROM cdrs WHERE account IN ('other', 'third')")

    async def test_no_transaction_is_idle_meanwhile_that_a_server_might_end(self, url):
        if not url.startswith("postgres"):
            pytest.skip("PostgreSQL says what its connections do")
        idle = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        async with self.reading(url), asyncio.timeout(PATIENCE):
            while await sql(url, idle):  # the last rows that came may still be on their way
                await asyncio.sleep(0)


class TestCancellation:
    @pytest.mark.parametrize("seed", range(cases(10)))
    async def test_a_cancelled_save_leaves_nothing_locked(self, url, seed):
        chance = Random(seed)
        calls = [Cdr(id=number, starttime=START) for number in range(2500)]
        async with CdrStore(url) as store:
            for _ in range(4):
                saving = asyncio.ensure_future(store.save(calls))
                await asyncio.sleep(chance.random() / 20)
                saving.cancel()
                await asyncio.wait([saving])
                async with asyncio.timeout(PATIENCE), CdrStore(url) as other:
                    await other.save([Cdr(id=10**6)])
                if url.startswith("sqlite"):
                    run_sql(url, "BEGIN IMMEDIATE")
            assert len(await held(store)) in (1, 2501)

    async def test_a_cancelled_reader_gives_its_connection_back(self, url):
        async with CdrStore(url) as store:
            await store.save(CALLS * 5)
            for turns in range(0, 60, 3):
                reading = asyncio.ensure_future(held(store))
                for _ in range(turns):
                    await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])
            assert store._database._backend.engine.pool.checkedout() == 0


class TestAnotherWriter:
    @asynccontextmanager
    async def writing(self, url):
        """Another program that has begun to write, and takes its time."""
        if url.startswith("sqlite"):
            connection = sqlite3.connect(url.removeprefix("sqlite:///"), check_same_thread=False)
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.rollback()
            connection.close()
            return
        async with CdrStore(url) as other:
            begun, end = asyncio.Event(), asyncio.Event()

            async def work(_):
                begun.set()
                await end.wait()

            writing = asyncio.ensure_future(other._database.write(work))
            await begun.wait()
            yield
            end.set()
            await writing

    async def test_a_deadline_is_kept_while_it_writes(self, url):
        async with CdrStore(url) as store:
            await store.save(CALLS)
            loop = asyncio.get_running_loop()
            async with self.writing(url):
                begin = loop.time()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await store.save(CALLS[:10])
                assert loop.time() - begin < PATIENCE

    async def test_it_is_waited_for(self, url):
        async with CdrStore(url) as store:
            await store.save(CALLS)
            async with self.writing(url):
                saving = asyncio.ensure_future(store.save([Cdr(id=1)]))
                assert len(await held(store)) == 1000
                assert not saving.done()
            assert await saving == SaveResult(updated=1)

    async def test_a_store_opens_for_reading_while_it_writes(self, url):
        async with CdrStore(url) as store:
            await store.save(CALLS)
            async with self.writing(url), asyncio.timeout(PATIENCE), CdrStore(url) as other:
                assert len(await held(other)) == 1000

    async def test_a_lock_that_stays_is_an_error_that_may_pass(self, tmp_path, monkeypatch):
        monkeypatch.setattr("infin8_async.store._database._PATIENCE", 0.1)
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with CdrStore(url) as store:
            async with self.writing(url):
                with pytest.raises(StoreError, match="locked") as caught:
                    await store.save(CALLS)
            assert caught.value.transient

    async def test_following_goes_on_after_a_lock_that_stayed(self, tmp_path, monkeypatch, caplog, infin8_sandbox):
        monkeypatch.setattr("infin8_async.store._database._PATIENCE", 0.01)
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        session = Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url)
        async with CdrStore(url) as store, session:
            async with self.writing(url):
                following = asyncio.ensure_future(store.follow(session, DAY, interval=timedelta(milliseconds=10)))
                while "tried again" not in caplog.text:
                    await asyncio.sleep(0.01)
                    assert not following.done(), following.result()
            assert (await following).inserted == len(infin8_sandbox)

    @pytest.mark.parametrize("code", ["40001", "40P01", "55P03", "1205", "1213"])
    async def test_what_a_server_breaks_off_for_another_writer_is_done_again(self, url, code):
        if url.startswith("sqlite") or url.startswith("mysql") != code.startswith("1"):
            pytest.skip("another database says so")
        raised = f"SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = {code}"
        if url.startswith("postgres"):
            raised = f"DO $$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '{code}'; END $$"
        attempts = []

        async def work(connection):
            attempts.append(connection)
            if len(attempts) < 3:
                await connection.exec_driver_sql(raised)

        async with CdrStore(url) as store:
            await store._database.write(work)
        assert len(attempts) == 3


class TestConnections:
    @pytest.mark.any_database
    async def test_slow_readers_do_not_block_a_writer(self, url):
        async with CdrStore(url) as store:
            await store.save(CALLS * 3)
            readers = [store.cdrs() for _ in range(20)]
            for reader in readers:
                await anext(reader)
            async with asyncio.timeout(PATIENCE):
                assert await store.save([Cdr(id=10**6)]) == SaveResult(inserted=1)
            for reader in readers:
                await reader.aclose()

    async def test_the_first_call_after_the_server_ended_all_connections_works(self, url):
        async with CdrStore(url) as store:
            await store.save(CALLS)
            await end_connections(url)
            assert await store.save(CALLS) == SaveResult(unchanged=1000)
            await end_connections(url)
            assert len(await held(store)) == 1000

    @pytest.mark.any_database
    async def test_following_goes_on_after_the_server_was_away(self, url, infin8_sandbox, caplog):
        if url.startswith("sqlite"):
            pytest.skip("it has no server")
        ended = f"{datetime.now(BEIJING) - timedelta(seconds=30):%Y-%m-%d %H:%M:%S}"
        landed: asyncio.Queue[int] = asyncio.Queue()

        async def put(cdrs):
            for cdr in cdrs:
                landed.put_nowait(cdr.id)

        async with Cable(url) as cable, CdrStore(cable.url) as store:
            async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
                first = infin8_sandbox.add_call(starttime=ended, endtime=ended)
                query = CdrQuery(datetime.now(BEIJING) - timedelta(minutes=5))
                following = asyncio.ensure_future(
                    store.follow(session, query, interval=timedelta(milliseconds=10), landed=put)
                )
                assert await landed.get() == first
                await cable.cut()
                second = infin8_sandbox.add_call(starttime=ended, endtime=ended)
                while "tried again" not in caplog.text:
                    await asyncio.sleep(0.01)
                    assert not following.done(), following.result()
                await cable.mend()
                assert await landed.get() == second
                following.cancel()
                await asyncio.wait([following])
            assert {first, second} <= (await held(store)).keys()

    async def test_pgbouncer_in_transaction_mode(self, url, tmp_path):
        if not url.startswith("postgres"):
            pytest.skip("it is for PostgreSQL")
        if shutil.which("pgbouncer") is None:
            pytest.skip("pgbouncer is not installed")
        platform = Platform.of(call(number, number) for number in range(1, 3001))
        async with bouncing(url) as through, CdrStore(through) as store, CdrStore(through) as other:
            await asyncio.gather(store.sync(platform, DAY), other.sync(platform, DAY), store.save(CALLS, account="x"))
            assert len([cdr async for cdr in store]) == 4000
            assert (await store.audit(platform, DAY, deep=True)).agrees

    @pytest.mark.any_database
    async def test_a_closed_store_and_one_that_is_not_open_say_so(self, url):
        store = CdrStore(url)
        with pytest.raises(RuntimeError, match="not open"):
            await store.save([])
        async with store:
            await store.save([])
            with pytest.raises(RuntimeError, match="open already"):
                await store.__aenter__()
            await store.save([])
        for use in (
            lambda: store.save([]),
            lambda: held(store),
            lambda: store.audit(Platform.of([]), DAY),
            store.__aenter__,
        ):
            with pytest.raises(RuntimeError, match="closed"):
                await use()

    async def test_two_open_an_empty_database_at_once(self, url):
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(open_and_save(url, number))
        async with CdrStore(url) as store:
            assert sorted(await held(store)) == [0, 1, 2, 3]


async def open_and_save(url, number):
    async with CdrStore(url) as store:
        await store.save([Cdr(id=number)])


async def end_connections(url):
    """What a restart of the server does to open connections."""
    if url.startswith("postgres"):
        await sql(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    elif url.startswith("mysql"):
        others = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        for (number,) in await sql(url, others):
            await sql(url, f"KILL {number}")


def folder_for_all(mode):
    """A folder that other users reach, too."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(mode)
    return folder


class Cable:
    """A way to a server that can be cut and mended, on a loopback port."""

    def __init__(self, url):
        self._there = make_url(url)
        self._writers = set()

    async def __aenter__(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self.url = self._there.set(host="127.0.0.1", port=self._port).render_as_string(hide_password=False)
        await self.mend()
        return self

    async def __aexit__(self, *_):
        await self.cut()

    async def mend(self):
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)

    async def cut(self):
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        while self._writers:
            await asyncio.sleep(0)

    async def _connect(self, reader, writer):
        there = await asyncio.open_connection(self._there.host, self._there.port)
        self._writers |= {writer, there[1]}
        try:
            await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))
        finally:
            for end in (writer, there[1]):
                end.close()
                self._writers.discard(end)


async def carry(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


@asynccontextmanager
async def bouncing(url):
    """A pgbouncer with two connections, in transaction mode."""
    address = make_url(url)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = folder_for_all(0o777)
    (folder / "ini").write_text(
        f"[databases]\n* = host={address.host} port={address.port} user={address.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = transaction\n"
        f"default_pool_size = 2\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits\n"
        f"logfile = {folder / 'log'}\npidfile = {folder / 'pid'}\n"
    )
    as_user = ["-u", "postgres"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        "pgbouncer", *as_user, folder / "ini", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert process.returncode is None, (folder / "log").read_text()
                await asyncio.sleep(0.01)
                continue
            writer.close()
            break
        yield address.set(port=port).render_as_string(hide_password=False)
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(folder)


class TestNothingSecretIsShown:
    @pytest.mark.any_database
    async def test_no_number_in_a_log_at_any_level(self, url, caplog):
        caplog.set_level(logging.DEBUG)
        async with CdrStore(url) as store:
            await store.save(CALLS)
            await store.save(CALLS)
            assert [cdr async for cdr in store.cdrs(CdrQuery(START, callnumber="13800000000"))]
        assert "13800000000" not in caplog.text

    @pytest.mark.any_database
    async def test_no_number_in_an_error(self, url):
        async with CdrStore(url) as store:
            for statement in ("DROP TABLE cdrs", "CREATE TABLE cdrs (account VARCHAR(5) PRIMARY KEY)"):
                await sql(url, statement)
                with pytest.raises(StoreError) as caught:
                    await store.save(CALLS)
                assert "13800000000" not in f"{caught.value!s}{caught.value!r}{caught.value.__cause__}"
                assert not caught.value.transient


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("sqlite://calls.db", "sqlite:///FILE"),
            ("sqlite://user@host/calls.db", "sqlite:///FILE"),
            ("mysql://user:hidden@host", "DATABASE"),
            ("mysql://user:hidden@host/db?sslmode=require", "sslmode"),
            ("postgresql+psycopg://user:hidden@host/db", "postgresql://"),
            ("postgresql://user:hidden@host:port/db", "postgresql://"),
            ("postgresql://user:hidden@host/db?connect_timeout=soon", "connect_timeout"),
            ("mysql://user:hidden@host/db?connect_timeout=soon", "connect_timeout"),
            ("oracle://user:hidden@host/db", "postgresql://"),
            ("calls.db", "sqlite:///"),
            ("", "sqlite:///"),
        ],
    )
    def test_one_that_cant_work_says_which_form_works(self, url, message):
        with pytest.raises(ValueError, match=message) as caught:
            CdrStore(url)
        assert "hidden" not in str(caught.value)

    @pytest.mark.parametrize(
        "change",
        [
            lambda url: url.replace("postgresql://", "postgres://"),
            lambda url: url.replace("postgresql://", "postgresql+asyncpg://"),
            lambda url: f"{url}?sslmode=prefer&application_name=report&connect_timeout=5&keepalives=1",
            lambda url: f"{url}?options=-c%20statement_timeout%3D60000",
        ],
    )
    async def test_those_of_libpq_work(self, url, change):
        if not url.startswith("postgres"):
            pytest.skip("they are PostgreSQL's")
        async with CdrStore(change(url)) as store:
            await store.save(CALLS)
            assert len(await held(store)) == 1000

    async def test_tls_is_asked_for_in_an_address_of_mysql(self, url, tmp_path):
        if not url.startswith("mysql"):
            pytest.skip("it is MySQL's")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
        with pytest.raises(StoreError):  # the server of the tests has no certificate
            async with CdrStore(f"{url}?ssl_ca={tmp_path / 'ca.pem'}&ssl_cert={tmp_path / 'client.pem'}"):
                pass
        async with CdrStore(f"{url}?connect_timeout=5&charset=utf8mb4"):
            pass

    async def test_a_unix_socket_works(self, url):
        if url.startswith("sqlite"):
            pytest.skip("it has no server")
        if url.startswith("postgres"):
            ((folder,),) = await sql(url, "SHOW unix_socket_directories")
            address = make_url(url).set(host=None, port=None)
            way = address.update_query_dict({"host": folder, "port": str(make_url(url).port)})
        else:
            ((path,),) = await sql(url, "SELECT @@socket")
            way = make_url(url).set(host=None, port=None).update_query_dict({"unix_socket": path})
        async with CdrStore(way.render_as_string(hide_password=False)) as store:
            await store.save(CALLS)

    async def test_a_server_without_tls_is_refused_if_tls_is_required(self, url):
        if not url.startswith("postgres"):
            pytest.skip("it is PostgreSQL's")
        with pytest.raises(StoreError):
            async with CdrStore(f"{url}?sslmode=require"):
                pass

    @pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
    async def test_a_server_that_is_not_there_is_an_error_that_may_pass_without_the_password(
        self, scheme, unused_tcp_port
    ):
        with pytest.raises(StoreError) as caught:
            async with CdrStore(f"{scheme}://user:hidden@127.0.0.1:{unused_tcp_port}/calls"):
                pass
        assert "hidden" not in str(caught.value)
        assert caught.value.transient

    async def test_a_wrong_password_is_an_error_that_will_not_pass(self, url):
        if not url.startswith("mysql"):
            pytest.skip("the other one trusts everybody")
        with pytest.raises(StoreError) as caught:
            async with CdrStore(make_url(url).set(password="wrong-one").render_as_string(hide_password=False)):
                pass
        assert not caught.value.transient
        assert "wrong-one" not in str(caught.value)


class TestPostgres:
    async def test_no_statistics_decide_how_calls_are_written(self, url):
        """Without them, PostgreSQL guesses. It has nothing to choose from if `cdrs` is only ever asked by its key."""
        if not url.startswith("postgres"):
            pytest.skip("it is about PostgreSQL's planner")
        plans = []
        async with CdrStore(url) as store:

            async def work(connection):
                await connection.exec_driver_sql(store._database._backend._coming)
                plans.extend((await connection.exec_driver_sql(f"EXPLAIN {_UPSERT}")).scalars())

            await store._database.write(work)
        assert any("Conflict Arbiter Indexes: cdrs_pkey" in line for line in plans)
        assert not any("Scan" in line and " on cdrs" in line for line in plans)


class TestSQLite:
    @pytest.mark.parametrize("way", ["permissions", "mode=ro"])
    async def test_a_file_that_can_only_be_read_is_read(self, way):
        folder = folder_for_all(0o755)
        file = folder / "calls.db"
        user = os.geteuid()
        try:
            async with CdrStore(f"sqlite:///{file}") as store:
                await store.save(CALLS)
            file.chmod(stat.S_IREAD | stat.S_IRGRP | stat.S_IROTH)
            url = f"sqlite:///file:{file}?mode=ro&uri=true" if way == "mode=ro" else f"sqlite:///{file}"
            if user == 0 and way == "permissions":
                os.seteuid(65534)  # root may write whatever permissions say
            async with CdrStore(url) as store:
                assert len(await held(store)) == 1000
                with pytest.raises(StoreError, match="readonly database"):
                    await store.save(CALLS)
        finally:
            os.seteuid(user)
            shutil.rmtree(folder)

    async def test_newest_calls_first_make_no_larger_file_than_oldest_first(self, tmp_path):
        sizes = []
        calls = [call(number, number) for number in range(cases(20_000, 5_000))]
        for order in (1, -1):
            file = tmp_path / f"{order}.db"
            async with CdrStore(f"sqlite:///{file}") as store:
                for first in range(0, len(calls), 1000)[::order]:
                    await store.save(calls[first : first + 1000][::order])
            sizes.append(file.stat().st_size)
        assert sizes[1] < 1.25 * sizes[0]
