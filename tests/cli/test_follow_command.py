"""`infin8 follow`, as its users run it."""

import asyncio
import json
import re
import signal
from datetime import datetime, timedelta

import pytest
from profiles import cases
from program import PATIENCE, environment, infin8, started

from infin8_async import BEIJING, Cdr
from infin8_async.cli.output import call_lines
from infin8_async.testing import Sandbox


class TestFollow:
    @pytest.mark.parametrize("to", [True, False][: cases(2, 1)])
    async def test_a_pipe_gets_each_call_once_and_a_restart_continues(self, tmp_path, to):
        place = ("--to", f"sqlite:///{tmp_path / 'calls.db'}") if to else ("--checkpoint", str(tmp_path / "place.json"))
        now = datetime.now(BEIJING)
        ended = f"{now - timedelta(seconds=30):%Y-%m-%d %H:%M:%S}"
        got = []
        async with Sandbox(0) as sandbox:
            for _ in range(2):
                added = sandbox.add_call(starttime=ended, endtime=ended)
                with started("follow", "--interval", "0.1s", *place, env=environment(sandbox)) as process:
                    got.append(json.loads(await asyncio.to_thread(process.stdout.readline))["id"])
                    assert got[-1] == added
                    asked = len(sandbox.requests)
                    await sandbox.wait_for_requests(asked + 1)  # so that it was asked for the next
                    process.send_signal(signal.SIGINT)
                    out, _ = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
                assert (process.returncode, out) == (130, "")

    def test_a_sandbox_that_is_followed_is_a_live_one_whose_oldest_call_comes_first(self):
        """And standard error says when it starts, and with -v what each poll found."""
        now = datetime.now(BEIJING).replace(microsecond=0)
        options = ("--interval", "0.1s", "--format", "csv", "--fields", "starttime", "-v")
        with started("follow", "--sandbox", *options) as process:
            since = re.fullmatch(
                r"infin8: following since (.*) \(Beijing\), every 0\.1 s; Ctrl-C ends it\n", process.stderr.readline()
            )
            started_at = datetime.fromisoformat(f"{since[1]}+08:00") + timedelta(minutes=10)
            assert now <= started_at <= datetime.now(BEIJING)
            first = re.fullmatch(r"infin8: \d\d:\d\d:\d\d poll 1: (\d+) new\n", process.stderr.readline())
            assert int(first[1]) >= 20  # a call each half minute of ten minutes, and those that came while it started
            assert process.stdout.readline() == "starttime\n"
            times = [process.stdout.readline() for _ in range(int(first[1]))]
            assert times == sorted(times)
            assert process.stdout.readline() > times[0]
            process.terminate()
            process.wait(PATIENCE)
            *polls, last = process.stderr.read().splitlines()
        assert all(re.fullmatch(r"infin8: \d\d:\d\d:\d\d poll \d+: (\d+|nothing) new", poll) for poll in polls)
        assert last == "infin8: terminated"

    def test_a_checkpoint_that_can_not_be_used_is_named(self, tmp_path):
        file = tmp_path / "place.json"
        file.write_text("nonsense")
        ran = infin8("follow", "--sandbox", "--checkpoint", str(file))
        first, second = ran.err.splitlines()
        assert ran.code == 1
        assert first == f"infin8: following on from where {file} left off, every 30 s; Ctrl-C ends it"
        assert second.startswith(f"infin8: {file}: the checkpoint is damaged")

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

    @pytest.mark.parametrize(
        ("columns", "line"),
        [
            (100, "2020-06-10 09:30:05  848843781  out  01000006675 > 17000009650 (8022)  not answered"),
            (80, "06-10 09:30:05  848843781  out  01000006675 > 17000009650 (8022)  not answered"),
            (40, "06-10 09:30:05  out  01000006675 > 17000009650 (8022)  not answered"),
        ],
    )
    def test_a_line_leaves_out_what_does_not_fit(self, columns, line):
        call = Cdr(
            id=848843781, context="callout", disnumber="01000006675", callnumber="17000009650", extnumber="8022",
            starttime=datetime(2020, 6, 10, 9, 30, 5, tzinfo=BEIJING),
        )  # fmt: skip
        assert call_lines([call], columns=columns).decode() == f"{line}\n"
