import json
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from encodings.aliases import aliases

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import example, given
from hypothesis import strategies as st

from infin8_async import (
    BEIJING,
    AuthenticationError,
    CallDirection,
    CallMethod,
    Cdr,
    CdrQuery,
    Credentials,
    Infin8Error,
    NumberFormatError,
    ParameterError,
    PermissionDeniedError,
    PlatformError,
    ResponseError,
    SystemFailureError,
    TransportError,
)
from infin8_async._wire.protocol import PageBytes, form, read_page
from infin8_async._wire.retries import wait_before_retry

KEY = "s3cret/key+1"
ROW = {
    "aanswertime": "", "abillsec": 0, "aduration": 2, "aendtime": "2020-06-10 16:04:59", "answertime": "",
    "anumber": "", "astarttime": "2020-06-10 16:04:57", "billsec": 0, "callnumber": "81599955",
    "clientip": "", "context": "callout",
    "disnumber": "917045100378", "downloadip": "", "duration": 2, "endtime": "2020-06-10 16:04:59", "extnumber": "",
    "hangupdirection": "callee", "id": 123456, "starttime": "2020-06-10 16:04:57",
}  # fmt: skip


def envelope(rows=(), **data):
    return {"code": 1, "msg": "ok", "data": {"data": list(rows), "page": 1, "per_page": 10, "total": len(rows), **data}}


def read(body, status=200, page=1, **headers) -> PageBytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_page(status, headers, raw, page=page, per_page=10, secret=KEY)


def cdrs(body, **kwargs) -> list[Cdr]:
    page = read(body, **kwargs)
    return page.structure(page.rows())


class TestForm:
    def test_it_has_the_platforms_names_beijing_time_and_nothing_that_is_not_set(self):
        query = CdrQuery(datetime(2020, 6, 9, 16, tzinfo=UTC), "2020-06-11 00:00:00", context="callout", callmethod=2)
        assert form(Credentials("app", KEY, username="u"), query, 3, 1000) == {
            "appid": "app",
            "accesskey": KEY,
            "username": "u",
            "starttime": "2020-06-10 00:00:00",
            "endtime": "2020-06-11 00:00:00",
            "context": "callout",
            "callmethod": "2",
            "page": "3",
            "per_page": "1000",
        }

    def test_a_traceback_that_shows_it_does_not_show_the_access_key(self):
        assert KEY not in repr(form(Credentials("app", KEY, ip="1.2.3.4"), CdrQuery.last(timedelta(1)), 1, 1))


