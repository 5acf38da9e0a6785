"""`infin8 report`, as its users run it."""

import asyncio
import sys
from datetime import date

import pytest
from msgspec import json
from profiles import cases
from program import BASE, Ran, environment, infin8

from infin8_async import CdrQuery, Infin8Session
from infin8_async.store import CdrStore
from infin8_async.testing import Sandbox

WEEK = ("--start", "2020-06-15 00:00:00", "--end", "2020-06-21 23:59:59")


async def report(*arguments: str, sandbox: Sandbox | None = None) -> Ran:
    env = BASE if sandbox is None else environment(sandbox)
    return await asyncio.to_thread(infin8, "report", *arguments, env=env | {"COLUMNS": "80"})


@pytest.fixture
async def sandbox():
    async with Sandbox(2000, days=14, start=date(2020, 6, 8)) as sandbox:
        yield sandbox


async def test_it_says_what_a_window_amounts_to_and_what_the_one_before(sandbox):
    ran = await report(*WEEK, "--zone", "America/Mexico_City", sandbox=sandbox)
    assert ran.code == 0, ran.err
    first, _, window, compared, *_ = ran.out.splitlines()
    calls = len(sandbox.ids(starttime="2020-06-15 13:00:00", endtime="2020-06-22 12:59:59"))
    assert first == f"Complete: {calls:,} calls, exactly as many as the platform counts."
    assert window == "Mon 15 Jun 2020 00:00 to Sun 21 Jun 2020 23:59, America/Mexico_City"
    assert compared == "Compared with Mon 8 Jun 2020 00:00 to Sun 14 Jun 2020 23:59."


async def test_it_writes_a_page(sandbox, tmp_path):
    file = tmp_path / "report.html"
    ran = await report(*WEEK, "--lang", "zh", "-o", str(file), sandbox=sandbox)
    assert (ran.code, ran.out) == (0, ""), ran.err
    html = file.read_text("utf-8")
    assert html.startswith("<!doctype html>")
    assert "数据完整" in html
    assert "calls in" in ran.err


async def test_an_incomplete_pull_exits_1_and_the_page_says_so_first(tmp_path):
    file = tmp_path / "report.html"
    # No call, of which the platform says that there are five: of calls, pictures would be drawn.
    async with Sandbox(0) as sandbox:
        body = {"code": 1, "msg": "", "data": {"data": [], "page": 1, "per_page": 1, "total": 5}}
        sandbox.fail(None, body=json.encode(body))
        minute = ("--start", "2020-06-15 09:00:00", "--end", "2020-06-15 09:01:00")
        ran = await report(*minute, "-o", str(file), sandbox=sandbox)
    assert ran.code == 1, ran.err
    html = file.read_text("utf-8")
    assert html.index("NOT COMPLETE: only 0 calls could") < html.index("<h1>")


async def test_it_reads_a_store_without_a_network(sandbox, tmp_path):
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session, CdrStore(url) as store:
        await store.sync(session, CdrQuery("2020-06-15 00:00:00", "2020-06-21 23:59:59"))
    ran = await report(*WEEK, "--from", url)
    assert ran.code == 0, ran.err
    assert "calls from a database" in ran.out.splitlines()[0]


async def test_a_sandbox_of_its_own_has_calls_in_both_periods():
    ran = await report("--last", "2d", "--sandbox")
    assert ran.code == 0, ran.err
    assert "before: 0 " not in ran.out
    assert "before: " in ran.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--zone", "Mars/Olympus"), "--zone Mars/Olympus: there is no such zone"),
        (("-o", "report.pdf"), "--output report.pdf: a page ends in .html"),
        (("-o", "folder.html"), "--output folder.html: exists and is not a regular file"),
        (("--from", "oracle://db"), "sqlite:///"),
        (("--lang", "fr"), "fr"),
    ],
)
async def test_what_makes_no_sense_is_said_at_once(arguments, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    ran = await report(*arguments, "--sandbox")
    assert ran.code == 2
    assert complaint in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("missing", ["altair", "vl_convert", "jinja2"][: cases(3, 1)])
async def test_without_the_extra_a_page_is_refused_at_once_and_a_terminal_is_served(missing, sandbox, monkeypatch):
    for module in ("page", "_pictures"):
        monkeypatch.delitem(sys.modules, f"infin8_async.report.{module}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    ran = await report(*WEEK, "-o", "report.html", sandbox=sandbox)
    assert ran.code == 2
    assert "pip install 'infin8-async[report]'" in ran.err
    assert not sandbox.requests
    ran = await report(*WEEK, sandbox=sandbox)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("Complete: ")
