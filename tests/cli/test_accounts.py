"""Accounts in a file: one of them, or all under one budget."""

import asyncio
import json
import re
import shlex
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from program import BASE, Ran, infin8
from proxy import proxy
from terminal import terminal

from infin8_async import Credentials
from infin8_async.cli.accounts import read_accounts
from infin8_async.store import CdrStore
from infin8_async.testing import Sandbox

WINDOW = ("--start", "2020-06-10", "--end", "2020-06-12")
SECRET = "s3cret"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path):
    async def run_command(*arguments: str, **env: str) -> Ran:
        home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
        return await asyncio.to_thread(infin8, *arguments, env=BASE | home | env)

    return run_command


def table(ran: Ran) -> list[list[str]]:
    return [line.split() for line in ran.out.splitlines()]


@asynccontextmanager
async def two_accounts(tmp_path, **options):
    """Two accounts, each with a sandbox of its own, and the file that names them."""
    mexico = Credentials("app-mexico", "key-mexico", username="mx")
    colombia = Credentials("app-colombia", "key-colombia", ip="10.0.0.1")
    async with (
        Sandbox(300, days=3, credentials=mexico, **options) as one,
        Sandbox(30, days=3, seed=1, credentials=colombia, **options) as other,
    ):
        (tmp_path / "key").write_text("key-mexico\n")
        (tmp_path / "key").chmod(0o600)
        asking = shlex.join([sys.executable, "-c", "print('key-colombia\\nlogin: somebody')"])
        file = tmp_path / "accounts.toml"
        file.write_text(
            f"""
            [accounts.mexico]
            appid = "app-mexico"
            username = "mx"
            accesskey_file = "key"
            base_url = "{one.base_url}"
            zone = "America/Mexico_City"

            [accounts.colombia]
            appid = "app-colombia"
            ip = "10.0.0.1"
            accesskey_command = {json.dumps(asking)}
            base_url = "{other.base_url}"
            """
        )
        file.chmod(0o600)
        yield one, other, file


# One account


async def test_an_account_has_its_key_its_address_and_its_zone(command, tmp_path):
    async with two_accounts(tmp_path) as (mexico, colombia, file):
        one = await command("count", "--day", "2020-06-10", "--account", "mexico", "--config", str(file))
        other = await command("count", "--day", "2020-06-10", "--account", "colombia", INFIN8_CONFIG=str(file))
        windows = [(request.form["starttime"], request.form["endtime"]) for request in mexico.requests]
        assert windows == [("2020-06-10 13:00:00", "2020-06-11 12:59:59")]  # UTC-5 in June until 2022
        assert one.out.split() == [str(len(mexico.ids(starttime=windows[0][0], endtime=windows[0][1])))]
        assert other.out.split() == [str(len(colombia.ids(endtime="2020-06-10 23:59:59")))]
    assert (one.code, one.err, other.code, other.err) == (0, "", 0, "")


async def test_options_win_over_the_account_and_the_account_over_the_environment(command, tmp_path):
    async with two_accounts(tmp_path) as (mexico, colombia, file):
        chosen = ("count", "--account", "mexico", "--config", str(file), "--day", "2020-06-10")
        env = {"INFIN8_ZONE": "Asia/Tokyo", "INFIN8_BASE_URL": colombia.base_url, "INFIN8_APPID": "x"}
        assert (await command(*chosen, "--zone", "UTC", **env)).code == 0
        assert (await command(*chosen, **env)).code == 0
        assert (await command("count", "--account", "colombia", *chosen[3:], **env)).code == 0
        refused = await command(*chosen, "--base-url", colombia.base_url)
        starts = [request.form["starttime"][11:13] for request in (*mexico.requests, *colombia.requests)]
    assert starts == ["08", "13", "23", "13"]
    assert (refused.code, refused.err.count("1005")) == (1, 1)


