"""Runs the command line as users do: in a process of its own, with pipes, files and a terminal."""

import asyncio
import errno
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from attrs import frozen

from infin8_async.testing import Sandbox

DAY = ("--day", "2020-06-10")  # the day of the sandbox's calls
BASE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("INFIN8_") and not name.lower().endswith("_proxy")
} | {"COLUMNS": "100"}
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
