"""Calls to files and tables: what is written, and what is left if that fails."""

import asyncio
import csv
import gc
import json
import os
import resource
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import WeakSet

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import cases

from infin8_async import BEIJING, CallDirection, CallMethod, Cdr, CdrQuery, Infin8Session, ResponseError, RetryPolicy
from infin8_async.export import to_arrow, to_csv, to_jsonl, to_parquet

AT = datetime(2020, 6, 10, 9, 30, 5, tzinfo=BEIJING)
DAY = CdrQuery.day(date(2020, 6, 10))
ANSWERED = Cdr(
    id=2**62, extnumber="0081", disnumber="008613800000000", callnumber='+86,"1"', context=CallDirection.INCOMING,
    callmethod=CallMethod.DOUBLE, starttime=AT, answertime=AT + timedelta(seconds=7), endtime=AT + timedelta(hours=15),
    duration=7, billsec=53_993, userid="=1+1", memberid="行\n二", extra={"mood": {"好": [1, None]}},
)  # fmt: skip
MISSED = Cdr(id=1, context="sideways", callmethod="9", starttime=AT)
CDRS = [ANSWERED, MISSED]
TIMES = [name for name in Cdr.__annotations__ if name.endswith("time")]
INTS = ["id", "duration", "billsec", "aduration", "abillsec"]
TEXTS = [name for name in Cdr.__annotations__ if name not in (*TIMES, *INTS, "extra")]
ANY = st.builds(
    Cdr,
    id=st.integers(-(2**63), 2**63 - 1),
    userid=st.text(),
    memberid=st.text("\",\r\n\\'\0 a"),
    extra=st.dictionaries(st.text(), st.text() | st.none(), max_size=3),
)
FORMATS = [to_jsonl, to_csv, to_parquet]


async def source(cdrs=CDRS):
    """The calls as a plain async generator."""
    for cdr in cdrs:
        yield cdr


async def failing(error, cdrs=CDRS):
    for cdr in cdrs:
        yield cdr
    raise error


def generated(number):
    return (Cdr(id=n, disnumber=f"0{n}", starttime=AT + timedelta(seconds=n), billsec=n % 60) for n in range(number))


def values(cdr):
    """The row of a call in a table, as plain values."""
    plain = {name: str(getattr(cdr, name)) for name in TEXTS} | {name: getattr(cdr, name) for name in INTS + TIMES}
    return plain | {"extra": dict(cdr.extra) or None}


def read_back(rows):
    """Rows of a table as `values` has them."""
    return [row | {"extra": row["extra"] and json.loads(row["extra"])} for row in rows]