async def test_the_file_has_a_place_of_its_own_and_a_key_may_lie_in_the_environment(command, tmp_path):
    folder = tmp_path / "config" / "infin8"
    folder.mkdir(parents=True)
    async with Sandbox(7) as sandbox:
        file = folder / "accounts.toml"
        file.write_text('[accounts.here]\nappid = "sandbox-app"\nusername = "sandbox"\naccesskey_env = "MY_KEY"\n')
        file.chmod(0o600)
        ran = await command(
            "count",
            *WINDOW,
            "--account",
            "here",
            INFIN8_BASE_URL=sandbox.base_url,
            MY_KEY="sandbox-key",
        )
    assert (ran.code, ran.out, ran.err) == (0, "7\n", "")


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
async def test_files_that_others_can_read_are_warned_about(command, tmp_path, mode, warned):
    async with two_accounts(tmp_path) as (_, _, file):
        file.chmod(mode)
        (tmp_path / "key").chmod(mode)
        ran = await command("count", *WINDOW, "--account", "mexico", "--config", str(file))
    said = [f"infin8: {path} can be read by others: chmod 600 {path}" for path in (file, tmp_path / "key")]
    assert ran.err.splitlines() == (said if warned else [])
    assert ran.code == 0


# Mistakes

GOOD = f'appid = "a"\nusername = "u"\naccesskey_env = "{SECRET}"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"[accounts.m]\nappid = {SECRET}", ": Invalid value (at line 2, column 9)"),
        (f'key = "{SECRET}"\n[accounts.m]\n{GOOD}', ": it must have tables [accounts.NAME], and nothing else"),
        ("", ": it must have tables [accounts.NAME], and nothing else"),
        ("accounts = 3", ": it must have tables [accounts.NAME], and nothing else"),
        (f'[accounts]\nm = "{SECRET}"', ": account m: it must be a table [accounts.m]"),
        (f"[accounts.all]\n{GOOD}", ": account all: no account can be called all"),
        (f'[accounts.m]\n{GOOD}accesskey = "{SECRET}"', ": account m: accesskey: keys do not belong in this file"),
        (f'[accounts.m]\n{GOOD}zones = "{SECRET}"', ": account m: zones: there is no such entry"),
        (f'[accounts.m]\n{GOOD}zone = "{SECRET}"', ": account m: zone: there is no such zone"),
        (f'[accounts.m]\n{GOOD}base_url = "ftp://{SECRET}@h"', ": account m: base_url: it must be an http or https"),
        (f'[accounts.m]\n{GOOD}base_url = "http://{SECRET}:x"', ": account m: base_url: it must be an http or https"),
        (f"[accounts.m]\n{GOOD}ip = 7", ": account m: ip: it must be a text that is not empty"),
        (f'[accounts.m]\n{GOOD}ip = ""', ": account m: ip: it must be a text that is not empty"),
        (f'[accounts.m]\nusername = "u"\naccesskey_env = "{SECRET}"', ": account m: appid: it is missing"),
        (f'[accounts.m]\nappid = "a"\naccesskey_env = "{SECRET}"', ": account m: username: it is missing, and so"),
        ('[accounts.m]\nappid = "a"\nip = "i"', ": account m: give one of accesskey_file, accesskey_command, "),
        (f'[accounts.m]\n{GOOD}accesskey_file = "{SECRET}"', ": account m: give one of accesskey_file, "),
        (f"[accounts.m]\n{GOOD}", ": account m: accesskey_env: there is no access key"),
        (f'[accounts.m]\nappid = "a"\nip = "i"\naccesskey_file = "{SECRET}"', ": account m: accesskey_file: No such"),
        (f'[accounts.m]\nappid = "a"\nip = "i"\naccesskey_command = "false {SECRET}"',
         ": account m: accesskey_command: the program ended with exit code 1"),
        (f'[accounts.m]\nappid = "a"\nip = "i"\naccesskey_command = "{SECRET}"',
         ": account m: accesskey_command: No such file"),
        (f'[accounts.m]\nappid = "a"\nip = "i"\naccesskey_command = "echo \'{SECRET}"',
         ": account m: accesskey_command: No closing quotation"),
        ('[accounts.m]\nappid = "a"\nip = "i"\naccesskey_command = "true"',
         ": account m: accesskey_command: there is no access key"),
        ('[accounts.m]\nappid = "a"\nip = "i"\naccesskey_command = " "',
         ": account m: accesskey_command: it names no program"),
    ],
)  # fmt: skip
async def test_a_mistake_names_the_file_the_account_and_the_entry_but_no_value(command, tmp_path, text, said):
    file = tmp_path / "accounts.toml"
    file.write_text(text)
    file.chmod(0o600)
    ran = await command("count", "--account", "m", "--config", str(file))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"infin8: {file}{said}")
    assert ran.err.count("\n") == 1
    assert SECRET not in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("count", "--account", "peru"), "--account peru: {file} has mexico, colombia"),
        (("count", "--account", "mexico", "--appid", "a"), "--account and --appid exclude each other"),
        (("count", "--account", "all", "--sandbox"), "--account and --sandbox exclude each other"),
        (("count", "--account", "all", "--concurrency", "0"), "concurrency must be"),
        (("count", "--config", "{file}"), "--config needs an --account"),
        (("pull", "--account", "all"), "--account all is for count, sync, audit and report"),
        (("follow", "--account", "all"), "--account all is for count, sync, audit and report"),
        (("report", "--account", "all", "-o", "report.html"), "--output: a page is about one account"),
        (("sync", "calls.db", "--account", "all"), "sqlite:///"),
    ],
)
async def test_wrong_use(command, tmp_path, arguments, said):
    async with two_accounts(tmp_path) as (_, _, file):
        env = {} if "--config" in arguments else {"INFIN8_CONFIG": str(file)}
        ran = await command(*(text.format(file=file) for text in arguments), **env)
    assert (ran.code, ran.out) == (2, "")
    assert said.format(file=file) in ran.err