class TestRows:
    def test_the_documented_example_is_read(self):
        (cdr,) = cdrs(envelope([ROW], per_page=1, total=238))
        assert cdr == Cdr(
            id=123456,
            callnumber="81599955",
            context=CallDirection.OUTGOING,
            disnumber="917045100378",
            duration=2,
            aduration=2,
            hangupdirection="callee",
            starttime=datetime(2020, 6, 10, 16, 4, 57, tzinfo=BEIJING),
            endtime=datetime(2020, 6, 10, 16, 4, 59, tzinfo=BEIJING),
            astarttime=datetime(2020, 6, 10, 16, 4, 57, tzinfo=BEIJING),
            aendtime=datetime(2020, 6, 10, 16, 4, 59, tzinfo=BEIJING),
        )

    def test_a_record_is_a_frozen_cdr_and_nothing_else_however_its_row_came(self):
        documented, odd = cdrs(envelope([ROW]))[0], cdrs(envelope([{**ROW, "billsec": None}]))[0]
        for cdr in (documented, odd):
            assert type(cdr) is Cdr
            assert pickle.loads(pickle.dumps(cdr)) == cdr
            assert hash(cdr) == hash(documented)
            with pytest.raises(FrozenInstanceError):
                cdr.billsec = 1
            with pytest.raises(FrozenInstanceError):
                del cdr.billsec

    def test_the_documented_row_takes_the_fast_way(self):
        assert not isinstance(read(envelope([ROW])).rows()[0], dict)

    @pytest.mark.parametrize("name", ROW)
    def test_one_row_that_lacks_a_field_changes_nothing_about_its_neighbours(self, name):
        less = {field: value for field, value in {**ROW, "id": 7}.items() if field != name or field == "id"}
        both = cdrs(envelope([ROW, less, {**ROW, "recording": name}]))
        assert both[0] == cdrs(envelope([ROW]))[0]
        assert both[1] == evolve(both[0], id=7, **({} if name == "id" else {name: getattr(Cdr(id=7), name)}))
        assert both[2] == evolve(both[0], extra={"recording": name})
        assert both[0].extra is not both[1].extra

    @pytest.mark.parametrize(("given", "expected"), [("7", 7), ("", 0), (None, 0), ("-1", -1)])
    def test_a_number_may_come_as_text_or_not_at_all(self, given, expected):
        (cdr,) = cdrs(envelope([{"id": "5", "billsec": given}]))
        assert (cdr.id, cdr.billsec) == (5, expected)

    @pytest.mark.parametrize("given", ["", None, "0000-00-00 00:00:00"])
    def test_the_three_absent_times_are_none(self, given):
        assert cdrs(envelope([{"id": 1, "answertime": given}]))[0].answertime is None

    @pytest.mark.parametrize(
        ("field", "given", "expected"),
        [
            ("callmethod", "4", CallMethod.DOUBLE),
            ("callmethod", 4, CallMethod.DOUBLE),
            ("callmethod", "77", "77"),
            ("context", "callin", CallDirection.INCOMING),
            ("context", "internal", "internal"),
            ("context", None, ""),
            ("hangupdirection", 10001, "10001"),
        ],
    )
    def test_unknown_values_survive_as_they_are(self, field, given, expected):
        value = getattr(cdrs(envelope([{"id": 1, field: given}]))[0], field)
        assert value == expected
        assert type(value) is type(expected)

    def test_unlisted_fields_survive_untouched_even_one_named_extra(self):
        unlisted = {"recording": {"url": None}, "extra": [1, "2"], "\0extra": 1.5}
        assert cdrs(envelope([{"id": 1, **unlisted}]))[0].extra == unlisted

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ({}, "row 2, field id is missing"),
            ({"id": ""}, "row 2, field id is empty"),
            ({"id": None}, "row 2, field id is empty"),
            ({"id": True}, "row 2, field id is a boolean, not a whole number"),
            ({"id": 1.0}, "row 2, field id is a fraction, not a whole number"),
            ({"id": 2**70}, "row 2, field id does not fit 64 bits"),
            ({"id": 1, "billsec": "1_0"}, "row 2, field billsec is a text, not a whole number"),
            ({"id": 1, "starttime": "yesterday"}, "row 2, field starttime is no time"),
            ({"id": 1, "starttime": "2020-06-10 00:00:00Z"}, "row 2, field starttime is no time"),
            ({"id": 1, "starttime": 0}, "row 2, field starttime is a number, not a time"),
            ({"id": 1, "callnumber": ["917045100378"]}, "row 2, field callnumber is a list, not a text"),
            ({"id": 1, "context": {}}, "row 2, field context is an object, not a text"),
            (["917045100378"], "row 2 is a list, not an object"),
            (None, "row 2 is"),
        ],
    )
    def test_what_cannot_be_read_names_page_row_and_field_and_never_the_value(self, row, said):
        with pytest.raises(ResponseError, match=said) as caught:
            cdrs(envelope([ROW, row]))
        assert (caught.value.page, caught.value.status) == (1, 200)
        assert "9170" not in str(caught.value)

    def test_rows_of_a_later_portion_are_numbered_on_their_page(self):
        page = read(envelope([ROW, ROW]))
        with pytest.raises(ResponseError, match="row 201, field id"):
            page.structure([{}], [201])


