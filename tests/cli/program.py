"""Runs the command line as users do: in a process of its own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import warm
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
    ran = warm.run(*arguments, env=env, stdin=stdin)
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


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def page(rows: list[dict[str, object]], *, number: int = 1, total: int | None = None) -> bytes:
    data = {"data": rows, "page": number, "per_page": 1000, "total": len(rows) if total is None else total}
    return json.dumps({"code": 1, "msg": "successful request", "data": data}).encode()
