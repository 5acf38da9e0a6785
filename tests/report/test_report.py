"""What a report reads, and how it speaks."""

import io
import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from attrs import evolve
from rich.console import Console

import infin8_async.report as room
from infin8_async import BEIJING, Cdr, CdrQuery, IncompleteResultError, Infin8Session, TransportError
from infin8_async.figures import Tally, figures
from infin8_async.report import Words, before, gather
from infin8_async.report.terminal import printed
from infin8_async.testing import Sandbox

WEEK = CdrQuery("2020-06-15 00:00:00", "2020-06-21 23:59:59")
LANGUAGES = {
    file.stem: tomllib.loads(file.read_text("utf-8")) for file in (Path(room.__file__).parent / "words").iterdir()
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def report():
    async with (
        Sandbox(3000, days=14, start=date(2020, 6, 8)) as sandbox,
        Infin8Session(sandbox.credentials, base_url=sandbox.base_url) as session,
    ):
        return await gather(WEEK, session.cdrs, zone=BEIJING)


class TestBefore:
    @pytest.mark.parametrize(
        ("start", "end", "earlier"),
        [
            ("2020-06-10 00:00:00", "2020-06-10 23:59:59", "2020-06-09 00:00:00"),
            ("2020-06-15 00:00:00", "2020-06-21 23:59:59", "2020-06-08 00:00:00"),
            ("2020-06-10 09:00:00", "2020-06-10 11:00:00", "2020-06-09 09:00:00"),
            ("2020-06-10 09:00:00", "2020-06-11 09:00:00", "2020-06-08 09:00:00"),
        ],
    )
    def test_it_is_the_same_time_of_day_over_when_the_window_begins(self, start, end, earlier):
        query = CdrQuery(start, end, context="callin")
        assert before(query, BEIJING) == evolve(
            query,
            starttime=earlier,
            endtime=query.endtime - (query.starttime - CdrQuery(earlier).starttime),
        )

    def test_it_goes_by_the_clocks_of_the_zone(self):
        berlin = ZoneInfo("Europe/Berlin")
        monday = datetime(2020, 3, 30, tzinfo=berlin)  # the day after clocks were changed
        earlier = before(CdrQuery(monday, monday + timedelta(hours=23, minutes=59, seconds=59)), berlin)
        assert earlier.starttime == datetime(2020, 3, 28, 23, tzinfo=UTC)
        assert earlier.endtime == datetime(2020, 3, 29, 21, 59, 59, tzinfo=UTC)


class TestGather:
    async def test_it_reads_the_window_and_the_period_before(self, report):
        assert report.figures.complete is True
        assert report.certified is True
        assert report.figures.calls + report.figures_before.calls == 3000
        assert sum(tally.calls for tally in report.extensions.values()) == report.figures.calls
        assert sum(tally.answered for tally in report.extensions.values()) == report.figures.answered.part
        talked = sum((tally.talk_time for tally in report.extensions.values()), timedelta())
        assert talked == report.figures.talk_time
        assert sum(report.sides.values()) == report.figures.calls

    async def test_a_window_that_is_not_over_ends_now(self):
        asked = []

        async def cdrs(query):
            asked.append(query)
            return
            yield

        start = datetime.now(BEIJING) - timedelta(hours=2)
        made = await gather(CdrQuery(start, start + timedelta(days=1)), cdrs, zone=BEIJING)
        assert made.query.endtime <= datetime.now(BEIJING)
        now, earlier = asked
        assert now.starttime - earlier.starttime == timedelta(days=1)
        assert now.endtime - earlier.endtime == timedelta(days=1)

    async def test_what_could_not_be_read_whole_is_a_report_of_a_part_and_nothing_to_compare_with(self):
        async def cdrs(query):
            yield Cdr(id=1, starttime=query.starttime)
            raise IncompleteResultError(expected=2, received=1)

        made = await gather(WEEK, cdrs, zone=BEIJING)
        assert (made.figures.calls, made.figures.complete) == (1, False)
        assert made.figures_before is None
        assert "NOT COMPLETE" in text(made)

    async def test_other_failures_come_through(self):
        async def cdrs(query):
            yield Cdr(id=1, starttime=query.starttime)
            raise TransportError("gone")

        with pytest.raises(TransportError):
            await gather(WEEK, cdrs, zone=BEIJING)


def text(report, language="en", width=80, *, numbers=False):
    out = io.StringIO()
    printed(report, Words(language, numbers=numbers), Console(file=out, width=width, force_terminal=False))
    return out.getvalue()


class TestTerminal:
    @pytest.mark.parametrize("language", ["en", "zh"])
    @pytest.mark.parametrize("width", [80, 60, 40])
    async def test_no_line_is_wider_than_the_terminal(self, report, language, width):
        from rich.cells import cell_len  # noqa: PLC0415

        lines = text(report, language, width).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert len(lines) > 60
        assert "…" not in "".join(lines)

    async def test_it_says_the_same_without_colour(self, report):
        plain = text(report)
        assert plain.startswith("Complete: ")
        assert f"{report.figures.calls:,}" in plain
        assert "\N{FULL BLOCK}" in plain
        assert "\x1b" not in plain

    async def test_numbers_are_masked_unless_they_are_asked_for(self, report):
        number = report.figures.callbacks()[0].number
        assert number not in text(report)
        assert f"***{number[-2:]}" in text(report)
        assert number in text(report, numbers=True)

    async def test_nothing_that_the_platform_sends_steers_the_terminal(self, report):
        hostile = "\x1b]0;\n\x9b1"
        sent = evolve(report, extensions={hostile: Tally(1)}, sides={hostile: 1})
        for numbers in (False, True):
            assert not {"\x1b", "\x9b"} & set(text(sent, numbers=numbers))

    async def test_a_window_without_calls_is_said_to_be_one(self, report):
        assert text(evolve(report, figures=await figures([]))).endswith("No calls in this time.\n")

    async def test_a_date_that_no_call_centre_knows_is_no_reason_to_show_all_months_since(self, report):
        times = [datetime(year, 6, day, 9, tzinfo=BEIJING) for year, day in ((1, 1), (2020, 10), (2020, 11))]
        made = await figures([Cdr(id=1, starttime=time) for time in times])
        assert len(text(evolve(report, figures=made)).splitlines()) < 150

    async def test_a_quarter_is_shown_by_day_and_a_year_by_month(self, report):
        async def days(number):
            for day in range(number):
                start = datetime(2020, 1, 1, 9, tzinfo=BEIJING) + timedelta(days=day)
                yield Cdr(id=day, starttime=start, answertime=start, endtime=start + timedelta(hours=1), billsec=3600)

        for number, shown, rows in ((2, "Hour", 24), (92, "Day", 92), (366, "Month", 12)):
            said = text(evolve(report, figures=await figures(days(number)), figures_before=None))
            (table,) = re.findall(rf"Answer rate and average talk\n({shown} .*?)\n\n", said, re.DOTALL)
            assert table.count("\n") == rows


class TestWords:
    def test_every_language_has_the_same_words_with_the_same_places(self):
        assert set(LANGUAGES) == {"en", "zh"}
        english, chinese = LANGUAGES["en"], LANGUAGES["zh"]
        assert english.keys() == chinese.keys()
        for name, words in english.items():
            places = re.compile(r"\{\w+\}")
            assert set(places.findall(str(words))) == set(places.findall(str(chinese[name]))), name

    @pytest.mark.parametrize(
        ("seconds", "english", "chinese"),
        [
            (0, "0 s", "0秒"),
            (59.6, "1 min", "1分"),
            (150, "2 min 30 s", "2分30秒"),
            (3600, "1 h 0 min", "1小时0分"),
            (359_999, "99 h 59 min", "99小时59分"),
            (360_000, "100 h", "100小时"),
            (36_000_000, "10,000 h", "10,000小时"),
        ],
    )
    def test_lengths_of_time_have_two_units_at_most(self, seconds, english, chinese):
        assert Words("en").span(timedelta(seconds=seconds)) == english
        assert Words("zh").span(seconds) == chinese

    def test_a_phone_number_in_the_place_of_an_extension_is_masked(self):
        assert Words("en").extension("8001") == "8001"
        assert Words("en").extension("13800000001") == "***01"
        assert Words("en", numbers=True).extension("13800000001") == "13800000001"

    def test_who_hung_up_is_named_if_it_is_known(self):
        assert [Words("zh").side(side) for side in ("caller", "callee", "", "10040")] == [
            "主叫",
            "被叫",
            "未注明",
            "10040",
        ]
