"""SIGTERM and Ctrl-C."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from profiles import cases
from program import BASE, INFIN8, PATIENCE
from terminal import terminal

FOLLOW = ("follow", "--sandbox", "--interval", "1s")
IN_NAMESPACE = ("unshare", "--fork", "--pid", "--kill-child")


def ends_with_143(*command: str, send: Callable[[int], None]) -> None:
    arguments = (*command, *INFIN8, *FOLLOW)
    with subprocess.Popen(arguments, env=BASE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(process.stdout.readline())["id"]
            send(process.pid)
            assert process.wait(PATIENCE) == 143
            assert process.stderr.read().splitlines()[-1] == "infin8: terminated"
        finally:
            process.kill()


def terminate(process: int) -> None:
    # Twice, as `timeout` does.
    subprocess.run(("kill", str(process)), check=True)
    subprocess.run(("kill", str(process)), check=False)


def test_sigterm_ends_a_program_that_ignores_ctrl_c_as_in_the_background_of_a_script():
    ends_with_143("sh", "-c", 'trap "" INT; exec "$@"', "sh", send=terminate)


def can_have_a_namespace() -> bool:
    return (
        shutil.which("unshare") is not None
        and not subprocess.run((*IN_NAMESPACE, "true"), capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not can_have_a_namespace(), reason="this machine gives no namespace for processes")
def test_sigterm_ends_the_first_process_of_a_container():
    def first_process(unshare: int) -> None:
        terminate(int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text("ascii")))

    ends_with_143(*IN_NAMESPACE, send=first_process)


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")][: cases(2, 1)],
)
def test_the_question_for_the_key_ends_at_once_and_the_terminal_shows_again_what_is_typed(number, code, said):
    with terminal("count", "--appid", "a", "--username", "u", "--accesskey-file", "-") as shown:
        shown.read_until("access key:")
        assert not shown.echoes
        shown.process.send_signal(number)
        assert shown.finish() == code
        assert shown.echoes
    assert shown.lines[-1].endswith(f"infin8: {said}")
