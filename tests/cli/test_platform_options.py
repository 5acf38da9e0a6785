"""Whose account a command uses, and where the platform is."""

import asyncio
from pathlib import Path

import pytest
from program import DAY, PATIENCE, Ran, against, environment, started
from terminal import terminal

from infin8_async.testing import Sandbox


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
        with started("count", *DAY, "--accesskey-file", "-", env=environment(sandbox, INFIN8_ACCESSKEY="")) as process:
            from_input = await asyncio.to_thread(process.communicate, f"{key}\n", timeout=PATIENCE)
    assert from_file == Ran(0, "3\n", "")
    assert from_input == ("3\n", "")


async def test_a_terminal_does_not_show_the_key_that_is_typed():
    async with Sandbox(calls=3) as sandbox:
        key = str(sandbox.credentials.accesskey)
        env = environment(sandbox, INFIN8_ACCESSKEY="")
        with terminal("count", *DAY, "--accesskey-file", "-", env=env) as shown:
            await asyncio.to_thread(shown.read_until, "access key:")
            shown.type(f"{key}\n")
            assert await asyncio.to_thread(shown.finish) == 0
    assert shown.lines[-1] == "3"
    assert key not in shown.sent.decode()


async def test_options_win_over_the_environment():
    async with Sandbox(calls=3) as sandbox:
        ran = await against(
            sandbox, "count", *DAY, "--appid", sandbox.credentials.appid, "--ip", "127.0.0.1",
            "--base-url", sandbox.base_url, INFIN8_APPID="another", INFIN8_USERNAME="", INFIN8_BASE_URL="http://127.0.0.1:1",
        )  # fmt: skip
        assert sandbox.requests[0].form["ip"] == "127.0.0.1"
    assert ran == Ran(0, "3\n", "")
