"""`infin8 probe`, in this process: the sandbox that it asks runs in its own loop."""

import json
import logging

import pytest
from cyclopts import CycloptsError

from infin8_async.cli import DONE
from infin8_async.cli.app import app
from infin8_async.cli.options import UsageError
from infin8_async.probe import NOT_FOUND_OUT, ProbeReport
from infin8_async.probe._probe import FINDINGS


@pytest.fixture(autouse=True)
def loggers_as_they_were(monkeypatch):
    """A command sets up logging for its process, which is that of the other tests here."""
    for name in ("infin8_async", "stamina"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])


def probe(*arguments: str) -> int:
    code: int = app(["probe", "--sandbox", *arguments])
    return code


def test_it_prints_a_table_and_writes_a_file_for_a_bug_report(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    file = tmp_path / "probe.json"
    assert probe("--rate", "100000", "--json", str(file)) == DONE
    shown = capfd.readouterr().out
    report = json.loads(file.read_bytes())
    assert report.keys() == {"findings", "advice"}
    assert list(report["findings"]) == list(FINDINGS)
    assert report["findings"]["order"]["value"] == "newest"
    assert all(it.keys() == {"value", "evidence"} for it in report["findings"].values())
    assert ProbeReport.from_dict(report).to_dict() == report
    for name, it in report["findings"].items():
        line = next(line for line in shown.splitlines() if line.startswith(f"{name} "))
        assert it["value"] in line


def test_a_limit_on_requests_is_kept_and_what_is_missing_says_so(tmp_path, capfd):
    file = tmp_path / "probe.json"
    assert probe("--rate", "100000", "--most-requests", "1", "--json", str(file)) == DONE
    findings = json.loads(file.read_bytes())["findings"]
    assert findings["order"]["value"] == NOT_FOUND_OUT
    assert "stopped after 1 requests" in findings["order"]["evidence"]


def test_the_rate_test_and_the_watch_are_asked_for_and_keep_the_limit(tmp_path, capfd):
    file = tmp_path / "probe.json"
    assert probe("--rate", "--most-requests", "1", "--watch", "1s", "--json", str(file)) == DONE
    findings = json.loads(file.read_bytes())["findings"]
    assert "too few requests are left" in findings["rate_limit"]["evidence"]
    assert "stopped after 1 requests" in findings["lateness"]["evidence"]
    assert "pressing" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--rate", "0"), "--rate"),
        (("--rate", "1", "2"), "--rate"),
        (("--most-requests", "0"), "--most-requests"),
        (("--watch", "0s"), "--watch"),
        (("--json", "/"), "--json"),
        (("--json", "no/such/folder/probe.json"), "--json"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_asked(arguments, named):
    with pytest.raises((UsageError, CycloptsError), match=named):
        probe(*arguments)
