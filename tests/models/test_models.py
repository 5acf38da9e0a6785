import io
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr
from tblib.pickling_support import pickle_exception

import infin8_async
from infin8_async import (
    BEIJING,
    CallDirection,
    CallMethod,
    Cdr,
    CdrQuery,
    Credentials,
    HangupDirection,
    IncompleteResultError,
    Infin8Error,
    ResponseError,
    RetryPolicy,
    SystemFailureError,
    TransportError,
    UnreadableRowsError,
)

START, END = "2020-06-10 00:00:00", "2020-06-11 00:00:00"


class TestCredentials:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"appid": "", "accesskey": "k", "username": "u"}, "appid"),
            ({"appid": "a", "accesskey": "", "username": "u"}, "accesskey"),
            ({"appid": "a", "accesskey": "k"}, "username and ip"),
            ({"appid": "a", "accesskey": "k", "username": ""}, "username"),
        ],
    )
    def test_what_is_missing_is_said(self, arguments, named):
        with pytest.raises(ValueError, match=named):
            Credentials(**arguments)

    def test_an_access_key_that_is_no_text_is_refused_without_being_shown(self):
        with pytest.raises(TypeError, match="accesskey must be a string, not int") as caught:
            Credentials("a", 987654321, username="u")
        assert "987654321" not in str(caught.value)

    def test_the_access_key_is_in_no_repr_of_the_credentials_nor_of_the_key_itself(self):
        credentials = Credentials("app", "s3cret-key", username="u")
        assert "s3cret-key" not in f"{credentials} {credentials!r} {credentials.accesskey!r}"
        assert credentials.accesskey == "s3cret-key"
        assert pickle.loads(pickle.dumps(credentials)) == credentials

    def test_the_environment_is_read(self):
        environ = {"INFIN8_APPID": "a", "INFIN8_ACCESSKEY": "k", "INFIN8_IP": "pbx.example"}
        assert Credentials.from_env(environ) == Credentials("a", "k", ip="pbx.example")

    def test_every_variable_that_is_missing_is_named_at_once(self):
        with pytest.raises(ValueError, match=r"INFIN8_APPID, INFIN8_USERNAME \(or INFIN8_IP\)"):
            Credentials.from_env({"INFIN8_ACCESSKEY": "k", "INFIN8_APPID": ""})


