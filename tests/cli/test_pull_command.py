"""`infin8 pull`, as its users run it."""

import asyncio
import csv
import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from profiles import cases
from program import (
    BASE,
    DAY,
    INFIN8,
    PATIENCE,
    Ran,
    against,
    environment,
    infin8,
    names,
    page,
    started,
)
from terminal import terminal

from infin8_async import StreamReport
from infin8_async.cli.progress import closing
from infin8_async.testing import Sandbox, SandboxRequest

# Output of a pull


async def test_a_pipe_gets_one_json_object_a_line_under_the_platforms_names_in_its_order():
    async with Sandbox(calls=25) as sandbox:
        ran = await against(sandbox, "pull", *DAY, "--per-page", "10")
        sent = list(sandbox.rows())
    assert ran.code == 0
    assert [row["id"] for row in ran.rows] == [row["id"] for row in sent]
    for row, call in zip(ran.rows, sent, strict=True):
        assert row == {
            name: (f"{value.replace(' ', 'T')}+08:00" if value else None)
            if name.endswith("time") and isinstance(value, str)
            else value
            for name, value in call.items()
        }


async def test_fields_that_the_library_does_not_know_come_under_extra_and_only_there():
    async with Sandbox(calls=0) as sandbox:
        sandbox.fail(None, body=page([{"id": 2, "mood": {"good": True}}, {"id": 1}]))
        lines = await against(sandbox, "pull", *DAY)
    assert [row.get("extra") for row in lines.rows] == [{"mood": {"good": True}}, None]
    assert "extra" not in lines.rows[1]


async def test_a_csv_file_holds_the_same_calls_as_the_json_lines(tmp_path: Path):
    async with Sandbox(calls=0) as sandbox:
        sandbox.fail(None, body=page([{"id": 2, "mood": "好", "userid": 'a,"b"', "billsec": 7}, {"id": 1}]))
        pulls = [
            await against(sandbox, "pull", *DAY, "-o", str(tmp_path / f"calls{end}")) for end in (".csv", ".jsonl")
        ]
    assert [(pull.code, pull.out) for pull in pulls] == [(0, "")] * 2
    with (tmp_path / "calls.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text("utf-8").splitlines()]
    assert [*rows[0]] == [*lines[0]]
    assert [{name: str(value) for name, value in row.items() if value not in (None, "")} for row in lines] == [
        {name: str(json.loads(value) if name == "extra" else value) for name, value in row.items() if value}
        for row in rows
    ]
    assert names(tmp_path) == ["calls.csv", "calls.jsonl"]


async def test_a_parquet_file_holds_the_same_calls_as_the_json_lines(tmp_path: Path):
    file = tmp_path / "calls.parquet"
    async with Sandbox(calls=25) as sandbox:
        ran = await against(sandbox, "pull", *DAY, "--per-page", "10", "-o", str(file))
        lines = await against(sandbox, "pull", *DAY)
    assert (ran.code, ran.out) == (0, "")
    assert f"25 calls in {file} " in ran.err
    rows = [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        for row in pq.read_table(file).to_pylist()
    ]
    assert rows == [row | {"extra": None} for row in lines.rows]


async def test_for_a_spreadsheet_a_number_is_no_formula(tmp_path: Path):
    file = tmp_path / "calls.csv"
    async with Sandbox(calls=0) as sandbox:
        sandbox.fail(None, body=page([{"id": 1, "callnumber": "+8613800000000"}]))
        for options, number in (((), "+8613800000000"), (("--spreadsheet",), "'+8613800000000")):
            assert (await against(sandbox, "pull", *DAY, "-o", str(file), *options)).code == 0
            with file.open(encoding="utf-8", newline="") as lines:
                assert [row["callnumber"] for row in csv.DictReader(lines)] == [number]


async def test_the_filters_and_the_window_reach_the_platform():
    async with Sandbox(calls=0) as sandbox:
        window = ("--start", "2020-06-10 09:00:00", "--end", "2020-06-10 12:00:00")
        filters = {
            "extnumber": "8001", "disnumber": "10", "callnumber": "11", "context": "callin", "callmethod": "6",
            "userid": "u", "memberid": "m",
        }  # fmt: skip
        ran = await against(sandbox, "pull", *window, *(f"--{name}={value}" for name, value in filters.items()))
        form = sandbox.requests[0].form
    assert ran.code == 0
    assert filters.items() <= form.items()
    assert (form["starttime"], form["endtime"]) == ("2020-06-10 09:00:00", "2020-06-10 12:00:00")


# Files


@pytest.mark.parametrize("there", [None, "what was there"])
@pytest.mark.parametrize("name", ["calls.jsonl", "calls.parquet"])
async def test_a_pull_that_fails_leaves_the_file_as_it_was(tmp_path: Path, there: str | None, name: str):
    file = tmp_path / name
    if there:
        file.write_text(there)
    async with Sandbox(calls=20) as sandbox:
        sandbox.fail(None, page=2, code=1001)
        ran = await against(sandbox, "pull", *DAY, "--per-page", "10", "-o", str(file))
    assert ran.code == 1
    assert names(tmp_path) == ([name] if there else [])
    assert not there or file.read_text() == there
    assert ran.err == (
        f"infin8: the platform refused with code 1001: Parameter error (after 10 calls, {file} was not written)\n"
    )


@pytest.mark.parametrize("name", ["calls.parquet", "calls.csv"][: cases(2, 1)])
async def test_ctrl_c_leaves_no_file_behind(tmp_path: Path, name: str):
    held = asyncio.Event()
    second = asyncio.Event()

    async def hold(request: SandboxRequest) -> None:
        if request.page == 2:
            second.set()
            await held.wait()

    async with Sandbox(calls=20, on_request=hold) as sandbox:
        arguments = ("pull", *DAY, "--per-page", "10", "-o", str(tmp_path / name))
        with started(*arguments, env=environment(sandbox)) as process:
            await second.wait()
            process.send_signal(signal.SIGINT)
            _, err = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
        held.set()
    assert (process.returncode, err) == (130, "infin8: interrupted\n")
    assert names(tmp_path) == []


def test_a_file_that_cannot_be_written_is_one_line_and_1(tmp_path: Path):
    file = tmp_path / "nowhere" / "calls.csv"
    ran = infin8("pull", "--sandbox", "-o", str(file))
    assert (ran.code, ran.out, ran.err) == (1, "", f"infin8: {file}: No such file or directory\n")


async def test_without_its_extra_a_parquet_file_is_refused_before_anything_is_pulled(tmp_path: Path, monkeypatch):
    file = tmp_path / "calls.parquet"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    async with Sandbox(calls=1) as sandbox:
        ran = await against(sandbox, "pull", *DAY, "-o", str(file))
        assert sandbox.requests == []
    assert (names(tmp_path), ran) == (
        [], Ran(2, "", f"infin8: --output {file}: Arrow and Parquet need: pip install 'infin8-async[arrow]'\n")
    )  # fmt: skip


def test_a_link_goes_on_pointing_to_the_file_that_is_replaced(tmp_path: Path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "calls.csv")
    assert infin8("pull", "--sandbox", "--extnumber", "8001", "-o", str(tmp_path / "link.csv")).code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "calls.csv").read_text().startswith("id,extnumber,")


