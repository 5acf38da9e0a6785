"""A real browser: Debian's Chromium, headless. Tests that ask for it are skipped where there is none."""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


_DEBIANS = "/usr/bin/chromium"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A browser for the tests of a module, which share its loop: `pytest.mark.asyncio(loop_scope="module")`."""
    chromium = shutil.which(_DEBIANS) or shutil.which("chromium")  # another one may come first in the path
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield browser
        await browser.close()


async def barriers(page: Page) -> list[str]:
    """What axe-core finds in a page that keeps people from using it."""
    results = await Axe().run(page)
    return [f"{found['id']}: {found['nodes'][0]['html']}" for found in results.response["violations"]]