class TestCdrQuery:
    def test_a_text_is_beijing_time(self):
        assert CdrQuery(START).starttime == datetime(2020, 6, 9, 16, tzinfo=UTC)

    def test_an_aware_datetime_of_any_zone_is_converted(self):
        query = CdrQuery(datetime(2020, 6, 10, 2, tzinfo=timezone(timedelta(hours=-5))))
        assert query.starttime == datetime(2020, 6, 10, 15, tzinfo=BEIJING)
        assert query.starttime.tzinfo is BEIJING

    def test_the_start_is_rounded_down_and_the_end_up(self):
        moment = datetime(2020, 6, 10, 1, 2, 3, 4, tzinfo=BEIJING)
        query = CdrQuery(moment, moment)
        assert query.starttime == datetime(2020, 6, 10, 1, 2, 3, tzinfo=BEIJING)
        assert query.endtime == datetime(2020, 6, 10, 1, 2, 4, tzinfo=BEIJING)

    def test_a_naive_datetime_is_refused_with_the_way_out(self):
        with pytest.raises(ValueError, match=r"replace\(tzinfo=BEIJING\)"):
            CdrQuery(datetime(2020, 6, 10))

    @pytest.mark.parametrize(
        "text", ["2020-06-10", "2020-06-10T00:00:00", "2020-13-10 00:00:00", "", "now", "2020-06-10 00:00:00 "]
    )
    def test_a_text_of_another_form_is_refused(self, text):
        with pytest.raises(ValueError):
            CdrQuery(text)

    @pytest.mark.parametrize("value", [date(2020, 6, 10), 1591718400, None])
    def test_what_is_no_time_is_refused(self, value):
        with pytest.raises(TypeError, match="aware datetime or a string"):
            CdrQuery(value)

    def test_an_end_before_the_start_is_refused(self):
        with pytest.raises(ValueError, match="before"):
            CdrQuery(END, START)

    @pytest.mark.parametrize("value", [2, "2", CallMethod.MANUAL])
    def test_a_call_method_may_be_a_member_a_text_or_a_number(self, value):
        assert CdrQuery(START, callmethod=value).callmethod is CallMethod.MANUAL

    @pytest.mark.parametrize("filters", [{"context": "in"}, {"callmethod": 9}, {"callmethod": True}, {"extnumber": ""}])
    def test_an_unknown_filter_value_is_refused(self, filters):
        with pytest.raises(ValueError):
            CdrQuery(START, **filters)

    def test_a_number_filter_must_be_text(self):
        with pytest.raises(TypeError, match="extnumber must be a string, not int"):
            CdrQuery(START, extnumber=8001)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: CdrQuery(datetime.max.replace(tzinfo=UTC)),
            lambda: CdrQuery(START, datetime.max.replace(tzinfo=UTC)),
            lambda: CdrQuery(START, datetime.max.replace(tzinfo=BEIJING)),
            lambda: CdrQuery(datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))),
            lambda: CdrQuery.last(timedelta.max),
            lambda: CdrQuery.last(timedelta.min),
        ],
    )
    def test_a_time_past_either_end_of_the_calendar_is_refused(self, make):
        with pytest.raises(ValueError, match="9999"):
            make()

    def test_the_last_second_and_the_last_day_of_the_calendar_can_be_asked_for(self):
        last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=BEIJING)
        assert CdrQuery(datetime.max.replace(tzinfo=BEIJING), last).ends == (last, last)
        assert CdrQuery.day(date.max).endtime == last

    def test_a_day_is_a_beijing_calendar_day(self):
        query = CdrQuery.day(date(2020, 6, 10), context="callin")
        assert query == CdrQuery(START, "2020-06-10 23:59:59", context=CallDirection.INCOMING)

    @pytest.mark.parametrize(
        ("zone", "day", "hours"),
        [
            ("Asia/Shanghai", date(2020, 6, 10), 24),
            ("America/New_York", date(2026, 3, 8), 23),
            ("America/New_York", date(2026, 11, 1), 25),
            ("America/Havana", date(2026, 3, 8), 23),  # there is no midnight
            ("America/Santiago", date(2026, 4, 4), 25),  # its last hour comes twice
            ("America/Nuuk", date(2026, 3, 28), 23),  # its last hour does not come
        ],
    )
    def test_a_day_of_a_zone_may_have_23_or_25_hours(self, zone, day, hours):
        start, end = CdrQuery.day(day, zone=ZoneInfo(zone)).ends
        assert end - start == timedelta(hours=hours, seconds=-1)

    @given(st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)))
    def test_a_time_lies_in_the_day_that_clocks_show_and_its_ends_do_too(self, time):
        time = time.astimezone(UTC).astimezone(time.tzinfo)  # one that clocks show
        start, end = CdrQuery.day(time.date(), zone=time.tzinfo).ends
        assert start <= time.replace(microsecond=0) <= end
        assert {start.astimezone(time.tzinfo).date(), end.astimezone(time.tzinfo).date()} == {time.date()}

    def test_a_day_that_a_zone_has_skipped_is_refused(self):
        with pytest.raises(ValueError, match="before"):
            CdrQuery.day(date(2011, 12, 30), zone=ZoneInfo("Pacific/Apia"))

    def test_the_day_of_a_datetime_is_refused_for_its_zone_is_a_question(self):
        with pytest.raises(TypeError, match="BEIJING"):
            CdrQuery.day(datetime(2020, 6, 10, tzinfo=UTC))

    def test_last_fixes_both_ends(self):
        before = datetime.now(BEIJING).replace(microsecond=0)
        query = CdrQuery.last(timedelta(hours=2))
        assert before <= query.endtime <= datetime.now(BEIJING) + timedelta(seconds=1)
        assert timedelta(hours=2) <= query.endtime - query.starttime <= timedelta(hours=2, seconds=1)

    def test_a_query_that_begins_in_the_future_ends_where_it_begins(self):
        query = CdrQuery(datetime.now(BEIJING) + timedelta(days=1)).until_now()
        assert query.ends == (query.starttime, query.starttime)

    def test_phone_numbers_are_not_in_its_repr(self):
        assert "917045100378" not in repr(CdrQuery(START, disnumber="917045100378", callnumber="917045100378"))

    @given(st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)))
    def test_any_moment_lies_within_the_second_it_is_rounded_to(self, moment):
        query = CdrQuery(moment, moment)
        assert query.starttime <= moment <= query.endtime
        assert query.endtime - query.starttime <= timedelta(seconds=1)


