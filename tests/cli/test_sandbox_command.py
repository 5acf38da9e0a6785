"""`infin8 sandbox`, and `--sandbox` of the other commands."""

import re
import signal

from program import BASE, PATIENCE, against, infin8, started

from infin8_async.testing import Sandbox


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
