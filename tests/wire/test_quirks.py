"""Everything that a PHP service of this shape is known to do, over a real socket, through the session's own calls."""

import codecs
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from infin8_async import (
    AuthenticationError,
    Cdr,
    CdrQuery,
    Credentials,
    Infin8Session,
    ParameterError,
    PlatformError,
    ResponseError,
    RetryPolicy,
    SystemFailureError,
)

DAY = CdrQuery("2020-06-10 00:00:00", "2020-06-10 23:59:59")
CAP = 2  # rows a page, whatever is asked for: the answer echoes it
# Text that is no ASCII, one character of it in GBK and not in GB2312.
ROWS = [
    {
        "id": number,
        "callnumber": "81599955",
        "context": "callout",
        "callmethod": "4",
        "hangupdirection": "10001",
        "starttime": f"2020-06-10 16:04:0{number}",
        "answertime": "",
        "endtime": "2020-06-10 16:05:00",
        "duration": 9,
        "billsec": 0,
        "userid": "朱镕基",
        "recording": {"0": {"name": "录音"}},
    }
    for number in range(1, 6)
]


def send(answer, *, charset=None, declared=None, mark=b"", kind="application/json"):
    """An answer as JSON in a charset, perhaps after a mark, perhaps with another charset in its header."""
    body = json.dumps(answer, ensure_ascii=False).encode(charset or "utf-8")
    content_type = f"{kind}; charset={declared or charset}" if declared or charset else kind
    return web.Response(body=mark + body, headers={"Content-Type": content_type})


def with_rows(change):
    """Answers whose rows, all of a page in a list, are replaced by what *change* makes of them."""

    def bend(answer):
        return send(answer | {"data": answer["data"] | {"data": change(answer["data"]["data"])}})

    return bend


def each(**fields):
    """Answers in which each row has some fields in another form."""
    return with_rows(lambda rows: [row | fields for row in rows])


def as_texts(value):
    if isinstance(value, dict):
        return {name: as_texts(field) if name != "recording" else field for name, field in value.items()}
    if isinstance(value, list):
        return [as_texts(item) for item in value]
    return str(value)


def by_index(rows):
    return dict(enumerate(rows))


def texts_and_objects(answer):
    return with_rows(by_index)(as_texts(answer))


QUIRKS = {
    "documented": send,
    "a list as an object keyed by index": with_rows(by_index),
    "an object whose keys have gaps and no order": with_rows(lambda rows: dict(zip(("10", "2"), rows, strict=False))),
    "numbers as texts": lambda answer: send(as_texts(answer)),
    "numbers as texts, lists as objects": texts_and_objects,
    "codes as numbers": each(callmethod=4, hangupdirection=10001),
    "absent values as null": each(answertime=None, billsec=None),
    "an absent number as an empty text": each(billsec=""),
    "an absent time as zeros": each(answertime="0000-00-00 00:00:00"),
    "absent fields left out": with_rows(
        lambda rows: [{name: row[name] for name in row.keys() - {"answertime", "billsec"}} for row in rows]
    ),
    "one row of another form": with_rows(lambda rows: [row | {"answertime": None} for row in rows[:1]] + rows[1:]),
    "no page size": lambda answer: send(answer | {"data": answer["data"] | {"per_page": None}}),
    "JSON that calls itself HTML": lambda answer: send(answer, kind="text/html"),
    "escaped text": web.json_response,
    "a byte order mark": lambda answer: send(answer, mark=codecs.BOM_UTF8),
    "the byte order marks of two files": lambda answer: send(answer, mark=codecs.BOM_UTF8 + b"\r\n" + codecs.BOM_UTF8),
    "a byte order mark, declared as GBK": lambda answer: send(answer, mark=codecs.BOM_UTF8, declared="gbk"),
    "a byte order mark and the rest as another quirk": lambda answer: send(as_texts(answer), mark=codecs.BOM_UTF8),
    "GBK": lambda answer: send(answer, charset="GBK"),
    "GBK that calls itself GB2312": lambda answer: send(answer, charset="gbk", declared='"GB2312"'),
    "GB18030 with a mark": lambda answer: send(answer, charset="gb18030", mark="\ufeff".encode("gb18030")),
    "UTF-16": lambda answer: send(answer, charset="utf-16"),
    "UTF-8 that calls itself ASCII": lambda answer: send(answer, declared="us-ascii"),
    "UTF-8 under a name of MySQL's": lambda answer: send(answer, declared="utf8mb4"),
}


@asynccontextmanager
async def platform(bend, *, rows=ROWS, **options):
    """A session with a platform whose answers are bent; it has the pages that were asked for as `asked`."""

    async def answer(request):
        form = await request.post()
        page, size = int(form["page"]), min(int(form["per_page"]), CAP)
        session.asked.append((page, size))
        cut = rows[(page - 1) * size : page * size]
        return bend({"code": 1, "msg": "ok", "data": {"data": cut, "page": page, "per_page": size, "total": len(rows)}})

    app = web.Application()
    app.router.add_post("/api/cdrs", answer)
    async with TestServer(app) as server:
        options = {"base_url": str(server.make_url("/")), "retry": RetryPolicy(wait_initial=0, wait_max=0)} | options
        async with Infin8Session(Credentials("app", "key", username="u"), **options) as session:
            session.asked = []
            yield session


@pytest.fixture(scope="module")
def expected():
    """The records of the rows, read by hand."""
    return [
        Cdr(
            id=row["id"],
            callnumber="81599955",
            context="callout",
            callmethod="4",
            hangupdirection="10001",
            starttime=CdrQuery(row["starttime"]).starttime,
            endtime=CdrQuery("2020-06-10 16:05:00").starttime,
            duration=9,
            userid="朱镕基",
            extra={"recording": {"0": {"name": "录音"}}},
        )
        for row in ROWS
    ]


