"""The wallboard of the examples, in a process of its own, watched by a real browser."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from browser import barriers, browser  # noqa: F401  # a fixture
from playwright.async_api import expect

from infin8_async import BEIJING
from infin8_async.testing import Sandbox

WALLBOARD = Path(__file__).parent.parent.parent / "examples" / "wallboard.py"
PATIENCE = 180_000  # milliseconds

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@asynccontextmanager
async def wallboard(*arguments, **env):
    process = await asyncio.create_subprocess_exec(
        sys.executable, WALLBOARD, *arguments, stdout=subprocess.PIPE, env={**os.environ, **env}
    )
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.communicate()


def environment(sandbox):
    return {
        "INFIN8_BASE_URL": sandbox.base_url,
        "INFIN8_APPID": sandbox.credentials.appid,
        "INFIN8_ACCESSKEY": str(sandbox.credentials.accesskey),
        "INFIN8_USERNAME": sandbox.credentials.username,
    }


def ring(sandbox, number, *, ago, billsec=0):
    """An incoming call, dialled some seconds ago."""
    now = datetime.now(BEIJING)
    dialled, ended = (f"{time:%Y-%m-%d %H:%M:%S}" for time in (now - timedelta(seconds=ago), now))
    sandbox.add_call(
        context="callin", disnumber=number, callnumber="0100", starttime=dialled, endtime=ended, billsec=billsec,
        answertime=dialled if billsec else "",
    )  # fmt: skip


def the(page, name):
    """What to expect of an element. Nothing is evaluated in the page while we wait: its policy forbids that."""
    return expect(page.locator(f"#{name}"))


async def shows(page, name, value):
    await the(page, name).to_have_text(value, timeout=PATIENCE)


async def test_a_call_that_ends_is_on_every_screen_and_so_it_is_again_after_a_restart(browser, port):  # noqa: F811
    async with Sandbox(0) as sandbox:
        env = environment(sandbox)
        options = "--port", str(port), "--interval", "0.1"
        pages = [await browser.new_page() for _ in range(2)]
        said = []
        async with wallboard(*options, **env) as url:
            for page in pages:
                page.on("console", lambda message: said.append(message.text))
                await page.goto(url)
                await shows(page, "calls", "0")
            ring(sandbox, "13800001234", ago=4)
            for page in pages:
                await shows(page, "calls", "1")
                await shows(page, "toReturn", "1")
                assert await page.text_content("#callbacks td") == "***1234"
            assert await barriers(pages[0]) == []
            assert not said
        for page in pages:
            await the(page, "state").to_contain_class("bad", timeout=PATIENCE)
        ring(sandbox, "13800001234", ago=1, billsec=1)
        async with wallboard(*options, **env):
            for page in pages:
                await shows(page, "calls", "2")
                await shows(page, "toReturn", "0")
                await shows(page, "missed", "1")


async def test_it_says_so_when_the_platform_refuses(browser, port):  # noqa: F811
    async with Sandbox(0, permitted=False) as sandbox:
        async with wallboard("--port", str(port), **environment(sandbox)) as url:
            page = await browser.new_page()
            await page.goto(url)
            await the(page, "state").to_contain_text("1006", timeout=PATIENCE)


async def test_with_a_sandbox_it_needs_nothing(browser, port):  # noqa: F811
    async with wallboard("--sandbox", "--port", str(port)) as url:
        page = await browser.new_page(viewport={"width": 360, "height": 800})
        await page.goto(url)
        await shows(page, "calls", re.compile("[1-9]"))
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
