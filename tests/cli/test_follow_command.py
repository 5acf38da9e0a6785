"""`infin8 follow`, as its users run it."""

import asyncio
import json
import signal
from datetime import datetime, timedelta

import pytest
from program import (
    PATIENCE,
    environment,
    infin8,
    started,
)

from infin8_async import BEIJING, Cdr
from infin8_async.cli.output import call_lines
from infin8_async.testing import Sandbox


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
