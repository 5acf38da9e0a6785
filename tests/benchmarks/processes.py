"""Modules of this package in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

_PACKAGE: Final = __name__.rpartition(".")[0]
ROOT: Final = Path(__file__).parents[_PACKAGE.count(".") + 1]
"""The folder that they are to be run from."""


def command(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of this package."""
    return [sys.executable, "-m", f"{_PACKAGE}.{module}", *map(str, arguments)]


def printed(module: str, *arguments: object) -> str:
    """What a module of this package prints."""
    return _run(command(module, *arguments))


def printed_by(source: str, compiled: str) -> str:
    """What a piece of Python prints; what it imports is compiled once, into the folder *compiled*."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return _run([sys.executable, "-c", source], environment)


def _run(arguments: list[str], environment: dict[str, str] | None = None) -> str:
    pipe = subprocess.PIPE
    return subprocess.run(arguments, check=True, stdout=pipe, text=True, cwd=ROOT, env=environment).stdout
