"""
Runs the command line in copies of a process that has imported it: to start Python anew costs half a second each time.

Each run is a process of its own, with its own environment, folder and streams, and it ends as Python ends.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, NoReturn

IMPORTED: Final = (
    "infin8_async.__main__", "infin8_async.cli.app", "infin8_async.export", "infin8_async.report.page",
    "infin8_async.store", "aiosqlite",
)  # fmt: skip
"""What the commands import, at the latest when they need it. Not pyarrow: it starts threads, which a copy lacks."""

PATIENCE: Final = 60
"""Seconds after which a run is killed."""


def run(*arguments: str, env: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Do what `subprocess.run` does with `infin8` and captured output. Standard output is a pipe."""
    reading, writing = os.pipe()
    ended, ending = os.pipe()
    with (
        TemporaryFile("w+", encoding="utf-8") as typed,
        TemporaryFile("w+", encoding="utf-8") as said,
        os.fdopen(reading, encoding="utf-8") as out,
        os.fdopen(ended, encoding="ascii") as code,
    ):
        typed.write(stdin)
        typed.seek(0)
        request = json.dumps({"arguments": arguments, "env": dict(env), "folder": str(Path.cwd())}).encode()
        try:
            socket.send_fds(_server(), [request], [typed.fileno(), writing, said.fileno(), ending])
        finally:
            os.close(writing)
            os.close(ending)
        shown = out.read()
        returned = int(code.read())
        said.seek(0)
        return subprocess.CompletedProcess(arguments, returned, shown, said.read())


@cache
def _server() -> socket.socket:
    """The way to the process that is copied; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen((sys.executable, __file__, str(theirs.fileno())), pass_fds=[theirs.fileno()])
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> None:
    keepers: set[int] = set()
    while True:
        request, streams, *_ = socket.recv_fds(requests, 1 << 20, 4)
        keepers -= {keeper for keeper in keepers if os.waitpid(keeper, 0 if not request else os.WNOHANG)[0]}
        if not request:
            return
        keeper = os.fork()
        if not keeper:
            requests.close()
            _keep(**json.loads(request), streams=streams)
        keepers.add(keeper)
        for stream in streams:
            os.close(stream)


def _keep(arguments: list[str], env: dict[str, str], folder: str, streams: list[int]) -> NoReturn:
    """Be the parent of a run, and tell how it ended."""
    *standard, ending = streams
    program = os.fork()
    if program:
        for stream in standard:
            os.close(stream)
        _, status = os.waitpid(program, 0)
        os.write(ending, str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.close(ending)
    for number, stream in enumerate(standard):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = ["infin8", *arguments]
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    signal.alarm(PATIENCE)
    sys.exit(import_module("infin8_async.__main__").main())


if __name__ == "__main__":
    for module in IMPORTED:
        import_module(module)
    _serve(socket.socket(fileno=int(sys.argv[1])))
