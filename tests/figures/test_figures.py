"""Every figure, computed by hand."""

import asyncio
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from calls import DAY, at, call, out
from profiles import some

from infin8_async import BEIJING, CallMethod, CdrQuery, Infin8Session
from infin8_async.figures import Peak, Share, Tally, Waiting, figures

S = timedelta(seconds=1)
A, B = "13800000001", "13800000002"

# What is looked at, of which calls, and what comes out.
CASES = {
    "nothing has no figures": (
        [],
        {
            "calls": 0,
            "answered": Share(0, 0),
            "talk_time": 0 * S,
            "acd": None,
            "billed": 0 * S,
            "short_calls": Share(0, 0),
            "time_to_answer": Waiting(),
            "missed": Share(0, 0),
            "unreturned": Share(0, 0),
            "within": Share(0, 0),
            "most_at_once": Peak(0, None),
            "erlangs": {},
            "busy_hour": None,
            "double": {"a": Share(0, 0), "b": Share(0, 0)},
            "by_hour": {},
            "by_weekday_hour": {},
            "by_day": {},
            "groups": {},
            "oddities": {},
            "complete": None,
        },
    ),
    "answered is what has an answer time, or talk": (
        [call("9:00:00", 5, 10), call("9:01:00", 5, 0), call("9:02:00"), out("9:03:00"), out("9:04:00", 9, 1)],
        {"calls": 5, "answered": Share(3, 5)},
    ),
    "talk time is the sum of billsec, without the ringing": (
        [call("9:00:00", 30, 100, duration=130), out("9:01:00", 10, 21, duration=31), call("9:02:00", duration=45)],
        {"talk_time": 121 * S, "acd": 60.5 * S},
    ),
    "each call is rounded up to a minute by itself": (
        [call("9:00:00", 1, 1), call("9:00:00", 1, 60), call("9:00:00", 1, 61), call("9:00:00", 1, 0), call("9:00:00")],
        {"billed": (60 + 60 + 120) * S},
    ),
    "a short call talked for less than 6 seconds": (
        [call("9:00:00", 1, 5), call("9:00:00", 1, 6), call("9:00:00", 1, 0), call("9:00:00")],
        {"short_calls": Share(2, 3)},
    ),
    "percentiles of the time to answer are times that occurred": (
        [call("9:00:00", wait, 60) for wait in (1, 2, 3, 4, 5, 6, 7, 8, 9, 100)],
        {"time_to_answer": Waiting(calls=10, p50=5, p90=9, mean=14.5)},
    ),
    "the time to answer is that of calls in both directions, and not of those that nobody answered": (
        [call("9:00:00", 4, 60), out("9:00:00", 8, 60), call("9:00:00", endtime=at("9:10:00")), out("9:00:00")],
        {"time_to_answer": Waiting(calls=2, p50=4, p90=8, mean=6)},
    ),
    "missed is for incoming calls only": (
        [call("9:00:00"), call("9:01:00", 5, 9), call("9:02:00", number=B), call("9:03:00", context="")],
        {"missed": Share(2, 3)},
    ),
    "within is of all incoming calls, those that hung up included": (
        [call("9:00:00", 20, 9), call("9:00:00", 21, 9), call("9:00:00"), call("9:00:00", 0, 9), out("9:00:00", 1, 9)],
        {"within": Share(2, 4)},
    ),
    "a missed call is returned by a later answered call out": (
        [call("9:00:00"), out("9:30:00", 5, 60)],
        {"missed": Share(1, 1), "unreturned": Share(0, 1)},
    ),
    "a missed call is returned when the caller gets through": (
        [call("9:00:00"), call("9:01:00"), call("9:02:00", 5, 60)],
        {"unreturned": Share(0, 2)},
    ),
    "an earlier contact returns nothing, nor does one that nobody answered, nor one of the same second": (
        [out("8:59:59", 5, 9), call("9:00:00"), out("9:00:00", 5, 9), out("9:30:00"), out("9:40:00", 5, 9, number=B)],
        {"unreturned": Share(1, 1)},
    ),
    "numbers are compared by their last ten digits": (
        [
            call("9:00:00", number="+86 138-0000-0001"),
            out("9:30:00", 5, 60, number="3800000001"),
            call("9:00:00", number="23800000002"),
            out("9:30:00", 5, 60, number="13800000012"),
        ],
        {"unreturned": Share(1, 2)},
    ),
    "a number of fewer digits is another one, zeros included": (
        [call("9:00:00", number="8001"), out("9:30:00", 5, 60, number="08001")],
        {"unreturned": Share(1, 1)},
    ),
    "a caller without a number can't be returned": (
        [call("9:00:00", number="anonymous"), call("9:30:00", 5, 60, number="anonymous"), call("9:31:00", number="")],
        {"unreturned": Share(2, 2)},
    ),
    "the most at once is reached when the third begins to talk": (
        [call("9:00:00", 10, 100), call("9:00:20", 10, 100), call("9:00:30", 10, 10), call("9:01:00")],
        {"most_at_once": Peak(3, at("9:00:40"))},
    ),
    "a call that ends when another begins leaves its place to it": (
        [call("9:00:00", 10, 50), call("9:00:30", 30, 60)],
        {"most_at_once": Peak(1, at("9:00:10"))},
    ),
    "nobody talks while it rings, nor in a call of no length": (
        [call("9:00:00", 30, 0), call("9:00:00", 40, 0), call("9:00:00")],
        {"most_at_once": Peak(0, None), "erlangs": {}},
    ),
    "an hour's traffic is what was talked within it": (
        [call("8:59:00", 30, 3600), call("9:30:00", 0, 1800)],
        {
            "erlangs": {at("8:00:00"): 30 / 3600, at("9:00:00"): (3570 + 1800) / 3600},
            "at_once": {at("8:00:00"): 1, at("9:00:00"): 2},
            "busy_hour": 9,
        },
    ),
    "a call of three hours is in three": (
        [call("22:30:00", 0, 3 * 3600)],
        {
            "erlangs": {
                at("22:00:00"): 0.5,
                at("23:00:00"): 1.0,
                at("0:00:00", DAY + timedelta(days=1)): 1.0,
                at("1:00:00", DAY + timedelta(days=1)): 0.5,
            },
            "busy_hour": 0,
        },
    ),
    "both sides of a double call are shares of all double calls, and it is one call": (
        [
            out("9:00:00", 5, 9, callmethod=CallMethod.DOUBLE, aanswertime=at("8:59:55"), abillsec=20),
            out("9:00:00", callmethod=CallMethod.DOUBLE, abillsec=7),
            out("9:00:00", callmethod=CallMethod.DOUBLE),
            out("9:00:00", 5, 9, abillsec=9),
        ],
        {"calls": 4, "double": {"a": Share(2, 3), "b": Share(1, 3)}},
    ),
    "a call belongs to the hour in which it was dialled": (
        [call("8:59:59", 5, 60), call("9:00:00"), call("23:59:59", 1, 1)],
        {
            "by_hour": {8: Tally(1, 1, 60 * S), 9: Tally(1, 0, 0 * S), 23: Tally(1, 1, 1 * S)},
            "by_weekday_hour": {
                (2, 8): Tally(1, 1, 60 * S),
                (2, 9): Tally(1, 0, 0 * S),
                (2, 23): Tally(1, 1, 1 * S),
            },
            "by_day": {DAY: Tally(3, 2, 61 * S)},
        },
    ),
    "an answer before the start is no time to answer": (
        [call("9:00:00", -1, 60), call("9:00:00", 7, 60)],
        {
            "oddities": {"answer before start": 1},
            "time_to_answer": Waiting(calls=1, p50=7, p90=7, mean=7),
            "within": Share(1, 2),
            "talk_time": 120 * S,
        },
    ),
    "an end before the answer is said": (
        [call("9:00:00", 9, 60, endtime=at("9:00:08"))],
        {"oddities": {"end before answer": 1}, "erlangs": {at("9:00:00"): 60 / 3600}},
    ),
    "talk without an answer time ends at the end": (
        [call("8:59:00", None, 90, endtime=at("9:01:00"))],
        {
            "oddities": {"talk without answer time": 1},
            "answered": Share(1, 1),
            "time_to_answer": Waiting(),
            "within": Share(0, 1),
            "erlangs": {at("8:00:00"): 30 / 3600, at("9:00:00"): 60 / 3600},
        },
    ),
    "negative talk is none": (
        [call("9:00:00", 5, -30), call("9:00:00", None, -30)],
        {"oddities": {"negative talk": 2}, "answered": Share(1, 2), "talk_time": 0 * S, "erlangs": {}},
    ),
    "no call lasts a year": (
        [call("9:00:00", 5, billsec=2**62)],
        {"oddities": {"talk of more than a year": 1}, "answered": Share(1, 1), "talk_time": 0 * S},
    ),
    "a call without a dial time is in no hour of dialling": (
        [call("9:00:00", 5, 60, starttime=None), call("10:00:00", starttime=None)],
        {"calls": 2, "by_hour": {}, "by_day": {}, "erlangs": {at("9:00:00"): 60 / 3600}, "unreturned": Share(1, 1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("calls", "expected"), CASES.values(), ids=CASES)
async def test_by_hand(calls, expected):
    made = await figures(calls)
    assert {name: getattr(made, name) for name in expected} == expected


async def test_thresholds_can_be_chosen():
    calls = [call("9:00:00", 30, 10), call("9:01:00", 31, 11), call("9:02:00", number="5550001")]
    calls += [out("9:30:00", 5, 60, number="70001")]
    made = await figures(calls, within=30, short=11, increment=6, digits=4)
    assert made.within == Share(1, 3)
    assert made.short_calls == Share(1, 3)
    assert made.billed == (12 + 12 + 60) * S
    assert made.unreturned == Share(0, 1)


async def test_hours_and_days_are_those_of_the_zone():
    made = await figures([call("9:00:00", 0, 3600)], zone=ZoneInfo("America/Mexico_City"))
    assert made.by_day == {date(2020, 6, 9): Tally(1, 1, 3600 * S)}
    assert made.by_weekday_hour == {(1, 20): Tally(1, 1, 3600 * S)}
    assert made.busy_hour == 20
    assert made.erlangs == {datetime(2020, 6, 9, 20, tzinfo=ZoneInfo("America/Mexico_City")): 1.0}
    assert made.most_at_once.at.hour == 20


@pytest.mark.parametrize("minutes", [345, -210, 7, 1])
async def test_hours_of_odd_offsets_are_exact(minutes):
    zone = timezone(timedelta(minutes=minutes))
    made = await figures([call("9:00:00", 0, 7200), call("10:01:30", 0, 1)], zone=zone)
    start = at("9:00:00").astimezone(zone)
    first = start.replace(minute=0)
    seconds = [3600 - 60 * start.minute, 3600, 60 * start.minute]
    seconds[1 if at("10:01:30").astimezone(zone).hour == (start.hour + 1) % 24 else 2] += 1
    assert {hour: round(erlangs * 3600) for hour, erlangs in made.erlangs.items()} == {
        first + number * timedelta(hours=1): length for number, length in enumerate(seconds) if length
    }


async def test_the_hour_that_comes_twice_when_clocks_are_set_back_is_two_hours():
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2020, 10, 25, 0, 30, tzinfo=UTC).astimezone(BEIJING)  # 2:30, and an hour later 2:30 again
    calls = [call("9:00:00", starttime=start, answertime=start, endtime=start + 7200 * S, billsec=7200)]
    made = await figures(calls, zone=berlin)
    hours = [(hour.hour, hour.utcoffset(), erlangs) for hour, erlangs in made.erlangs.items()]
    assert hours == [(2, 7200 * S, 0.5), (2, 3600 * S, 1.0), (3, 3600 * S, 0.5)]
    assert made.busy_hour == 2


async def test_clocks_that_are_set_back_by_half_an_hour_cut_an_hour_short():
    howe = ZoneInfo("Australia/Lord_Howe")
    start = datetime(2020, 4, 4, 14, 0, tzinfo=UTC).astimezone(BEIJING)  # 1:00; at 2:00 it is 1:30 again
    calls = [call("9:00:00", starttime=start, answertime=start, endtime=start + 7200 * S, billsec=7200)]
    made = await figures(calls, zone=howe)
    assert [(hour.hour, erlangs) for hour, erlangs in made.erlangs.items()] == [(1, 1.0), (1, 0.5), (2, 0.5)]


async def test_who_is_to_be_called_back_the_latest_first():
    calls = [
        call("9:00:00", number="+8613800000001"),
        call("9:10:00", number=A),
        call("9:05:00", number=B),
        out("9:01:00", 5, 60, number=A),
        call("9:20:00", number="13800000003"),
        out("9:21:00", 5, 60, number="13800000003"),
        call("9:30:00", number="anonymous"),
    ]
    made = await figures(calls)
    assert [(who.number, who.calls, who.last) for who in made.callbacks()] == [
        (A, 1, at("9:10:00")),
        (B, 1, at("9:05:00")),
    ]
    assert made.unreturned == Share(3, 5)
    assert A not in repr(made.callbacks())
    assert A not in repr(made)


async def test_groups_are_made_by_a_field_or_a_function():
    calls = [call("9:00:00", 1, 60, extnumber="8001"), call("9:30:00", extnumber="8002"), call("10:00:00")]
    by_field = await figures(calls, by="extnumber")
    assert {key: group.calls for key, group in by_field.groups.items()} == {"8001": 1, "8002": 1, "": 1}
    by_function = await figures(calls, by=lambda cdr: cdr.starttime.hour)
    assert {key: group.calls for key, group in by_function.groups.items()} == {9: 2, 10: 1}


async def test_figures_travel_between_processes_and_still_add_up():
    made = await figures([call("9:00:00"), call("9:30:00", 5, 60)], by="extnumber", zone=ZoneInfo("Asia/Kolkata"))
    there = pickle.loads(pickle.dumps(made))
    assert there == made
    assert there + made == made + made == sum([there, made])


@pytest.mark.parametrize(
    "wrong",
    [
        {"within": -1}, {"short": -1}, {"increment": 0}, {"increment": 1.5}, {"digits": 0}, {"digits": 19},
        {"by": "starttme"}, {"by": "extra"},
    ],
)  # fmt: skip
async def test_bad_numbers_and_names_are_refused_before_anything_is_read(wrong):
    read = []
    with pytest.raises(ValueError, match=next(iter(wrong))):
        await figures((read.append(n) for n in range(3)), **wrong)
    assert not read


async def test_a_zone_is_no_name():
    with pytest.raises(TypeError, match="ZoneInfo"):
        await figures([], zone="Asia/Shanghai")


async def test_what_was_made_with_other_settings_does_not_add_up():
    some, others = await figures([call("9:00:00")]), await figures([call("9:00:00")], zone=UTC)
    with pytest.raises(ValueError, match="zone"):
        some + others
    with pytest.raises(ValueError, match="groups"):
        some + await figures([call("9:00:00")], by="extnumber")
    with pytest.raises(TypeError):
        some + 1


@pytest.mark.parametrize(
    "zone", some([ZoneInfo("America/Mexico_City"), BEIJING, UTC, timezone(timedelta(hours=14))], 2)
)
@pytest.mark.parametrize("day", [date.min, date.max])
async def test_the_ends_of_the_calendar_are_days_like_any_other(zone, day):
    calls = [
        call("9:00:00", starttime=at(clock, day), answertime=at(clock, day), endtime=None, billsec=86_400)
        for clock in ("0:00:00", "23:59:59")
    ]
    made = await figures(calls, zone=zone)
    assert made.calls == 2
    assert sum(round(erlangs * 3600) for erlangs in made.erlangs.values()) == 2 * 86_400


class TestShare:
    # The bounds that Wilson's formula gives, computed with 1.959964 by hand.
    @pytest.mark.parametrize(
        ("part", "whole", "low", "high"),
        [(2, 3, 0.2077, 0.9385), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
    )
    def test_the_interval_is_wilsons(self, part, whole, low, high):
        share = Share(part, whole)
        assert share.value == part / whole
        assert share.interval == pytest.approx((low, high), abs=5e-5)

    def test_nothing_of_nothing_has_no_value(self):
        assert Share(0, 0).value is None
        assert Share(0, 0).interval is None


class TestSources:
    async def test_a_stream_says_whether_it_was_complete(self, infin8_sandbox):
        query = CdrQuery("2020-06-10 00:00:00", "2020-06-11 00:00:00")
        async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
            made = await figures(session.cdrs(query))
            assert (made.calls, made.complete) == (1000, True)
            rest = session.cdrs(query)
            await rest.collect(limit=300)
            assert (await figures(rest)).calls == 700
        async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url, per_page=300) as session:
            partly = await figures(session.cdrs(query, integrity="off"))
            assert partly.complete is False
        assert [(a + b).complete for a in (made, partly) for b in (made, partly)] == [True, False, False, False]
        assert (made + await figures([])).complete is None
        assert (partly + await figures([])).complete is False

    async def test_the_loop_goes_on_between_portions(self):
        turns = 0

        async def tick():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        ticking = asyncio.get_running_loop().create_task(tick())
        await figures([call("9:00:00", 1, 60) for _ in range(2500)])
        ticking.cancel()
        assert turns >= 10

    async def test_an_error_of_the_source_comes_through_and_closes_nothing_of_it(self):
        closed = []

        async def broken():
            try:
                yield call("9:00:00")
                raise LookupError("here")
            finally:
                closed.append(True)

        with pytest.raises(LookupError, match="here"):
            await figures(broken())
        assert closed


def test_figures_need_nothing_but_the_bare_install():
    loaded = "import infin8_async.figures, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    names = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    optional = {"altair", "jinja2", "vl_convert", "cyclopts", "rich", "sqlalchemy", "pyarrow", "numpy", "pandas"}
    assert not optional & set(names)
