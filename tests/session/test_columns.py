"""`stream.arrow()`: the same pull as columns, with all that a stream promises."""

import asyncio
import gc
import subprocess
import sys
from datetime import date

import pyarrow as pa
import pytest
from attrs import evolve

from infin8_async import Cdr, CdrQuery, Infin8Session, ResponseError, RetryPolicy
from infin8_async.export import to_arrow, to_parquet
from infin8_async.testing import Sandbox

DAY = CdrQuery.day(date(2020, 6, 10))


def session_of(sandbox, **options):
    options = {"per_page": 100, "retry": RetryPolicy(attempts=1), **options}
    return Infin8Session(sandbox.credentials, base_url=sandbox.base_url, **options)


async def of_records(cdrs):
    """The table of calls that come one by one."""

    async def source():
        for cdr in cdrs:
            yield cdr

    return await to_arrow(source())


def records_alive():
    gc.collect()
    return sum(isinstance(thing, Cdr) for thing in gc.get_objects())


async def test_it_gives_the_calls_of_the_records_in_their_order_and_makes_none(infin8_sandbox):
    async with session_of(infin8_sandbox) as session:
        before = records_alive()
        stream = session.cdrs(DAY)
        batches = []
        async for batch in stream.arrow():
            batches.append(batch)
            assert stream.report.received == sum(map(len, batches))
        assert records_alive() <= before
        assert [len(batch) for batch in batches] == [100] * 10
        assert pa.Table.from_batches(batches) == await of_records(await session.cdrs(DAY).collect())
        assert stream.report == evolve(stream.report, received=1000, complete=True, certified=True, requests=11)
        assert [batch async for batch in stream.arrow()] == []


async def test_it_goes_on_where_records_and_pages_were_left_and_they_where_it_was(infin8_sandbox):
    async with session_of(infin8_sandbox) as session:
        expected = await of_records(await session.cdrs(DAY).collect())
        stream = session.cdrs(DAY)
        cdrs = await stream.collect(150)
        batches = stream.arrow()
        tables = [await of_records(cdrs), *[pa.Table.from_batches([await anext(batches)]) for _ in range(2)]]
        assert stream.report.received == 300
        page = await anext(stream.pages())
        assert page.page == 4
        tables.append(await of_records([*page.cdrs, *await stream.collect(20)]))
        assert stream.report.received == 420
        tables.append(await to_arrow(stream))
    assert [len(table) for table in tables] == [150, 50, 100, 120, 580]
    assert pa.concat_tables(tables) == expected


async def test_some_columns_come_in_the_order_in_which_they_are_asked_for(infin8_sandbox):
    async with session_of(infin8_sandbox) as session:
        table = await to_arrow(session.cdrs(DAY))
        columns = ["starttime", "id", "billsec"]
        assert pa.Table.from_batches([b async for b in session.cdrs(DAY).arrow(columns=columns)]) == table.select(
            columns
        )
        with pytest.raises(ValueError, match=r"no column 'price'; the columns are id, extnumber"):
            await anext(session.cdrs(DAY).arrow(columns=["id", "price"]))
        assert len(infin8_sandbox.requests) == 22


async def test_a_page_of_odd_rows_takes_the_careful_way_alone(infin8_sandbox):
    ids = infin8_sandbox.ids()
    infin8_sandbox.add_call(id=10**9, starttime="2020-06-10 23:59:59", duration="")
    async with session_of(infin8_sandbox) as session:
        expected = await of_records(await session.cdrs(DAY).collect())
        table = await to_arrow(session.cdrs(DAY))
    assert table == expected
    assert table.num_rows == len(ids) + 1


async def test_calls_that_move_come_once_each_and_are_proved():
    left = 30

    async def arrive(_):
        nonlocal left
        if left:
            left -= 1
            sandbox.add_call(starttime=f"2020-06-10 23:{left:02}:30")

    async with Sandbox(1000) as sandbox, session_of(sandbox, per_page=50) as session:
        ids = sandbox.ids()
        sandbox.on_request = arrive
        stream = session.cdrs(DAY)
        table = pa.Table.from_batches([batch async for batch in stream.arrow()])
        sandbox.on_request = None
        by_id = {cdr.id: cdr async for cdr in session.cdrs(DAY)}
    received = table.column("id").to_pylist()
    assert len(set(received)) == len(received) == stream.report.received
    assert set(received) >= set(ids)
    assert stream.report.complete
    assert stream.report.duplicates
    assert table == await of_records([by_id[call] for call in received])


