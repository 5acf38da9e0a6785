"""The page, in a real browser."""

import re
from datetime import timedelta
from functools import cache
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from attrs import evolve
from browser import barriers, browser  # noqa: F401  # a fixture
from profiles import THOROUGH, cases

from infin8_async import BEIJING, CdrQuery, Infin8Session
from infin8_async.figures import Tally, figures
from infin8_async.report import Words, gather
from infin8_async.report.page import page
from infin8_async.testing import Sandbox

WEEK = CdrQuery("2020-06-15 00:00:00", "2020-06-21 23:59:59", callnumber=None)
LOOKS = [*product(("en", "zh"), (360, 1280), ("light", "dark"))] if THOROUGH else [("en", 360, "dark")]
FILTER = "13800138000"
HOSTILE = "<script>alert(1)</script>"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox():
    async with Sandbox(3000, days=14, start=WEEK.starttime.date() - timedelta(days=7)) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def report(sandbox):
    async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session:
        made = await gather(WEEK, session.cdrs, zone=ZoneInfo("America/Mexico_City"))
        yield evolve(made, query=evolve(WEEK, callnumber=FILTER))


# To draw a page takes most of a second.


@pytest.fixture(scope="module")
def drawn(report):
    """The page in a language."""
    return cache(lambda language: page(report, Words(language)))


@pytest.fixture(scope="module")
def english(drawn):
    return drawn("en")


@pytest.fixture(scope="module")
def hostile(report):
    """A page with numbers, and with names that are no names."""
    return page(evolve(report, extensions={HOSTILE: Tally(1)}, sides={HOSTILE: 1}), Words("en", numbers=True))


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_it_opens_without_a_request_or_a_complaint_and_axe_finds_nothing(
    browser,  # noqa: F811
    drawn,
    tmp_path,
    look,
):
    language, width, scheme = look
    file = tmp_path / "report.html"
    file.write_text(drawn(language), encoding="utf-8")
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, reduced_motion="reduce"
    )
    opened = await context.new_page()
    said, asked = [], []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("request", lambda request: asked.append(request.url))
    await opened.goto(file.as_uri())
    assert await opened.evaluate("document.documentElement.scrollWidth") <= width
    background = await opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(14, 20, 27)"), "the style applies"
    bars = await opened.evaluate("getComputedStyle(document.querySelector('.mark-rect path')).fill")
    assert bars == ("rgb(31, 111, 235)" if scheme == "light" else "rgb(88, 166, 255)"), "pictures follow the page"
    assert await barriers(opened) == []
    assert not said
    assert asked == [file.as_uri()]
    await context.close()


async def test_on_paper_each_picture_has_its_table_and_nothing_is_cut(browser, english, tmp_path):  # noqa: F811
    file = tmp_path / "report.html"
    file.write_text(english, encoding="utf-8")
    opened = await browser.new_page(viewport={"width": 690, "height": 1000}, color_scheme="dark")  # A4 in its margins
    await opened.emulate_media(media="print")
    await opened.goto(file.as_uri())
    assert await opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert await opened.evaluate("document.querySelectorAll('figure svg').length") == 6
    seen = "[...document.querySelectorAll('figure + details table')].map(table => table.getBoundingClientRect())"
    tables = await opened.evaluate(f"{seen}.map(box => [box.width, box.height, box.right])")
    assert len(tables) == 6
    for width, height, right in tables:
        assert width > 50
        assert height > 30
        assert right <= 690
    assert (await opened.pdf(prefer_css_page_size=True)).startswith(b"%PDF")


async def test_there_is_no_script_and_only_its_own_style_may_apply(english):
    assert "<script" not in english
    assert not re.search(r"\son\w+=|\sstyle=|url\(|https?://(?!www\.w3\.org/)", english)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', english)
    assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'", policy)


async def test_phone_numbers_are_masked_unless_they_are_asked_for(report, sandbox, english, hostile):
    numbers = {str(row[name]) for row in sandbox.rows() for name in ("disnumber", "callnumber", "anumber")} - {""}
    assert not [number for number in (*numbers, FILTER) if number in english]
    assert "callnumber ***00" in english
    assert f"callnumber {FILTER}" in hostile
    assert report.figures.callbacks()[0].number in hostile


@pytest.mark.parametrize(
    ("complete", "certified", "first"),
    [
        (False, False, "NOT COMPLETE: only"),
        (True, False, "all that the platform holds"),
        (True, True, "exactly as many as the platform counts"),
        (None, None, "from a database"),
    ],
)
async def test_the_first_line_says_whether_all_calls_are_there(report, complete, certified, first):
    none = await figures([], zone=report.zone)  # so that no pictures are drawn
    shown = evolve(report, figures=evolve(none, complete=complete), certified=certified)
    html = page(shown, Words("en"))
    assert first in re.search("<main>.*?<p[^>]*>(.*?)</p>", html, re.DOTALL)[1]


async def test_what_comes_from_the_platform_is_text(hostile):
    assert "<script" not in hostile
    assert hostile.count("&lt;script&gt;") >= 4


async def test_a_window_without_calls_is_a_page_without_pictures(report):
    empty = evolve(report, figures=evolve(await figures([], zone=report.zone), complete=True))
    html = page(empty, Words("en"))
    assert "No calls in this time." in html
    assert "<svg" not in html


async def test_years_of_calls_are_a_page_of_less_than_500_kb(sandbox):
    long = CdrQuery("2020-06-08 00:00:00", "2020-06-21 23:59:59")
    async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session:
        calls = (await session.cdrs(long).collect())[:: cases(20, 100)]

    async def years(query):
        for number in range(0, 5 * 365, 14):
            if query.starttime.year < 2021:
                return
            for cdr in calls:
                yield evolve(
                    cdr,
                    extnumber=f"{(cdr.id + number) % 5000:04}",
                    hangupdirection=str(10_000 + (cdr.id + number) % 50),
                    **{
                        name: time and time + timedelta(days=number)
                        for name in ("starttime", "answertime", "endtime")
                        for time in (getattr(cdr, name),)
                    },
                )

    made = await gather(CdrQuery("2021-06-08 00:00:00", "2026-06-08 00:00:00"), years, zone=BEIJING)
    assert len(made.figures.by_day) > 1800
    assert len(page(made, Words("en")).encode()) < 500_000


async def test_the_files_of_the_page_are_found_next_to_the_module():
    import infin8_async.report as room  # noqa: PLC0415

    assert {"page.html", "page.css"} <= {file.name for file in Path(room.__file__).parent.iterdir()}
