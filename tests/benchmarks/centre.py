"""
The sandbox in a process of its own, with a year of calls: `python -m tests.benchmarks.centre CALLS DAYS LATENCY`.

It prints its address, and answers each line of its input with one line: `add` makes a call appear in the middle of its
days, `requests` says how many requests there were. It ends with its input.
"""

# ruff: noqa: T201

import asyncio
import subprocess
import sys
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from infin8_async import CdrQuery, Credentials
from infin8_async.testing import Sandbox

from .processes import ROOT, command

DAY_ONE: Final = CdrQuery("2020-06-10 00:00:00").starttime
CREDENTIALS: Final = Credentials("sandbox-app", "sandbox-key", username="sandbox")


class Centre:
    """
    The sandbox, for the time of a `with` block.

    Args:
        calls: How many it makes up.

        days: Over how many days.

        latency: Seconds before an answer.
    """

    def __init__(self, calls: int, days: int, *, latency: float) -> None:
        self._command = command("centre", calls, days, latency)
        self.query = CdrQuery(DAY_ONE, DAY_ONE + timedelta(days=days) - timedelta(seconds=1))

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True, bufsize=1, cwd=ROOT)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def ask(self, line: str) -> str:
        """What it answers to a line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        return self._process.stdout.readline().strip()

    def requests(self) -> int:
        """How many requests there were so far."""
        return int(self.ask("requests"))


async def _serve(calls: int, days: int, latency: float) -> None:
    async with Sandbox(calls, days=days, start=DAY_ONE.date(), latency=latency) as sandbox:
        print(sandbox.base_url, flush=True)
        middle = DAY_ONE + timedelta(days=days // 2, hours=12)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip() == "add":
                sandbox.add_call(starttime=f"{middle:%Y-%m-%d %H:%M:%S}")
            print(len(sandbox.requests), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
