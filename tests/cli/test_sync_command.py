"""`infin8 sync`, as its users run it."""

import asyncio
import re
import signal

import pytest
from program import (
    PATIENCE,
    against,
    environment,
    infin8,
    started,
)

from infin8_async.testing import Sandbox


class TestSync:
    async def test_lands_a_window_and_says_in_words_what_it_did(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with Sandbox(300, days=3) as sandbox:
            window = ("--start", "2020-06-10 00:00:00", "--end", "2020-06-12 23:59:59")
            first = await against(sandbox, "sync", url, *window)
            again = await against(sandbox, "sync", url, *window)
        assert first.code == again.code == 0
        assert re.fullmatch(
            r"300 calls new, 0 changed, 0 as they were, in \d+\.\d s; "
            r"0 days unchanged, 3 days pulled, 3 of them exactly as the platform counts\.\n",
            first.err,
        )
        assert re.fullmatch(r"up to date: 3 days unchanged, in \d+\.\d s\.\n", again.err)
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
