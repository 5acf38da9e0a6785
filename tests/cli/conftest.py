"""Shared by the tests of the command line."""

import os

import pytest
from in_process import Commands


@pytest.fixture
def infin8(monkeypatch, capfd, tmp_path) -> Commands:
    """Runs a command in this process, without anything that this machine's environment says."""
    for name in os.environ:
        if name.startswith("INFIN8_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "100")
    return Commands(monkeypatch, capfd)
