"""The command line as users run it: in a process of its own, with pipes, files and a terminal."""

import asyncio
import csv
import errno
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile

import pyarrow.parquet as pq
import pytest
from attrs import frozen

from infin8_async import BEIJING, Cdr, StreamReport
from infin8_async.cli.output import call_lines
from infin8_async.cli.progress import closing
from infin8_async.testing import Sandbox, SandboxRequest

DAY = ("--day", "2020-06-10")  # the day of the sandbox's calls
BASE = {name: value for name, value in os.environ.items() if not name.startswith("INFIN8_")} | {"COLUMNS": "100"}
INFIN8 = (sys.executable, "-m", "infin8_async")
PATIENCE = 60


@frozen
class Ran:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(sandbox: Sandbox, **more: str) -> dict[str, str]:
    who = sandbox.credentials
    return BASE | {
        "INFIN8_BASE_URL": sandbox.base_url,
        "INFIN8_APPID": who.appid,
        "INFIN8_ACCESSKEY": str(who.accesskey),
        "INFIN8_USERNAME": who.username or "",
    } | more  # fmt: skip


def infin8(*arguments: str, env: dict[str, str] = BASE, stdin: str = "") -> Ran:
    """Run it without a terminal."""
    ran = subprocess.run(
        (*INFIN8, *arguments), env=env, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


async def against(sandbox: Sandbox, *arguments: str, stdin: str = "", **env: str) -> Ran:
    """Run it against a sandbox that lives in this process."""
    return await asyncio.to_thread(infin8, *arguments, env=environment(sandbox, **env), stdin=stdin)


@contextmanager
def started(*arguments: str, env: dict[str, str] = BASE) -> Iterator[subprocess.Popen[str]]:
    """A running process."""
    with subprocess.Popen(
        (*INFIN8, *arguments), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def on_terminal(
    *arguments: str, columns: int = 100, env: dict[str, str] = BASE, piped: str = "", answer: str = ""
) -> Ran:
    """
    Run it on a terminal, whose text becomes `out`.

    *piped* is the stream that does not go to the terminal, `stdout` or `stderr`; it becomes `err`.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in env.items() if name != "COLUMNS"} | {"TERM": "xterm-256color"}
    with TemporaryFile("w+", encoding="utf-8") as elsewhere:
        streams = {name: elsewhere if name == piped else theirs for name in ("stdout", "stderr")}
        process = subprocess.Popen((*INFIN8, *arguments), env=env, stdin=theirs, start_new_session=True, **streams)
        os.close(theirs)
        shown = b""
        try:
            while chunk := read_terminal(ours):
                shown += chunk
                if answer and b"access key: " in shown:
                    os.write(ours, f"{answer}\n".encode())
                    answer = ""
            code = process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        elsewhere.seek(0)
        return Ran(code, shown.decode(), elsewhere.read())


def read_terminal(terminal: int) -> bytes:
    assert select.select((terminal,), (), (), PATIENCE)[0], "nothing more came"
    try:
        return os.read(terminal, 65536)
    except OSError as error:  # on Linux: the last process on the terminal has ended
        assert error.errno == errno.EIO
        return b""


def plain(shown: str) -> list[str]:
    """The lines on a terminal, without escape sequences."""
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line).rstrip() for line in shown.replace("\r\n", "\n").split("\n")]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def page(rows: list[dict[str, object]], *, number: int = 1, total: int | None = None) -> bytes:
    data = {"data": rows, "page": number, "per_page": 1000, "total": len(rows) if total is None else total}
    return json.dumps({"code": 1, "msg": "successful request", "data": data}).encode()


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


@pytest.mark.parametrize("name", ["calls.csv", "calls.parquet"])
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


async def test_without_its_extra_a_parquet_file_is_refused_before_anything_is_pulled(tmp_path: Path):
    file = tmp_path / "calls.parquet"
    code = "import sys; sys.modules['pyarrow'] = None; from infin8_async.__main__ import main; sys.exit(main())"
    async with Sandbox(calls=1) as sandbox:
        command, env = (sys.executable, "-c", code, "pull", *DAY, "-o", str(file)), environment(sandbox)
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, env=env)
        assert sandbox.requests == []
    assert (ran.returncode, ran.stdout, names(tmp_path)) == (2, "", [])
    assert ran.stderr == f"infin8: --output {file}: Arrow and Parquet need: pip install 'infin8-async[arrow]'\n"


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
    assert re.fullmatch(r"1 call in \d+\.\d s, complete: exactly as many as the platform counts; 1 retry\.\n", ran.err)


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


# Credentials


@pytest.mark.parametrize("command", ["pull", "count"])
async def test_a_wrong_key_is_one_line_without_the_key(command: str):
    async with Sandbox(calls=1) as sandbox:
        ran = await against(sandbox, command, *DAY, INFIN8_ACCESSKEY="open-sesame")
    assert ran == Ran(1, "", "infin8: the platform refused with code 1005: Username or APPID or AccessKey error\n")


async def test_the_key_comes_from_a_file_or_from_standard_input(tmp_path: Path):
    async with Sandbox(calls=3) as sandbox:
        key = str(sandbox.credentials.accesskey)
        (tmp_path / "key").write_text(f"{key}\n")
        from_file = await against(
            sandbox, "count", *DAY, "--accesskey-file", str(tmp_path / "key"), INFIN8_ACCESSKEY=""
        )
        from_input = await against(
            sandbox, "count", *DAY, "--accesskey-file", "-", INFIN8_ACCESSKEY="", stdin=f"{key}\n"
        )
    assert from_file == from_input == Ran(0, "3\n", "")


async def test_a_terminal_does_not_show_the_key_that_is_typed():
    async with Sandbox(calls=3) as sandbox:
        key = str(sandbox.credentials.accesskey)
        env = environment(sandbox, INFIN8_ACCESSKEY="")
        ran = await asyncio.to_thread(on_terminal, "count", *DAY, "--accesskey-file", "-", env=env, answer=key)
    assert ran.code == 0
    assert plain(ran.out)[-2] == "3"
    assert key not in ran.out


async def test_options_win_over_the_environment():
    async with Sandbox(calls=3) as sandbox:
        ran = await against(
            sandbox, "count", *DAY, "--appid", sandbox.credentials.appid, "--ip", "127.0.0.1",
            "--base-url", sandbox.base_url, INFIN8_APPID="another", INFIN8_USERNAME="", INFIN8_BASE_URL="http://127.0.0.1:1",
        )  # fmt: skip
        assert sandbox.requests[0].form["ip"] == "127.0.0.1"
    assert ran == Ran(0, "3\n", "")


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pull",), "INFIN8_APPID, INFIN8_ACCESSKEY, INFIN8_USERNAME"),
        (("pull", "--sandbox", "--day", "2020-06-10", "--last", "2h"), "one window of time at most"),
        (("pull", "--sandbox", "--start", "2020-06-10 00:00:00", "--last", "2h"), "one window of time at most"),
        (("pull", "--sandbox", "--end", "2020-06-10 00:00:00"), "--end needs a --start"),
        (("pull", "--sandbox", "--start", "2020-06-10"), "'YYYY-MM-DD HH:MM:SS', in Beijing time"),
        (("pull", "--sandbox", "--start", "2020-06-10 00:00:00", "--end", "2020-06-09 00:00:00"), "is before"),
        (("pull", "--sandbox", "--day", "2020-06-31"), "--day"),
        (("pull", "--sandbox", "--last", "2 fortnights"), "--last"),
        (("pull", "--sandbox", "--last", "9000y"), "out of range"),
        (("pull", "--sandbox", "--context", "sideways"), "--context"),
        (("pull", "--sandbox", "--extnumber", ""), "extnumber is empty"),
        (("pull", "--sandbox", "-o", "calls.xlsx"), "end in .jsonl or .csv or .parquet"),
        (("pull", "--sandbox", "-o", "calls.jsonl", "--spreadsheet"), "--spreadsheet needs"),
        (("pull", "--sandbox", "--spreadsheet"), "--spreadsheet needs"),
        (("pull", "--sandbox", "-o", "{tmp}"), "not a regular file"),
        (("pull", "--sandbox", "--concurrency", "0"), "concurrency must be a whole number"),
        (("pull", "--accesskey-file", "/nowhere/key"), "can't be read from /nowhere/key"),
        (("count", "--accesskey", "open-sesame"), "--accesskey"),
        (("sandbox", "--calls", "-1"), "--calls must be a number of at least 0"),
        (("sandbox", "--days", "0"), "--days must be"),
        (("sandbox", "--port", "65536"), "--port must be at most 65535"),
        (("push",), "push"),
        (("pull", "--sandbox", "today"), "today"),
    ],
)
def test_wrong_use_is_one_line_that_says_what_is_wrong_and_2(tmp_path: Path, arguments: tuple[str, ...], said: str):
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    ran = infin8(*(argument.replace("{tmp}", str(folder)) for argument in arguments))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.startswith("infin8: ")
    assert ran.err.count("\n") == 1
    assert "sesame" not in ran.err


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_its_extra_it_says_what_to_install(missing: str):
    code = f"import sys; sys.modules['{missing}'] = None; from infin8_async.__main__ import main; sys.exit(main())"
    ran = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=False, env=BASE)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "infin8: the command line needs: pip install 'infin8-async[cli]'\n"


def test_an_import_that_fails_for_another_reason_is_not_blamed_on_the_extra():
    code = "import sys; sys.modules['msgspec'] = None; from infin8_async.__main__ import main; main()"
    ran = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=False, env=BASE)
    assert ran.returncode == 1
    assert "[cli]" not in ran.stderr


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


def test_a_terminal_shows_a_table_with_one_heading_a_bar_and_the_closing_line():
    pull = ("pull", "--sandbox", "--per-page", "50", "--extnumber", "8001")
    ran, piped = on_terminal(*pull), infin8(*pull)
    lines = plain(ran.out)
    assert ran.code == 0
    (heading,) = [line for line in lines if "callnumber" in line]
    assert heading.split()[:4] == ["id", "starttime", "context", "callmethod"]
    shown = [line for line in lines if re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line)]
    assert len(shown) == len(piped.rows) > 50
    for line, row in zip(shown, piped.rows, strict=True):
        assert str(row["id"]) in line
        assert str(row["callnumber"]) in line
    assert max(map(len, shown)) <= 100
    assert f"50 of {len(shown)} calls" in ran.out
    assert re.fullmatch(rf"{len(shown)} calls in \d+\.\d s, complete: .*", lines[-2])


@pytest.mark.parametrize(("columns", "held"), [(45, "callnumber"), (80, "id"), (200, "memberid")])
def test_the_table_has_the_columns_that_fit_its_terminal(columns: int, held: str):
    ran = on_terminal("pull", "--sandbox", "--extnumber", "8001", "--callmethod", "4", columns=columns, piped="stderr")
    lines = plain(ran.out)
    assert held in lines[0].split()
    assert max(map(len, lines)) <= columns
    assert "complete" in ran.err
    assert "of" not in ran.out.split()


def test_the_bar_stays_off_the_pipe_and_on_the_terminal():
    ran = on_terminal("pull", "--sandbox", piped="stdout")
    assert len([json.loads(line) for line in ran.err.splitlines()]) == 10_000
    assert "of 10,000 calls" in ran.out


async def test_nothing_that_the_platform_sends_steers_the_terminal():
    async with Sandbox(calls=0) as sandbox:
        sandbox.fail(None, body=page([{"id": 1, "callnumber": "\x1b]0;owned\x07[red]\n1", "context": "\x9b2J"}]))
        ran = await asyncio.to_thread(on_terminal, "pull", *DAY, env=environment(sandbox), piped="stderr")
    assert " ]0;owned [red] 1" in ran.out
    assert not {"\x1b]", "\x07", "\x9b"} & {ran.out[at : at + size] for at in range(len(ran.out)) for size in (1, 2)}


# The other commands


def test_the_sandbox_has_calls_in_whatever_window_is_asked_for():
    assert infin8("count", "--sandbox").out == "10000\n"
    assert infin8("count", "--sandbox", "--day", "2019-01-01").out == "10000\n"
    assert (
        infin8("count", "--sandbox", "--start", "2019-01-01 00:00:00", "--end", "2019-01-02 23:59:59").out == "10000\n"
    )
    assert 0 < int(infin8("count", "--sandbox", "--last", "7d").out) <= 10_000
    assert 0 < int(infin8("count", "--sandbox", "--last", "7d", "--context", "callin").out) < 5_000


def test_the_sandbox_says_how_to_point_a_client_at_it():
    with started("sandbox", "--calls", "123", "--days", "3", "--per-page-cap", "50", "--live", "0") as process:
        assert process.stdout
        env = dict(BASE)
        for line in process.stdout:
            if export := re.fullmatch(r"export (\w+)=(.*)\n", line):
                env[export[1]] = export[2]
            if line == "infin8 pull | head\n":
                break
        assert infin8("count", "--last", "4d", env=env).code == 0
        pulled = infin8("pull", "--start", "2020-01-01 00:00:00", "--end", "2099-01-01 00:00:00", env=env)
        assert (pulled.code, len(pulled.rows)) == (0, 123)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


async def test_a_port_that_is_taken_is_one_line_and_1():
    async with Sandbox(calls=0) as sandbox:
        ran = await against(sandbox, "sandbox", "--calls", "0", "--port", sandbox.base_url.rpartition(":")[2])
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "address already in use" in ran.err


@pytest.mark.parametrize("command", ["pull", "count", "sandbox"])
def test_the_help_of_each_command_has_an_example(command: str):
    ran = infin8(command, "--help")
    assert ran.code == 0
    assert re.search(rf"^ *infin8 {command} -", ran.out, re.MULTILINE)


def test_the_version_is_that_of_the_distribution():
    ran = infin8("--version")
    assert ran.code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", ran.out)


class TestSync:
    async def test_lands_a_window_and_says_in_words_what_it_did(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with Sandbox(300, days=3) as sandbox:
            window = ("--start", "2020-06-10 00:00:00", "--end", "2020-06-12 23:59:59")
            first = await against(sandbox, "sync", url, *window)
            again = await against(sandbox, "sync", url, *window)
        assert first.code == again.code == 0
        assert re.match(
            r"300 calls new, 0 changed, \d+ as they were, in .* s; of 3 days 0 needed no pull, 3 ", first.err
        )
        assert "of 3 days 3 needed no pull" in again.err
        assert first.out == again.out == ""

    async def test_after_an_interruption_it_continues_where_it_was(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with Sandbox(300, days=3) as sandbox:
            sandbox.fail(None, page=2, hang=True)
            window = ("--start", "2020-06-10 00:00:00", "--end", "2020-06-12 23:59:59", "--per-page", "50")
            with started("sync", url, *window, env=environment(sandbox)) as process:
                await sandbox.wait_for_requests(2)
                process.send_signal(signal.SIGINT)
                _, said = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
            assert (process.returncode, said) == (130, "infin8: interrupted\n")
            sandbox.recover()
            ran = await against(sandbox, "sync", url, *window)
        assert "300 calls new" in ran.err

    @pytest.mark.parametrize("url", ["calls.db", "oracle://host/calls"])
    def test_an_address_of_no_store_is_wrong_use(self, url):
        ran = infin8("sync", url, "--sandbox")
        assert ran.code == 2
        assert "sqlite:///" in ran.err

    def test_a_database_that_is_not_there_is_a_failure(self, unused_tcp_port):
        ran = infin8("sync", f"postgresql://user:hidden@127.0.0.1:{unused_tcp_port}/calls", "--sandbox")
        assert ran.code == 1
        assert ran.err.startswith("infin8: ")
        assert "hidden" not in ran.err

    async def test_a_terminal_shows_the_days_and_the_one_under_way(self, tmp_path):
        async with Sandbox(300, days=3) as sandbox:
            window = ("--start", "2020-06-10 00:00:00", "--end", "2020-06-12 23:59:59")
            arguments = ("sync", f"sqlite:///{tmp_path / 'calls.db'}", *window)
            ran = await asyncio.to_thread(on_terminal, *arguments, env=environment(sandbox))
        assert ran.code == 0
        assert "3 of 3 days, 300 calls" in ran.out
        assert re.search(r"2020-06-12: \d+ of \d+ calls", ran.out)


class TestAudit:
    WINDOW = ("--start", "2020-06-10 00:00:00", "--end", "2020-06-12 23:59:59")

    async def test_says_that_all_agrees_with_one_request(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with Sandbox(300, days=3) as sandbox:
            await against(sandbox, "sync", url, *self.WINDOW)
            before = len(sandbox.requests)
            ran = await against(sandbox, "audit", url, *self.WINDOW)
            assert len(sandbox.requests) == before + 1
            deep = await against(sandbox, "audit", url, *self.WINDOW, "--deep")
        assert (ran.code, ran.out, ran.err) == (0, "", "300 calls in the store, as on the platform, in number.\n")
        assert (deep.code, deep.err) == (0, "300 calls in the store, as on the platform, call for call.\n")

    async def test_shows_the_days_that_differ_and_exits_1(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with Sandbox(300, days=3) as sandbox:
            await against(sandbox, "sync", url, *self.WINDOW)
            new = sandbox.add_call(starttime="2020-06-11 12:00:00", endtime="2020-06-11 12:01:00")
            ran = await against(sandbox, "audit", url, *self.WINDOW)
            deep = await against(sandbox, "audit", url, *self.WINDOW, "--deep", "--json")
            assert ran.code == deep.code == 1
            heading, row = ran.out.splitlines()
            assert heading.split() == ["day", "in", "the", "store", "on", "the", "platform"]
            day, held, counted = row.split()
            assert (day, int(counted) - int(held)) == ("2020-06-11", 1)
            assert ran.err == "NOT THE SAME: 300 calls in the store, 301 on the platform; 1 day differs.\n"
            document = json.loads(deep.out)
            assert (document["agrees"], document["held"], document["counted"]) == (False, 300, 301)
            assert [(day["day"], day["missing"]) for day in document["days"]] == [("2020-06-11", [new])]
            ran = await against(sandbox, "sync", url, *self.WINDOW, "--deep")
            assert "1 call new" in ran.err
            assert (await against(sandbox, "audit", url, *self.WINDOW, "--deep")).code == 0


class TestFollow:
    @pytest.mark.parametrize("to", [False, True])
    async def test_a_pipe_gets_each_call_once_and_a_restart_continues(self, tmp_path, to):
        place = ("--to", f"sqlite:///{tmp_path / 'calls.db'}") if to else ("--checkpoint", str(tmp_path / "place.json"))
        now = datetime.now(BEIJING)
        ended = f"{now - timedelta(seconds=30):%Y-%m-%d %H:%M:%S}"
        got = []
        async with Sandbox(0) as sandbox:
            for _ in range(2):
                added = sandbox.add_call(starttime=ended, endtime=ended)
                with started("follow", "--interval", "1s", *place, env=environment(sandbox)) as process:
                    got.append(json.loads(await asyncio.to_thread(process.stdout.readline))["id"])
                    assert got[-1] == added
                    asked = len(sandbox.requests)
                    await sandbox.wait_for_requests(asked + 1)  # so that it was asked for the next
                    process.send_signal(signal.SIGINT)
                    out, _ = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
                assert (process.returncode, out) == (130, "")

    def test_a_sandbox_that_is_followed_is_a_live_one(self):
        with started("follow", "--sandbox", "--interval", "1s") as process:
            assert json.loads(process.stdout.readline())["id"] > 0

    @pytest.mark.parametrize(
        "arguments", [("--interval", "0s"), ("--lookback", "0s"), ("--to", "sqlite:///x", "--checkpoint", "y")]
    )
    def test_wrong_use(self, arguments):
        ran = infin8("follow", "--sandbox", *arguments)
        assert ran.code == 2
        assert arguments[0] in ran.err

    def test_a_line_on_a_terminal_says_who_called_whom(self):
        call = Cdr(id=7, context="callin", disnumber="1380", callnumber="0100", extnumber="8001\x1b", billsec=9)
        assert call_lines([call]).decode() == "  7  in   1380 > 0100 (8001 )  9 s\n"
        assert call_lines([Cdr(id=8, context="new")]).decode() == "  8  new   >   not answered\n"
