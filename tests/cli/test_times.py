"""Times and zones as users write them."""

import sys
import zoneinfo
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import BASE, against, infin8
from rich.console import Console

from infin8_async import BEIJING, Cdr
from infin8_async.cli.calls import Calls
from infin8_async.cli.output import Tables, call_lines
from infin8_async.cli.times import period, zone_of
from infin8_async.testing import Sandbox

MEXICO = ZoneInfo("America/Mexico_City")
NEW_YORK = ZoneInfo("America/New_York")
TODAY = date(2026, 3, 24)


def local(text: str, zone=MEXICO, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-24", "2026-11-24 00:00:00", "2026-11-24 23:59:59"),
        ("today", "2026-03-24 00:00:00", "2026-03-24 23:59:59"),
        (" Yesterday", "2026-03-23 00:00:00", "2026-03-23 23:59:59"),
        ("last  month", "2026-02-01 00:00:00", "2026-02-28 23:59:59"),
        ("2026-11-24 09:30", "2026-11-24 09:30:00", "2026-11-24 09:30:00"),
        ("2026-11-24 09:30:15", "2026-11-24 09:30:15", "2026-11-24 09:30:15"),
        ("2026-11-24T09:30:15", "2026-11-24 09:30:15", "2026-11-24 09:30:15"),
        ("2026-11-24T23:30:15+08:00", "2026-11-24 09:30:15", "2026-11-24 09:30:15"),
        ("2026-11-24 15:30:15Z", "2026-11-24 09:30:15", "2026-11-24 09:30:15"),
        ("2026-11-24t09:30 -0600", "2026-11-24 09:30:00", "2026-11-24 09:30:00"),
    ],
)
def test_a_text_names_a_time_a_day_or_a_month_of_the_zone(text, first, last):
    assert period(text, MEXICO, TODAY) == (local(first), local(last))


@pytest.mark.parametrize("month", range(1, 13))
def test_last_month_is_the_whole_month_before(month):
    first, last = period("last month", BEIJING, date(2024, month, 29))
    assert (first.day, first.time().isoformat(), last.time().isoformat()) == (1, "00:00:00", "23:59:59")
    assert last + timedelta(seconds=1) == datetime(2024, month, 1, tzinfo=BEIJING)
    assert first.month == (month - 2) % 12 + 1


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "24.11.2026", "2026-11-31", "2026-11-24 25:00", "2026-11-24 9:30", "2026-11-24 09:30+99:00",
     "20261124", "2026-W48-2", "٢٠٢٦-11-24", "last", "month"],
)  # fmt: skip
def test_what_names_nothing_is_refused(text):
    with pytest.raises(ValueError):
        period(text, MEXICO, TODAY)


def test_a_time_that_clocks_show_twice_begins_with_the_first_and_ends_with_the_second():
    first, last = period("2026-11-01 01:30", NEW_YORK, TODAY)
    assert last.astimezone(BEIJING) - first.astimezone(BEIJING) == timedelta(hours=1)
    with pytest.raises(ValueError, match="there was no such time"):
        period("2026-03-08 02:30", NEW_YORK, TODAY)


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)))
def test_what_the_program_writes_can_be_given_back(time):
    time = time.replace(microsecond=0).astimezone(BEIJING)
    assert period(time.isoformat(), MEXICO, TODAY) == (time, time)
    assert period(time.isoformat(" "), MEXICO, TODAY) == (time, time)


# Zones


@pytest.mark.parametrize("name", ["Mars/Olympus", "America", "../UTC", "", "/etc/passwd", "UTC\0"])
def test_a_name_of_no_zone_is_refused(name):
    with pytest.raises(ValueError, match="no such zone; names are such as"):
        zone_of(name)


def test_a_machine_without_a_time_zone_database_is_told_what_to_install(monkeypatch):
    for name in ["tzdata", *(name for name in sys.modules if name.startswith("tzdata."))]:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    try:
        with pytest.raises(ValueError, match="no time zone database: pip install tzdata"):
            zone_of("America/Mexico_City")
    finally:
        zoneinfo.reset_tzpath()


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (("--zone", "Mars"), {}, "infin8: --zone Mars: there is no such zone"),
        (("--day", "2026-03-08 02:30"), {}, "--day 2026-03-08 02:30: give a day such as 2020-06-10, today"),
        ((), {"INFIN8_ZONE": "Mars"}, "infin8: INFIN8_ZONE Mars: there is no such zone"),
        (("--start", "2026-03-08 02:30", "--zone", "America/New_York"), {}, "--start 2026-03-08 02:30: there was no"),
    ],
)
def test_wrong_use(arguments, env, said):
    ran = infin8("count", "--sandbox", *arguments, env=BASE | env)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.parametrize(
    ("options", "window"),
    [
        ({"day": "2026-03-08"}, ("2026-03-08 13:00:00", "2026-03-09 11:59:59")),
        ({"start": "2026-03-08", "end": "2026-03-09"}, ("2026-03-08 13:00:00", "2026-03-10 11:59:59")),
        ({"start": "2026-03-08T09:30", "end": "2026-03-09 09:30:15"}, ("2026-03-08 21:30:00", "2026-03-09 21:30:15")),
        ({"start": "2026-03-08T09:30:00+08:00", "end": "2026-03-08T09:30:00Z"},
         ("2026-03-08 09:30:00", "2026-03-08 17:30:00")),
    ],
)  # fmt: skip
def test_windows_are_given_in_the_zone(options, window):
    calls = Calls(**options)
    expected = tuple(datetime.fromisoformat(time).replace(tzinfo=BEIJING) for time in window)
    assert calls.query(NEW_YORK).ends == calls.following(timedelta(), NEW_YORK).ends == expected


async def test_the_zone_is_that_of_the_option_or_of_the_environment():
    async with Sandbox(0) as sandbox:
        for options, around in ((("--zone", "America/New_York"), "Asia/Tokyo"), ((), "America/New_York")):
            ran = await against(sandbox, "count", "--day", "2026-03-08", *options, INFIN8_ZONE=around)
            assert (ran.code, ran.err) == (0, "")
        windows = [(request.form["starttime"], request.form["endtime"]) for request in sandbox.requests]
    assert windows == [("2026-03-08 13:00:00", "2026-03-09 11:59:59")] * 2


def test_times_are_shown_in_the_zone_under_its_name():
    call = Cdr(id=7, starttime=datetime(2026, 11, 24, 12, tzinfo=BEIJING), context="callin", billsec=9)
    zone, heading, row = Tables(Console(width=100), zone=MEXICO).lines([call]).decode().splitlines()
    assert zone.split() == ["America/Mexico_City"]
    assert heading.split()[:3] == ["id", "starttime", "context"]
    assert "2026-11-23 22:00:00" in row
    assert Tables(Console(width=100)).lines([call]).decode().splitlines()[0].split() == ["Beijing"]
    assert call_lines([call], zone=MEXICO).startswith(b"2026-11-23 22:00:00  7  in ")