# What is said about it


async def test_the_closing_line_says_how_many_and_that_the_platform_agrees():
    async with Sandbox(calls=1) as sandbox:
        sandbox.fail(1, status=503)
        ran = await against(sandbox, "pull", *DAY)
    trouble, closing_line = ran.err.splitlines()
    assert trouble.endswith("after: unexpected answer (HTTP 503, page 1): Service Unavailable; trying again")
    assert re.fullmatch(
        r"1 call in \d+\.\d s, complete: exactly as many as the platform counts; 1 retry\.", closing_line
    )


async def test_verbose_tells_of_each_request_that_is_sent_again():
    async with Sandbox(calls=1) as sandbox:
        sandbox.fail(1, status=503)
        ran = await against(sandbox, "pull", *DAY, "-v")
    assert "infin8: page 1: try 2 of 5" in ran.err


@pytest.mark.parametrize(
    ("changes", "counted", "said"),
    [
        ({}, 12, ("10 calls in x.csv in 1.2 s, complete: all calls that were there from beginning to end; "
                  "the platform now counts 12.")),
        ({"certified": True, "recovered": 2, "duplicates": 3, "retries": 4}, 10,
         ("10 calls in x.csv in 1.2 s, complete: exactly as many as the platform counts; "
          "2 had moved and were found again; 3 dropped as duplicates; 4 retries.")),
        ({"complete": False}, 12, "10 calls in x.csv in 1.2 s, NOT COMPLETE: the platform counts 12."),
    ],
)  # fmt: skip
def test_the_closing_line_tells_complete_from_certified(changes: dict[str, int], counted: int, said: str):
    facts = {
        "expected": 10, "received": 10, "duplicates": 0, "recovered": 0, "requests": 1, "retries": 0,
        "complete": True, "certified": False,
    }  # fmt: skip
    assert closing(StreamReport(**(facts | changes)), counted, 1.23, " in x.csv") == said


@pytest.mark.parametrize(
    ("integrity", "said"),
    [("repair", r"infin8: the platform counts 5 rows, but only 1 could be read"), ("off", r"1 call .*NOT COMPLETE")],
)
async def test_an_incomplete_pull_gives_what_there_is_and_exits_1(integrity: str, said: str):
    async with Sandbox(calls=0) as sandbox:
        sandbox.fail(None, page=1, body=page([{"id": 1, "starttime": "2020-06-10 10:00:00"}], total=5))
        for number in range(2, 6):
            sandbox.fail(None, page=number, body=page([], number=number, total=5))
        ran = await against(sandbox, "pull", *DAY, "--integrity", integrity)
    assert ran.code == 1
    assert [row["id"] for row in ran.rows] == [1]
    assert re.match(said, ran.err)
    assert ran.err.count("\n") == 1


# Stopped early


def test_a_reader_that_leaves_early_is_no_error():
    with started("pull", "--sandbox") as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["id"]
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ""


def test_ctrl_c_ends_a_pull_with_130_even_if_its_reader_has_stopped_reading():
    with started("pull", "--sandbox") as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["id"]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr.read() == "infin8: interrupted\n"


def test_a_pipe_in_non_blocking_mode_gets_everything():
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with subprocess.Popen((*INFIN8, "pull", "--sandbox"), env=BASE, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as pipe:
            assert sum(1 for _ in pipe) == 10_000
        assert process.wait(PATIENCE) == 0


# On a terminal


async def test_nothing_that_the_platform_sends_steers_the_terminal():
    async with Sandbox(calls=0) as sandbox:
        sandbox.fail(None, body=page([{"id": 1, "callnumber": "\x1b]0;owned\x07[red]\n1", "context": "\x9b2J"}]))
        with terminal("pull", *DAY, env=environment(sandbox)) as shown:
            assert await asyncio.to_thread(shown.finish) == 0
    assert any(" ]0;owned [red] 1" in line for line in shown.lines)
    for steering in ("\x1b]", "\x07", "\x9b"):
        assert steering not in shown.sent.decode()