async def test_a_file_that_is_not_there(command, tmp_path):
    ran = await command("count", "--account", "all", "--config", str(tmp_path / "none.toml"))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert f"{tmp_path / 'none.toml'} can't be read: No such file" in ran.err


# All accounts


async def test_all_accounts_are_one_table_with_a_line_each(command, tmp_path):
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    async with two_accounts(tmp_path) as (mexico, colombia, file):
        # In Mexico the window begins and ends 13 hours later, but its first sandbox has no calls after 12 June.
        numbers = [str(len(mexico.ids(starttime="2020-06-10 13:00:00"))), str(len(colombia))]
        env = {"INFIN8_CONFIG": str(file)}
        counted = await command("count", *WINDOW, "--account", "all", **env)
        synced = await command("sync", url, *WINDOW, "--account", "all", **env)
        audited = await command("audit", url, *WINDOW, "--account", "all", "--deep", **env)
        documents = await command("audit", url, *WINDOW, "--account", "all", "--json", **env)
        reported = await command("report", *WINDOW, "--account", "all", **env)
        asked = len(mexico.requests) + len(colombia.requests)
        stored = await command("report", *WINDOW, "--account", "all", "--from", url, **env)
        one = await command("report", *WINDOW, "--account", "colombia", "--from", url, **env)
        assert len(mexico.requests) + len(colombia.requests) == asked
    assert [ran.code for ran in (counted, synced, audited, documents, reported, stored, one)] == [0] * 7
    assert table(counted) == [["account", "calls"], ["mexico", numbers[0]], ["colombia", numbers[1]]]
    assert table(synced)[0][:3] == ["account", "new", "changed"]
    assert [line[:3] for line in table(synced)[1:]] == [["mexico", numbers[0], "0"], ["colombia", numbers[1], "0"]]
    assert table(audited)[1:] == [["mexico", numbers[0], numbers[0], "0"], ["colombia", numbers[1], numbers[1], "0"]]
    assert [json.loads(documents.out)[name]["held"] for name in ("mexico", "colombia")] == [int(n) for n in numbers]
    assert table(reported)[0][:2] == ["account", "Calls"]
    assert [line[:2] for line in table(reported)[1:]] == [["mexico", numbers[0]], ["colombia", numbers[1]]]
    assert [line[:2] for line in table(stored)] == [line[:2] for line in table(reported)]
    assert one.out.startswith(f"{numbers[1]} calls from a database")