@pytest.mark.parametrize("bend", QUIRKS.values(), ids=QUIRKS.keys())
async def test_a_quirk_changes_nothing(bend, expected):
    async with platform(bend, per_page=CAP, retry=RetryPolicy(attempts=1)) as session:
        stream = session.cdrs(DAY)
        assert await stream.collect() == expected
        assert (stream.report.expected, stream.report.complete, stream.report.certified) == (5, True, True)
        pages = [await session.page(DAY, number) for number in (1, 2, 3, 4)]
        assert [(page.page, page.per_page, page.total) for page in pages] == [(n, CAP, 5) for n in (1, 2, 3, 4)]
        assert [cdr for page in pages for cdr in page.cdrs] == expected
        assert await session.count(DAY) == 5


async def test_a_largest_page_that_only_the_echo_tells_of_loses_nothing(expected):
    async with platform(send) as session:
        assert await session.cdrs(DAY).collect() == expected
        assert (await session.page(DAY)).per_page == CAP


EMPTY = {
    "documented": send,
    "a list for the object": lambda _: send({"code": 1, "msg": "ok", "data": []}),
    "an object for the list": with_rows(by_index),
    "numbers as texts": lambda answer: send(as_texts(answer)),
}


@pytest.mark.parametrize("bend", EMPTY.values(), ids=EMPTY.keys())
async def test_an_empty_result_is_empty_in_each_of_its_forms(bend):
    async with platform(bend, rows=[]) as session:
        stream = session.cdrs(DAY)
        assert await stream.collect() == []
        assert (stream.report.complete, stream.report.requests) == (True, 1)
        assert (await session.page(DAY)).cdrs == ()
        assert await session.count(DAY) == 0


def cut(answer):
    body = json.dumps(answer).encode()
    return web.Response(body=body[: len(body) // 2], content_type="application/json")


PASSING = {
    "an HTML page with status 200": lambda _: web.Response(text="<html>busy</html>", content_type="text/html"),
    "an HTML page with status 502": lambda _: web.Response(status=502, text="<html>", content_type="text/html"),
    "a body cut short": cut,
    "an empty body": lambda _: web.Response(),
    "a rate limit": lambda _: web.Response(status=429),
    "a rate limit with a wait": lambda _: web.Response(status=429, headers={"Retry-After": "0"}),
    "a wait that is no wait": lambda _: web.Response(status=503, headers={"Retry-After": "soon"}),
    "a system error": lambda _: send({"code": 1000, "msg": "system error", "data": []}),
    "a system error as text": lambda _: send({"code": "1000", "msg": None, "data": ""}),
    "a system error of the gateway": lambda _: send({"ret": 500, "data": [], "msg": "server error"}),
    "an unknown charset": lambda _: send("é", charset="latin-1", declared="klingon"),
    "bytes of no charset": lambda _: web.Response(body=b"\xff\xff", content_type="application/json"),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
async def test_trouble_that_passes_costs_a_retry_and_no_row(trouble, expected):
    troubles = [trouble]

    def bend(answer):
        return (troubles.pop() if troubles else send)(answer)

    async with platform(bend, per_page=CAP) as session:
        stream = session.cdrs(DAY)
        assert await stream.collect() == expected
        assert (stream.report.retries, stream.report.complete) == (1, True)
        troubles.append(trouble)
        assert (await session.page(DAY, 3)).cdrs == (expected[-1],)


REFUSALS = [
    *(({"ret": ret, "data": [], "msg": "no"}, AuthenticationError) for ret in range(600, 605)),
    ({"ret": "601", "data": [], "msg": "no"}, AuthenticationError),
    ({"ret": 400, "data": [], "msg": "no"}, ParameterError),
    ({"ret": 500, "data": [], "msg": "no"}, SystemFailureError),
    ({"ret": 999, "data": [], "msg": "no"}, PlatformError),
    ({"code": 1005, "data": [], "msg": "no"}, AuthenticationError),
    ({"code": "1005", "data": None, "msg": "no"}, AuthenticationError),
]


@pytest.mark.parametrize(("body", "kind"), REFUSALS)
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
async def test_a_refusal_in_any_form_is_its_error_and_final_unless_it_is_a_system_error(body, kind, mark):
    async with platform(
        lambda _: send(body, mark=mark), retry=RetryPolicy(attempts=2, wait_initial=0, wait_max=0)
    ) as session:
        for ask in (session.cdrs(DAY).collect, lambda: session.page(DAY), lambda: session.count(DAY)):
            session.asked.clear()
            with pytest.raises(kind, match="no") as caught:
                await ask()
            assert type(caught.value) is kind
            assert len(session.asked) == (2 if kind is SystemFailureError else 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"0": ROWS[0], "1": "917045100378"}, "row 2 is a text, not an object"),
        ({"id": 1, "userid": "917045100378"}, "row 1 is a number, not an object"),
        ({"0": ROWS[0], "7": {"userid": "917045100378"}}, "row 2, field id is missing"),
        ("917045100378", r"data\.data is no list"),
        (None, r"data\.data is no list"),
    ],
)
async def test_rows_that_no_form_explains_are_an_error_and_never_dropped(rows, said):
    async with platform(with_rows(lambda _: rows)) as session:
        for ask in (session.cdrs(DAY).collect, lambda: session.page(DAY)):
            with pytest.raises(ResponseError, match=said) as caught:
                await ask()
            assert "9170" not in str(caught.value)