class TestCdr:
    def test_only_an_id_is_needed(self):
        cdr = Cdr(id=1)
        assert (cdr.extnumber, cdr.starttime, cdr.billsec, dict(cdr.extra)) == ("", None, 0, {})

    def test_it_is_frozen_slotted_hashable_and_pickles(self):
        cdr = Cdr(id=1, extra={"recording": ["a"]})
        with pytest.raises(AttributeError):
            cdr.id = 2
        assert not hasattr(cdr, "__dict__")
        assert {cdr: 1}[pickle.loads(pickle.dumps(cdr))] == 1

    @pytest.mark.parametrize(
        ("fields", "answered"),
        [({}, False), ({"billsec": 1}, True), ({"answertime": datetime(2020, 6, 10, tzinfo=BEIJING)}, True)],
    )
    def test_answered_is_an_answer_time_or_time_talked(self, fields, answered):
        assert Cdr(id=1, **fields).answered is answered

    def test_side_a_exists_for_double_calls_only(self):
        side_a = {"anumber": "13800000000", "aduration": 9, "abillsec": 7}
        assert Cdr(id=1, callmethod=CallMethod.MANUAL, **side_a).a_leg is None
        leg = Cdr(id=1, callmethod=CallMethod.DOUBLE, **side_a).a_leg
        assert (leg.number, leg.duration, leg.billsec, leg.answertime) == ("13800000000", 9, 7, None)
        assert "13800000000" not in repr(leg)

    def test_a_known_code_says_who_hung_up_and_any_other_stays_as_it_is(self):
        hangups = [Cdr(id=1, hangupdirection=code).hangup for code in ("10006", "callee", "10015", "")]
        assert hangups == [HangupDirection.BUSY, HangupDirection.CALLEE, "10015", ""]
        assert [type(it) for it in hangups] == [HangupDirection, HangupDirection, str, str]

    def test_talk_time_is_a_timedelta(self):
        assert Cdr(id=1, billsec=90).talk_time == timedelta(minutes=1, seconds=30)

    def test_its_repr_is_short_and_masks_numbers(self):
        noon = datetime(2020, 6, 10, 12, tzinfo=BEIJING)
        cdr = Cdr(
            id=7, starttime=noon, context=CallDirection.INCOMING, disnumber="917045100378", callnumber="02161234567",
            anumber="13800000000", clientip="10.0.0.1", extra={"cli": "917045100378"},
        )  # fmt: skip
        assert repr(cdr) == "<Cdr 7 2020-06-10 12:00:00 callin '***78' -> '***67'>"
        assert repr(Cdr(id=7)) == "<Cdr 7 no dial time '' '' -> ''>"

    @pytest.mark.parametrize("shown", [repr, pretty_repr], ids=["repr", "rich"])
    def test_no_phone_number_is_shown_whatever_prints_it(self, shown):
        number = "917045100378"
        cdr = Cdr(id=1, context=number, disnumber=number, callnumber=number, anumber=number, extra={"cli": number})
        assert number not in shown(cdr)

    def test_as_a_dict_it_is_plain_types_under_the_platforms_names(self):
        noon = datetime(2020, 6, 10, 12, tzinfo=BEIJING)
        sent = {"recording": ["a"]}
        cdr = Cdr(id=7, starttime=noon, context=CallDirection.INCOMING, callmethod="9", billsec=3, extra=sent)
        plain = cdr.to_dict()
        assert list(plain) == [field.name for field in attrs.fields(Cdr)]
        assert plain["starttime"] == "2020-06-10T12:00:00+08:00"
        assert (plain["id"], plain["context"], plain["answertime"], plain["billsec"]) == (7, "callin", None, 3)
        assert {type(value) for value in plain.values()} <= {int, str, dict, type(None)}
        plain["extra"]["recording"].append("b")
        assert sent == {"recording": ["a"]}
        assert "extra" not in Cdr(id=7).to_dict()


@pytest.mark.parametrize(
    "numbers", [{"attempts": 0}, {"attempts": 1.5}, {"wait_initial": -1}, {"wait_max": float("nan")}]
)
def test_a_retry_policy_of_bad_numbers_is_refused(numbers):
    with pytest.raises(ValueError, match=next(iter(numbers))):
        RetryPolicy(**numbers)


@pytest.mark.parametrize(
    "error",
    [
        TransportError("reset"),
        ResponseError(503, 3, "Service Unavailable", transient=True, retry_after=2.0),
        SystemFailureError(1000, "system error"),
        IncompleteResultError(10, 9),
    ],
)
def test_errors_pickle_with_their_facts_and_share_the_root(error):
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(error, Infin8Error)
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.args == error.args
    assert copy.transient == error.transient


def test_errors_come_through_a_dask_cluster_with_their_facts():
    class DasksPickler(pickle.Pickler):
        def reducer_override(self, value):
            return pickle_exception(value) if isinstance(value, Exception) else NotImplemented

    error = UnreadableRowsError(200, 3, "the call in place 7", rows=1)
    written = io.BytesIO()
    DasksPickler(written).dump(error)
    copy = pickle.loads(written.getvalue())
    assert (type(copy), str(copy), vars(copy)) == (UnreadableRowsError, str(error), vars(error))


def test_every_public_name_is_there_and_sorted():
    names = infin8_async.__all__
    assert all(hasattr(infin8_async, name) for name in names)
    assert sorted(names) == sorted(set(names))