class TestOddAnswers:
    def test_numbers_of_the_envelope_may_come_as_text(self):
        body = envelope([ROW], page="1", per_page="10", total="238") | {"code": "1"}
        page = read(body)
        assert (page.page, page.per_page, page.total) == (1, 10, 238)

    def test_an_empty_list_for_the_data_object_is_an_empty_page(self):
        page = read({"code": 1, "msg": "ok", "data": []}, page=3)
        assert (page.total, page.rows(), page.page) == (0, [], 3)

    def test_a_list_may_come_as_an_object(self):
        body = envelope() | {"data": {"data": {"0": ROW, "2": ROW | {"id": 7}}, "total": 2}}
        assert [cdr.id for cdr in cdrs(body)] == [123456, 7]

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ([1], "the body is no object"),
            ({"msg": "?"}, "code is missing"),
            ({"code": "x"}, "code is a text"),
            ({"code": 1}, "data is no object"),
            ({"code": 1, "data": {"total": 3}}, "data.data is no list"),
            (envelope(total=None), "total is missing"),
            (envelope(total=-1), "a total of -1"),
            (envelope(per_page=0), "0 rows a page"),
        ],
    )
    def test_json_of_another_shape_is_final(self, body, detail):
        with pytest.raises(ResponseError, match=detail) as caught:
            read(body)
        assert wait_before_retry(caught.value) is False

    @pytest.mark.parametrize(
        "body", [b"", b"<html>502</html>", b'{"code": 1, "da', b"\xff\xfe", b"[" * 200_000, b'{"a":' * 99_999]
    )
    def test_a_200_that_is_no_json_deserves_another_try(self, body):
        with pytest.raises(ResponseError, match="not JSON but text/html") as caught:
            read(body, **{"Content-Type": "text/html"})
        assert wait_before_retry(caught.value) is True

    def test_the_content_type_in_a_message_is_masked_and_of_bounded_length(self):
        with pytest.raises(ResponseError, match="not JSON but") as caught:
            read(b"busy", **{"Content-Type": f"text/{KEY}; tel=917045100378; {'x' * 999}"})
        assert KEY not in str(caught.value)
        assert "9170" not in str(caught.value)
        assert len(str(caught.value)) < 300

    def test_a_redirect_to_no_address_is_an_error_of_ours_all_the_same(self):
        with pytest.raises(ResponseError, match="points to no readable address"):
            read(b"", status=302, Location="http://[")

    def test_a_redirect_says_where_it_points_without_its_path(self):
        with pytest.raises(ResponseError, match=r"https://login\.example$") as caught:
            read(b"", status=302, Location=f"https://login.example/?k={KEY}")
        assert KEY not in str(caught.value)
        assert wait_before_retry(caught.value) is False


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (1000, SystemFailureError),
            (1001, ParameterError),
            (1005, AuthenticationError),
            (1006, PermissionDeniedError),
            (1008, NumberFormatError),
            (4711, PlatformError),
        ],
    )
    @pytest.mark.parametrize("status", [200, 403])
    def test_each_code_has_its_error(self, code, kind, status):
        with pytest.raises(PlatformError) as caught:
            read({"code": code, "msg": "no", "data": []}, status=status)
        assert type(caught.value) is kind
        assert (caught.value.code, caught.value.msg) == (code, "no")
        assert wait_before_retry(caught.value) is (code == 1000)

    @pytest.mark.parametrize(
        ("ret", "kind"),
        [
            (400, ParameterError),
            (500, SystemFailureError),
            *((ret, AuthenticationError) for ret in range(600, 605)),
            (1, PlatformError),
        ],
    )
    def test_the_gateways_body_is_a_refusal_too(self, ret, kind):
        with pytest.raises(PlatformError, match="denied") as caught:
            read({"ret": ret, "data": [], "msg": "denied"})
        assert type(caught.value) is kind
        assert caught.value.code == ret

    @pytest.mark.parametrize("echo", [KEY, "s3cret%2Fkey%2B1", "917045100378"])
    def test_a_message_that_echoes_the_key_or_a_number_is_masked(self, echo):
        with pytest.raises(NumberFormatError) as caught:
            read({"code": 1008, "msg": f"wrong: {echo}\n{'x' * 999}"})
        assert echo not in f"{caught.value} {caught.value.msg} {caught.value!r}"
        assert "\n" not in str(caught.value)
        assert len(caught.value.msg) <= 200


