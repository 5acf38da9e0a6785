"""Runs the command line, in this process or as users do."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryFile
from unittest.mock import patch

import stamina
from attrs import frozen

from infin8_async.cli.app import run
from infin8_async.testing import Sandbox

DAY = ("--day", "2020-06-10")  # the day of the sandbox's calls
BASE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("INFIN8_") and not name.lower().endswith("_proxy")
} | {"COLUMNS": "100", "SSL_CERT_FILE": os.devnull}  # to load all certificates takes a tenth of a start
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


def infin8(*arguments: str, env: Mapping[str, str] = BASE) -> Ran:
    """Run it in this process, without a terminal: to start Python and to import everything takes most of a second."""
    with TemporaryFile("w+", encoding="utf-8") as out, TemporaryFile("w+", encoding="utf-8") as err:
        with patch.dict(os.environ, env, clear=True), redirect_stdout(out), redirect_stderr(err):
            code = run(arguments)
        stamina.instrumentation.set_on_retry_hooks(None)  # as they were
        for file in (out, err):
            file.seek(0)
        return Ran(code, out.read(), err.read())


async def against(sandbox: Sandbox, *arguments: str, **env: str) -> Ran:
    """Run it in a thread, against a sandbox in the loop of the test."""
    return await asyncio.to_thread(infin8, *arguments, env=environment(sandbox, **env))


@contextmanager
def started(*arguments: str, env: dict[str, str] = BASE) -> Iterator[subprocess.Popen[str]]:
    """A running process."""
    with subprocess.Popen(
        (*INFIN8, *arguments),
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def page(rows: list[dict[str, object]], *, number: int = 1, total: int | None = None) -> bytes:
    data = {"data": rows, "page": number, "per_page": 1000, "total": len(rows) if total is None else total}
    return json.dumps({"code": 1, "msg": "successful request", "data": data}).encode()
