"""What the command line says about itself, and about arguments that make no sense."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from program import BASE, infin8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pull",), "INFIN8_APPID, INFIN8_ACCESSKEY, INFIN8_USERNAME"),
        (("pull", "--sandbox", "--day", "2020-06-10", "--last", "2h"), "one window of time at most"),
        (("pull", "--sandbox", "--start", "2020-06-10 00:00:00", "--last", "2h"), "one window of time at most"),
        (("pull", "--sandbox", "--end", "2020-06-10 00:00:00"), "--end needs a --start"),
        (("pull", "--sandbox", "--start", "10.6.2020"), "--start 10.6.2020: give a day such as 2020-06-10, "),
        (("pull", "--sandbox", "--start", "2020-06-10", "--end", "tomorrow"), "--end tomorrow: give a day such as"),
        (("pull", "--sandbox", "--start", "2020-06-10 00:00:00", "--end", "2020-06-09 00:00:00"), "is before"),
        (("pull", "--sandbox", "--day", "2020-06-31"), "--day 2020-06-31: give a day such as 2020-06-10"),
        (("pull", "--sandbox", "--last", "3x"), "--last 3x: give a length of time such as 90s, 15m, 2h or 7d"),
        (("follow", "--sandbox", "--interval", "x"), "--interval x: give a length of time such as 90s, 15m, 2h or 7d"),
        (("pull", "--sandbox", "--limit", "x"), "--limit x: give a whole number"),
        (("pull", "--sandbox", "--timeout", "x"), "--timeout x: give a number"),
        (("pull", "--sandbox", "--last", "9000y"), "out of range"),
        (("pull", "--sandbox", "--context", "sideways"), "--context"),
        (("pull", "--sandbox", "--extnumber", ""), "extnumber is empty"),
        (("pull", "--sandbox", "-o", "calls.xlsx"), "end in .jsonl or .csv or .parquet"),
        (("pull", "--sandbox", "-o", "calls.parquet.gz"), "end in .jsonl or .csv or .parquet"),
        (("pull", "--sandbox", "-o", "calls.csv", "--format", "table"), "a table is for the terminal"),
        (("pull", "--sandbox", "-o", "calls.parquet", "--fields", "id"), "a .parquet file has all fields"),
        (("pull", "--sandbox", "--fields", "id,mood"), "'mood' is no field; there are id, extnumber"),
        (("pull", "--sandbox", "--limit", "0"), "--limit"),
        (("pull", "--sandbox", "--format", "xlsx"), "--format"),
        (("follow", "--sandbox", "--fields", "mood"), "'mood' is no field"),
        (("completion", "tcsh"), "tcsh"),
        (("sandbox", "--start", "2999-01-01"), "--start 2999-01-01: must not lie in the future"),
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


@pytest.mark.parametrize("missing", ["cyclopts", "platformdirs", "rich"])
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


@pytest.mark.parametrize("command", ["pull", "count", "sync", "follow", "sandbox", "completion"])
def test_the_help_of_each_command_has_an_example(command: str):
    ran = infin8(command, "--help")
    assert ran.code == 0
    assert re.search(rf"^ *infin8 {command} [-a-z]", ran.out, re.MULTILINE)


def test_the_version_is_that_of_the_distribution():
    ran = infin8("--version")
    assert ran.code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", ran.out)