async def test_rows_that_the_platform_cannot_encode_are_all_that_is_missing():
    async with Sandbox(243) as sandbox, session_of(sandbox) as session:
        ids = sandbox.ids()
        sandbox.unreadable = {ids[137]}
        received = []
        with pytest.raises(ResponseError, match="1 row could not be read"):
            async for batch in session.cdrs(DAY).arrow():
                received += batch.column("id").to_pylist()
    assert received == [call for call in ids if call != ids[137]]


@pytest.mark.parametrize("make", [lambda stream: stream.arrow(), lambda stream: stream.pages()])
async def test_an_error_names_page_row_and_field_after_all_pages_before_it(infin8_sandbox, make):
    infin8_sandbox.add_call(starttime="2020-06-10 00:00:00", billsec="917045100378 s")
    async with session_of(infin8_sandbox) as session:
        stream = session.cdrs(DAY)
        pages = 0
        with pytest.raises(
            ResponseError, match=r"page 11\): row 1, field billsec is a text, not a whole number"
        ) as caught:
            async for _ in make(stream):
                pages += 1
        assert (pages, stream.report.received, stream.report.complete) == (10, 1000, False)
        assert "9170" not in str(caught.value)
        with pytest.raises(RuntimeError, match="ended with ResponseError"):
            await anext(stream.arrow())


async def test_a_slow_reader_of_columns_has_never_more_than_concurrency_pages_waiting(infin8_sandbox):
    async with session_of(infin8_sandbox, concurrency=3) as session, session.cdrs(DAY) as stream:
        async for _ in stream.arrow():
            for _ in range(50):
                await asyncio.sleep(0)
            read = stream.report.received // 100
            assert len(infin8_sandbox.requests) <= read + 3 + (read == 10)


async def test_the_cancellation_of_the_reader_in_the_middle_ends_the_stream(infin8_sandbox):
    async with session_of(infin8_sandbox) as session:
        stream = session.cdrs(DAY)

        async def read():
            async for _ in stream.arrow():
                started.set()

        started = asyncio.Event()
        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(RuntimeError, match="ended with CancelledError"):
            await stream.collect()


async def test_two_readers_at_once_are_refused(infin8_sandbox):
    async with session_of(infin8_sandbox) as session, session.cdrs(DAY) as stream:
        reading = asyncio.create_task(stream.collect())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="two readers"):
            await anext(stream.arrow())
        assert len(await reading) == 1000


async def test_without_pyarrow_the_error_says_what_to_install_before_anything_is_read(infin8_sandbox, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    async with session_of(infin8_sandbox) as session:
        with pytest.raises(ImportError, match=r"pip install 'infin8-async\[arrow\]'"):
            await anext(session.cdrs(DAY).arrow())
    assert infin8_sandbox.requests == []


async def test_a_parquet_file_of_a_stream_is_that_of_its_records_byte_for_byte(infin8_sandbox, tmp_path):
    async with session_of(infin8_sandbox) as session:
        assert await to_parquet(session.cdrs(DAY), tmp_path / "stream.parquet") == 1000
        cdrs = await session.cdrs(DAY).collect()

    async def source():
        for cdr in cdrs:
            yield cdr

    # In batches of the stream's size: they are the chunks in which Parquet encodes.
    assert await to_parquet(source(), tmp_path / "records.parquet") == 1000
    assert (tmp_path / "stream.parquet").read_bytes() == (tmp_path / "records.parquet").read_bytes()


def test_pandas_is_imported_with_pyarrow_and_not_with_the_first_batch():
    code = "import sys; from infin8_async._arrow import call_schema; call_schema(); assert 'pandas' in sys.modules"
    subprocess.run((sys.executable, "-c", code), check=True)
