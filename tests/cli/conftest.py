"""Shared by the tests of the command line."""

import pytest


@pytest.fixture(autouse=True)
def no_account(monkeypatch):
    for name in ("APPID", "ACCESSKEY", "USERNAME", "IP", "BASE_URL", "ZONE", "CONFIG"):
        monkeypatch.delenv(f"INFIN8_{name}", raising=False)