class TestRetryDecision:
    @pytest.mark.parametrize(
        ("status", "again"),
        [(408, True), (429, True), (500, True), (503, True), (400, False), (404, False), (499, False)],
    )
    def test_statuses(self, status, again):
        with pytest.raises(ResponseError) as caught:
            read(b"busy", status=status)
        assert wait_before_retry(caught.value) is again

    def test_retry_after_in_seconds_is_obeyed_up_to_two_minutes(self):
        waits = []
        for seconds in (0, 7, 120, 121):
            with pytest.raises(ResponseError) as caught:
                read(b"", status=429, **{"Retry-After": str(seconds)})
            waits.append(wait_before_retry(caught.value))
        assert waits == [0.0, 7.0, 120.0, False]

    def test_retry_after_may_be_a_date(self):
        with pytest.raises(ResponseError) as caught:
            read(
                b"",
                status=503,
                **{"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)},
            )
        assert 55 < wait_before_retry(caught.value) <= 60

    def test_a_retry_after_that_says_nothing_is_passed_over(self):
        with pytest.raises(ResponseError) as caught:
            read(b"", status=503, **{"Retry-After": "soon"})
        assert wait_before_retry(caught.value) is True

    def test_transport_errors_are_tried_again_unless_they_say_otherwise(self):
        assert wait_before_retry(TransportError("reset")) is True
        assert wait_before_retry(TransportError("certificate", transient=False)) is False
        assert wait_before_retry(ValueError()) is False


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
ODD_ROW = st.dictionaries(
    st.sampled_from([*ROW, "callmethod", "userid", "new"]), JSON | st.sampled_from(list(ROW.values()))
)
ODD_DATA = st.fixed_dictionaries(
    {},
    optional={
        "data": st.lists(ODD_ROW | JSON, max_size=3) | JSON,
        "total": JSON,
        "page": st.just(1) | JSON,
        "per_page": JSON,
    },
)
ODD_BODY = st.fixed_dictionaries(
    {},
    optional={"code": st.sampled_from([1, "1", 1000, 1008]) | JSON, "msg": JSON, "ret": JSON, "data": ODD_DATA | JSON},
)


CHARSETS = st.sampled_from(sorted({*aliases.values(), "idna", "punycode", "undefined", "unicode_escape", "klingon"}))
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.text() | (CHARSETS | st.text()).map("application/json; charset={}".format),
        "Location": st.text() | st.text("[]:/@?#%\\", min_size=1).map("http://{}".format),
    },
)


@given(
    (ODD_BODY | JSON).map(lambda body: json.dumps(body).encode()) | st.binary(),
    st.sampled_from([200, 200, 200, 204, 302, 404, 429, 500]),
    HEADERS,
)
@example(b'"\\d"', 200, {"Content-Type": "text/html; charset=unicode_escape"})
@example(b"\xff", 200, {"Content-Type": "text/html; charset=a\0b"})
@example(b"", 302, {"Location": "http://["})
def test_whatever_comes_only_a_page_or_an_error_of_ours_goes_out(body, status, headers):
    try:
        page = read_page(status, headers, body, page=1, per_page=10, secret=KEY)
        assert all(isinstance(cdr, Cdr) for cdr in page.structure(page.rows()))
    except Infin8Error as error:
        assert str(error)


TIMES = st.none() | st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)).map(
    lambda time: time.replace(microsecond=0, tzinfo=BEIJING)
)
TEXTS = st.text(st.characters(codec="utf-8"))
RECORDS = st.builds(
    Cdr,
    id=st.integers(-(2**63), 2**63 - 1),
    context=st.sampled_from(CallDirection) | TEXTS.filter(lambda text: text not in list(CallDirection)),
    callmethod=st.sampled_from(CallMethod) | TEXTS.filter(lambda text: text not in list(CallMethod)),
    **dict.fromkeys(["starttime", "answertime", "endtime", "astarttime", "aanswertime", "aendtime"], TIMES),
    **dict.fromkeys(["duration", "billsec", "aduration", "abillsec"], st.integers(-(2**40), 2**40)),
    **dict.fromkeys(
        ["extnumber", "disnumber", "callnumber", "clientip", "downloadip", "hangupdirection", "anumber"], TEXTS
    ),
    extra=st.dictionaries(TEXTS.filter(lambda name: name not in Cdr.__slots__ or name == "extra"), JSON, max_size=3),
)


@given(RECORDS, st.booleans())
def test_a_record_written_as_the_platform_writes_it_is_read_back_equal(cdr, zero_dates):
    absent = "0000-00-00 00:00:00" if zero_dates else ""
    row = {name: getattr(cdr, name) for name in Cdr.__slots__ if name not in ("extra", "__weakref__")}
    for name, value in row.items():
        if name.endswith("time"):
            row[name] = absent if value is None else f"{value:%Y-%m-%d %H:%M:%S}"
    assert cdrs(envelope([cdr.extra | row])) == [cdr]