def read_csv(path):
    """A CSV file as Python's own reader reads it."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            row
            | {name: int(row[name]) for name in INTS}
            | {name: datetime.fromisoformat(row[name]) if row[name] else None for name in TIMES}
            | {"extra": json.loads(row["extra"]) if row["extra"] else None}
            for row in csv.DictReader(file)
        ]


def read_jsonl(path):
    rows = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return [
        {"extra": None, **row} | {name: row[name] and datetime.fromisoformat(row[name]) for name in TIMES}
        for row in rows
    ]


def of_frame(frame):
    """The rows of a pandas frame."""
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in frame.to_dict("records")
    ]


def duckdb_rows(query):
    """The rows of a query, its times in milliseconds."""
    with duckdb.connect() as database:
        answer = database.execute(query)
        names = [column[0] for column in answer.description]
        rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    moments = {name: lambda ms: datetime.fromtimestamp(ms / 1000, BEIJING) for name in TIMES}
    return [
        {name: moments[name](value) if name in moments and value is not None else value for name, value in row.items()}
        for row in rows
    ]


class TestValues:
    async def test_a_table_has_the_fields_as_they_are_typed(self):
        table = await to_arrow(source())
        assert table.schema.names == list(Cdr.__annotations__)
        assert {str(table.schema.field(name).type) for name in INTS} == {"int64"}
        assert {str(table.schema.field(name).type) for name in TIMES} == {"timestamp[ms, tz=+08:00]"}
        assert {str(table.schema.field(name).type) for name in (*TEXTS, "extra")} == {"string"}
        assert read_back(table.to_pylist()) == [values(cdr) for cdr in CDRS]
        assert table.column("starttime")[0].as_py().utcoffset() == timedelta(hours=8)
        assert table.column("extra").null_count == 1
        assert {table.column(name).null_count for name in TEXTS} == {0}

    async def test_parquet_holds_the_same_table(self, tmp_path):
        file = tmp_path / "calls.parquet"
        assert await to_parquet(source(), file) == 2
        assert pq.read_table(file) == await to_arrow(source())

    async def test_duckdb_reads_parquet_back_equal(self, tmp_path):
        file = tmp_path / "calls.parquet"
        await to_parquet(source(), file)
        kinds = {row["column_name"]: row["column_type"] for row in duckdb_rows(f"DESCRIBE FROM '{file}'")}
        assert {kinds[name] for name in TIMES} == {"TIMESTAMP WITH TIME ZONE"}
        assert {kinds[name] for name in INTS} == {"BIGINT"}
        times = ", ".join(f"epoch_ms({name}) AS {name}" for name in TIMES)
        rows = duckdb_rows(f"SELECT * REPLACE ({times}) FROM '{file}'")
        assert read_back(rows) == [values(cdr) for cdr in CDRS]

    async def test_pandas_reads_parquet_back_equal(self, tmp_path):
        await to_parquet(source(), tmp_path / "calls.parquet")
        frame = pd.read_parquet(tmp_path / "calls.parquet")
        assert {str(frame[name].dt.tz.utcoffset(None)) for name in TIMES} == {"8:00:00"}
        assert read_back(of_frame(frame)) == [values(cdr) for cdr in CDRS]

    async def test_pandas_reads_csv_back_equal(self, tmp_path):
        assert await to_csv(source(), tmp_path / "calls.csv") == 2
        kinds = dict.fromkeys((*TEXTS, "extra"), "str") | dict.fromkeys(INTS, "int64")
        empty = {name: [""] for name in (*TIMES, "extra")}
        frame = pd.read_csv(tmp_path / "calls.csv", dtype=kinds, keep_default_na=False, na_values=empty)
        for name in TIMES:
            frame[name] = pd.to_datetime(frame[name], utc=True)
        assert read_back(of_frame(frame)) == [values(cdr) for cdr in CDRS]

    async def test_duckdb_reads_csv_back_equal(self, tmp_path):
        file = tmp_path / "calls.csv"
        await to_csv(source(), file)
        replaced = [f"epoch_ms({name}::TIMESTAMPTZ) AS {name}" for name in TIMES]
        replaced += [f"{name}::BIGINT AS {name}" for name in INTS]
        rows = duckdb_rows(
            f"SELECT * REPLACE ({', '.join(replaced)}) "
            f"FROM read_csv('{file}', header=true, all_varchar=true, force_not_null={TEXTS})"
        )
        assert read_back(rows) == [values(cdr) for cdr in CDRS]

    async def test_json_lines_and_csv_hold_the_same_calls(self, tmp_path):
        assert await to_jsonl(source(), tmp_path / "calls.jsonl") == await to_csv(source(), tmp_path / "calls.csv") == 2
        expected = [values(cdr) for cdr in CDRS]
        assert read_jsonl(tmp_path / "calls.jsonl") == read_csv(tmp_path / "calls.csv") == expected
        first, second = (json.loads(line) for line in (tmp_path / "calls.jsonl").read_text("utf-8").splitlines())
        assert first["starttime"] == "2020-06-10T09:30:05+08:00"
        assert "extra" not in second

    @given(st.lists(ANY, max_size=5))
    def test_any_text_comes_back_from_csv_json_lines_and_arrow(self, cdrs):
        with TemporaryDirectory() as folder:
            lines, rows = Path(folder, "calls.jsonl"), Path(folder, "calls.csv")
            assert asyncio.run(to_jsonl(source(cdrs), lines)) == asyncio.run(to_csv(source(cdrs), rows)) == len(cdrs)
            expected = [values(cdr) for cdr in cdrs]
            assert read_jsonl(lines) == read_csv(rows) == expected
            assert [json.loads(line) for line in lines.read_bytes().splitlines()] == [cdr.to_dict() for cdr in cdrs]
        assert read_back(asyncio.run(to_arrow(source(cdrs))).to_pylist()) == expected

    async def test_no_calls_are_a_file_too(self, tmp_path):
        for write, name in zip(FORMATS, ("a.jsonl", "b.csv", "c.parquet"), strict=True):
            assert await write(source([]), tmp_path / name) == 0
        assert (tmp_path / "a.jsonl").read_bytes() == b""
        assert (tmp_path / "b.csv").read_text().split(",") == [*list(Cdr.__annotations__)[:-1], "extra\n"]
        assert pq.read_table(tmp_path / "c.parquet") == await to_arrow(source([]))


class TestSources:
    @pytest.mark.parametrize("write", FORMATS)
    async def test_a_stream_is_read_to_its_end(self, infin8_sandbox, tmp_path, write):
        async with session_of(infin8_sandbox) as session:
            stream = session.cdrs(DAY)
            assert await write(stream, tmp_path / "calls") == 1000
        assert stream.report.certified
        read = {to_jsonl: read_jsonl, to_csv: read_csv, to_parquet: lambda file: pq.read_table(file).to_pylist()}
        assert [row["id"] for row in read[write](tmp_path / "calls")] == infin8_sandbox.ids()

    async def test_a_stream_becomes_a_table(self, infin8_sandbox):
        async with session_of(infin8_sandbox) as session:
            table = await to_arrow(session.cdrs(DAY))
        assert table.column("id").to_pylist() == infin8_sandbox.ids()

    async def test_a_file_of_any_length_has_row_groups_of_bounded_size(self, tmp_path):
        number = cases(50_500, 20_500)
        assert await to_parquet(source(generated(number)), tmp_path / "calls.parquet") == number
        with pq.ParquetFile(tmp_path / "calls.parquet") as file:
            sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
            assert file.read(["id"]).column("id").to_pylist() == list(range(number))
        assert sizes == [20_000] * (number // 20_000) + [number % 20_000]

    @pytest.mark.parametrize("write", FORMATS)
    async def test_memory_holds_a_batch_of_calls_whatever_their_number(self, tmp_path, write):
        alive, most, number = WeakSet(), 0, cases(10_000, 5_000)

        async def counted():
            nonlocal most
            for cdr in generated(number):
                alive.add(cdr)
                most = max(most, len(alive))
                yield cdr

        assert await write(counted(), tmp_path / "calls") == number
        assert most <= 3_002  # one is gathered, one written, and one a thread lets go of when it runs again


class Held(dict):
    """An `extra` that takes as long to write as a test likes."""

    def __init__(self, loop):
        self.loop, self.writing, self.go_on = loop, asyncio.Event(), threading.Event()

    def __bool__(self):  # asked in the thread
        self.loop.call_soon_threadsafe(self.writing.set)
        assert self.go_on.wait(30)
        return False


async def let_others_run():
    for _ in range(20):
        await asyncio.sleep(0)


def parts(target):
    """The temporary files of *target*."""
    return [path for path in target.parent.iterdir() if path.suffix == ".part"]


class TestWholeOrNothing:
    @pytest.fixture(params=["there", "not there"])
    def target(self, request, tmp_path):
        file = tmp_path / "calls"
        if request.param == "there":
            file.write_text("older")
        yield file
        gc.collect()
        assert [path.name for path in tmp_path.iterdir()] == (["calls"] if request.param == "there" else [])
        assert not file.exists() or file.read_text() == "older"

    @pytest.mark.parametrize("write", FORMATS)
    @pytest.mark.parametrize(
        "error", [ValueError("in the middle"), TimeoutError("slow"), ConnectionResetError(104, "x")]
    )
    async def test_a_source_that_fails_leaves_what_was_there_and_its_error_as_it_was(self, target, write, error):
        with pytest.raises(type(error)) as caught:
            await write(failing(error, generated(2_500)), target)
        assert caught.value is error
        assert getattr(error, "filename", None) is None

    @pytest.mark.parametrize("write", FORMATS)
    async def test_a_pull_that_fails_leaves_what_was_there(self, target, write, infin8_sandbox):
        infin8_sandbox.fail(None, page=3, status=500)
        async with session_of(infin8_sandbox) as session:
            with pytest.raises(ResponseError):
                await write(session.cdrs(DAY), target)

    @pytest.mark.parametrize("write", FORMATS)
    async def test_a_cancellation_while_the_source_is_awaited_leaves_what_was_there(self, target, write):
        waiting = asyncio.Event()

        async def stuck():
            for cdr in generated(2_500):
                yield cdr
            waiting.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(write(stuck(), target))
        await waiting.wait()
        assert parts(target)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    @pytest.mark.parametrize("write", FORMATS)
    async def test_a_cancellation_in_the_middle_of_writing_waits_for_the_thread(self, target, write):
        held = Held(asyncio.get_running_loop())
        task = asyncio.create_task(write(source([Cdr(id=1, extra=held)]), target))
        await held.writing.wait()
        for _ in range(2):  # an impatient one
            task.cancel()
            await let_others_run()
        waits, left = not task.done(), parts(target)
        held.go_on.set()
        assert waits
        assert left
        with pytest.raises(asyncio.CancelledError):
            await task

    @pytest.mark.parametrize("write", FORMATS)
    def test_the_end_of_the_loop_waits_for_the_thread(self, target, write):
        left = []

        async def main():
            held = Held(asyncio.get_running_loop())
            tasks = [asyncio.create_task(write(source([Cdr(id=1, extra=held)]), target))]
            await held.writing.wait()
            tasks.append(asyncio.create_task(release(held)))
            await let_others_run()
            return tasks

        async def release(held):
            try:
                await asyncio.Event().wait()
            finally:
                await let_others_run()
                left.extend(parts(target))
                held.go_on.set()

        assert all(task.cancelled() for task in asyncio.run(main()))
        assert left

    @pytest.mark.parametrize("write", FORMATS)
    async def test_the_error_of_a_full_disk_names_the_target(self, target, write):
        with no_file_larger_than(50_000), pytest.raises(OSError) as caught:
            await write(source(generated(50_000)), target)
        assert caught.value.filename == str(target)
        assert caught.value.strerror == "File too large"

    @pytest.mark.parametrize("write", FORMATS)
    async def test_the_error_of_a_disk_that_fails_at_the_end_names_the_target(self, target, write, monkeypatch):
        def fail(_):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError) as caught:
            await write(source(), target)
        assert (caught.value.errno, caught.value.filename) == (5, str(target))


@contextmanager
def no_file_larger_than(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("write", FORMATS)
async def test_a_file_that_is_there_is_replaced_at_once_and_whole(tmp_path, write):
    file = tmp_path / "calls"
    file.write_text("older")
    seen = []

    async def watched():
        for cdr in CDRS:
            seen.append(file.read_text())
            yield cdr

    await write(watched(), file)
    assert seen == ["older", "older"]
    assert file.read_bytes() != b"older"
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("write", FORMATS)
async def test_a_path_that_cannot_be_a_file_is_refused_before_anything_is_read(tmp_path, write):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    read = []
    for name, kind in (("folder", FileExistsError), ("pipe", FileExistsError), ("no/where", FileNotFoundError)):
        with pytest.raises(kind) as caught:
            await write((read.append(cdr) async for cdr in source()), tmp_path / name)
        assert caught.value.filename == str(tmp_path / name)
    assert read == []


@pytest.mark.parametrize("write", [to_jsonl, to_csv])
async def test_the_next_calls_are_read_while_some_are_written(tmp_path, write):
    held = Held(asyncio.get_running_loop())
    reading_on = asyncio.Event()

    async def calls():
        yield Cdr(id=0, extra=held)
        for cdr in generated(999):
            yield cdr
        await held.writing.wait()
        reading_on.set()
        yield Cdr(id=1000)

    writing = asyncio.create_task(write(calls(), tmp_path / "calls"))
    await asyncio.wait((writing, asyncio.create_task(reading_on.wait())), return_when="FIRST_COMPLETED")
    assert reading_on.is_set()
    held.go_on.set()
    assert await writing == 1001


async def test_the_loop_goes_on_while_calls_are_written(tmp_path):
    threads = set()

    class Extra(dict):
        def __bool__(self):
            threads.add(threading.current_thread())
            return False

    for write in (*FORMATS, lambda cdrs, _: to_arrow(cdrs)):
        await write(source([Cdr(id=1, extra=Extra())]), tmp_path / "calls")
    assert threads
    assert threading.main_thread() not in threads


class TestWithoutPyarrow:
    @pytest.mark.parametrize("write", [to_parquet, lambda cdrs, _: to_arrow(cdrs)])
    async def test_the_error_says_what_to_install_before_anything_is_read(self, tmp_path, monkeypatch, write):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        read = []
        with pytest.raises(ImportError, match=r"pip install 'infin8-async\[arrow\]'"):
            await write((read.append(cdr) async for cdr in source()), tmp_path / "calls.parquet")
        assert read == [*tmp_path.iterdir()] == []

    async def test_another_module_that_is_missing_is_not_blamed_on_the_extra(self, tmp_path, monkeypatch):
        def broken(name, *arguments):
            if name.startswith("pyarrow"):
                raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
            return real(name, *arguments)

        real = __import__
        monkeypatch.setattr("builtins.__import__", broken)
        with pytest.raises(ModuleNotFoundError) as caught:
            await to_parquet(source(), tmp_path / "calls.parquet")
        assert caught.value.name == "numpy"

    async def test_lines_need_no_pyarrow(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        assert await to_csv(source(), tmp_path / "a.csv") == await to_jsonl(source(), tmp_path / "a.jsonl") == 2

    def test_importing_the_package_imports_neither_pyarrow_nor_this_module(self):
        code = (
            "import infin8_async, sys; assert not {'pyarrow', 'infin8_async.export'} & {*sys.modules};"
            "import infin8_async.export; assert 'pyarrow' not in sys.modules"
        )
        subprocess.run((sys.executable, "-c", code), check=True)


def session_of(sandbox):
    once = RetryPolicy(attempts=1)
    return Infin8Session(sandbox.credentials, base_url=sandbox.base_url, retry=once, per_page=100)


@pytest.mark.parametrize("misfit", [{"duration": 2**63}, {"userid": "\ud800"}])
async def test_what_no_column_can_hold_is_named_and_leaves_no_file(tmp_path, misfit):
    async def calls():
        yield Cdr(id=1)
        yield Cdr(id=2, disnumber="917045100378", **misfit)

    with pytest.raises(ValueError, match=f"call 2: its {next(iter(misfit))} does not fit") as caught:
        await to_parquet(calls(), tmp_path / "calls.parquet")
    assert "917045100378" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
