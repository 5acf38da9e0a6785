"""The README and the examples are run, so that they stay true."""

import asyncio
import os
import re
import runpy
import shlex
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from msgspec import json

from infin8_async import BEIJING, Infin8Session
from infin8_async.testing import Sandbox

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]


@pytest.fixture
async def environment(monkeypatch):
    """A sandbox that the INFIN8_* variables point to, with calls from yesterday until now."""
    today = datetime.now(BEIJING).date()
    async with Sandbox(400, days=2, start=today - timedelta(days=1), order="newest") as sandbox:
        credentials = sandbox.credentials
        monkeypatch.setenv("INFIN8_APPID", credentials.appid)
        monkeypatch.setenv("INFIN8_ACCESSKEY", credentials.accesskey)
        monkeypatch.setenv("INFIN8_USERNAME", credentials.username or "")
        monkeypatch.setenv("INFIN8_BASE_URL", sandbox.base_url)
        yield sandbox


def test_the_readme_has_its_blocks_and_both_commands_are_one_line_each():
    assert len(PYTHON) >= 4
    commands = re.findall(r"<!-- (\w+) command -->\n```sh\n(.*)\n```", README)
    assert [name for name, _ in commands] == ["main", "test"]
    assert all(shlex.split(command) for _, command in commands)


@pytest.mark.parametrize("code", PYTHON, ids=[f"block {number}" for number in range(1, len(PYTHON) + 1)])
async def test_each_python_block_of_the_readme_runs(environment, code, tmp_path):
    file = tmp_path / "test_block.py"
    file.write_text(code, encoding="utf-8")
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path] if "def test_" in code else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert output


def anchors(document: Path) -> set[str]:
    """The headings of a document, as links name them."""
    headings = re.findall(r"(?m)^#+ (.*)$", document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_contents_and_all_other_links_of_the_documents_lead_somewhere():
    if not (ROOT / "infin8_async").is_dir():
        pytest.skip("some links lead into the package's source, which is in a checkout")
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md"):
        for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
            if target.startswith("https://"):
                continue
            path, _, anchor = target.partition("#")
            file = document.parent / path if path else document
            assert file.exists()
            assert not anchor or anchor in anchors(file), target


def test_the_page_of_the_examples_names_each_of_them():
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(re.findall(r"\((\w+\.py)\)", text))


async def test_the_quickstart_prints_calls_and_a_sum(capsys):
    await runpy.run_path(str(ROOT / "examples" / "quickstart.py"))["main_in_sandbox"]()
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) > 20
    assert re.fullmatch(rf"{len(lines)} calls, .* talked, complete: True", last)


async def test_the_quickstart_gives_no_sum_of_half_the_calls(environment, capsys):
    module = runpy.run_path(str(ROOT / "examples" / "quickstart.py"))
    session = Infin8Session(environment.credentials, base_url=environment.base_url, per_page=20)
    environment.fail(None, page=2, code=1006)
    with pytest.raises(SystemExit, match=r"no sum, as calls are missing: .*1006"):
        await module["main"](session)
    assert capsys.readouterr().out.count("\n") == 20


async def test_the_tracing_example_shows_each_request(capsys):
    await runpy.run_path(str(ROOT / "examples" / "tracing.py"))["main_in_sandbox"]()
    assert re.fullmatch(r"POST /api/cdrs 200 after \d+ ms\n200 calls\n", capsys.readouterr().out)


WINDOW = {"start": "2020-06-10 00:00:00", "end": "2020-06-10 23:59:59"}


class TestService:
    @pytest.fixture
    async def service(self, infin8_sandbox):
        module = runpy.run_path(str(ROOT / "examples" / "service.py"))
        session = Infin8Session(
            infin8_sandbox.credentials, base_url=infin8_sandbox.base_url, per_page=50, concurrency=2
        )
        runner = web.AppRunner(module["make_app"](session), handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        yield f"http://{host}:{port}/calls"
        await runner.cleanup()

    async def test_it_streams_a_window_as_json_lines(self, infin8_sandbox, service):
        async with aiohttp.ClientSession() as http, http.get(service, params=WINDOW) as response:
            lines = (await response.read()).splitlines()
        assert [json.decode(line)["id"] for line in lines] == infin8_sandbox.ids()

    async def test_it_stops_pulling_when_its_client_goes_away(self, infin8_sandbox, service):
        infin8_sandbox.fail(None, page=3, hang=True)
        async with aiohttp.ClientSession() as http, http.get(service, params=WINDOW) as response:
            await response.content.readline()
            await infin8_sandbox.wait_for_requests(4)
        async with asyncio.timeout(5):
            while infin8_sandbox.in_flight:
                await asyncio.sleep(0)
        assert len(infin8_sandbox.requests) == 4

    async def test_it_says_what_is_wrong_with_a_window(self, service):
        async with aiohttp.ClientSession() as http, http.get(service, params={"start": "today"}) as response:
            assert response.status == 400
            assert "Beijing" in await response.text()

    async def test_a_refusal_of_the_platform_is_a_bad_gateway(self, infin8_sandbox, service):
        infin8_sandbox.fail(code=1006)
        async with aiohttp.ClientSession() as http, http.get(service, params=WINDOW) as response:
            assert response.status == 502
            assert "1006" in await response.text()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_the_database_example_fills_the_database_and_follows_until_it_is_stopped(environment, tmp_path, kind):
    postgres = os.environ.get("INFIN8_TEST_POSTGRES")
    if kind == "postgresql" and postgres is None:
        pytest.skip("no PostgreSQL: INFIN8_TEST_POSTGRES is not set")
    url = f"sqlite:///{tmp_path / 'calls.db'}" if kind == "sqlite" else postgres
    variables = {**os.environ, "DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}
    ended = f"{datetime.now(BEIJING) - timedelta(minutes=1):%Y-%m-%d %H:%M:%S}"
    environment.add_call(starttime=ended, endtime=ended)
    process = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "examples" / "to_postgres.py", env=variables, stdout=subprocess.PIPE
    )
    assert re.match(rb"\d+ new calls in \d+ days, \d+ of them were up to date", await process.stdout.readline())
    assert re.fullmatch(rb"\d+ landed\n", await process.stdout.readline())
    process.terminate()
    await process.communicate()
    assert process.returncode == 0
