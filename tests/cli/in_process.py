"""The command line in this process: half a second less than a process of its own."""

import asyncio
import json

import pytest
from attrs import frozen

from infin8_async.cli.app import run


@frozen
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def table(self) -> list[list[str]]:
        return [line.split() for line in self.out.splitlines()]


class Commands:
    """Runs commands in a thread, so that the loop of the test may serve a sandbox."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._patch = monkeypatch
        self._capture = capfd

    async def __call__(self, *arguments: str, **env: str) -> Ran:
        with self._patch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            code = await asyncio.to_thread(run, arguments)
        return Ran(code, *self._capture.readouterr())