async def test_an_account_that_fails_does_not_stop_the_others_and_is_1(command, tmp_path):
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    async with two_accounts(tmp_path) as (mexico, _, file):
        env = {"INFIN8_CONFIG": str(file)}
        mexico.fail(None, code=1006)
        for what in (("count",), ("sync", url), ("audit", url), ("report",)):
            ran = await command(*what, *WINDOW, "--account", "all", **env)
            assert ran.code == 1
            assert table(ran)[1] == ["mexico", "failed"]
            assert (table(ran)[2][0], len(table(ran)[2]) > 1, table(ran)[2][1] != "failed") == ("colombia", True, True)
            assert "infin8: mexico: the platform refused with code 1006" in ran.err
        mexico.recover()
        file.write_text(file.read_text().replace("accesskey_command", "accesskey_env"))
        ran = await command("count", *WINDOW, "--account", "all", **env)
        assert (ran.code, table(ran)[2]) == (1, ["colombia", "failed"])
        assert f"infin8: colombia: {file}: account colombia: accesskey_env: there is no access key" in ran.err
        documents = await command("audit", url, *WINDOW, "--account", "all", "--json", **env)
        assert documents.code == 1
        assert json.loads(documents.out)["colombia"] is None


async def test_all_accounts_together_stay_within_one_rate_and_each_is_whole(command, tmp_path):
    rate = 20
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    begin = asyncio.get_running_loop().time()
    async with two_accounts(tmp_path) as (mexico, colombia, file):
        options = ("--account", "all", "--max-rate", str(rate), "--per-page", "50", "--zone", "Asia/Shanghai")
        ran = await command("sync", url, *WINDOW, *options, INFIN8_CONFIG=str(file))
        assert ran.code == 0, ran.err
        arrived = sorted(request.at for sandbox in (mexico, colombia) for request in sandbox.requests)
        async with CdrStore(url) as store:
            for account, sandbox in (("app-mexico", mexico), ("app-colombia", colombia)):
                assert {cdr.id async for cdr in store.cdrs(account=account)} == set(sandbox.ids())
    # The n-th request leaves n / rate after the first at the earliest, and arrives later than that.
    assert len(arrived) > 8
    assert all(at >= begin + number / rate for number, at in enumerate(arrived))


async def test_a_terminal_shows_the_days_of_all_accounts_together_and_then_the_table(tmp_path):
    async with two_accounts(tmp_path) as (_, _, file):
        arguments = ("sync", f"sqlite:///{tmp_path / 'calls.db'}", *WINDOW, "--account", "all", "--config", str(file))
        with terminal(*arguments, columns=100, env=BASE) as shown:
            assert await asyncio.to_thread(shown.finish) == 0
    assert b"7 of 7 days" in shown.sent  # those of Mexico are parts of four days of Beijing
    assert [line.split()[0] for line in shown.lines] == ["account", "mexico", "colombia"]
    assert shown.cursor_shown


# Proxies


async def test_proxies_of_the_environment_are_used_but_never_for_a_sandbox(command):
    async with Sandbox(7) as sandbox, proxy(platform_example=int(sandbox.base_url.rpartition(":")[2])) as way:
        env = {
            "HTTP_PROXY": way.url,
            "INFIN8_BASE_URL": "http://platform.example",
            "INFIN8_APPID": "sandbox-app",
            "INFIN8_ACCESSKEY": "sandbox-key",
            "INFIN8_USERNAME": "sandbox",
        }
        ran = await command("count", *WINDOW, **env)
        asked = len(way.asked)
        passed_by = await command(
            "count", *WINDOW, **env | {"NO_PROXY": "127.0.0.1", "INFIN8_BASE_URL": sandbox.base_url}
        )
        own = await command("count", "--sandbox", **env)
    assert (ran.code, ran.out, asked) == (0, "7\n", 1)
    assert (passed_by.code, passed_by.out, own.code) == (0, "7\n", 0)
    assert len(way.asked) == asked


def test_the_file_in_the_documentation_is_one(tmp_path):
    [text] = re.findall(r"```toml\n(.*?)```", (ROOT / "examples" / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "accounts.toml"
    file.write_text(text, encoding="utf-8")
    accounts = read_accounts(file)
    assert list(accounts) == ["mexico"]
    assert str(accounts["mexico"].zone) == "America/Mexico_City"
