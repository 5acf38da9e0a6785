"""What becomes of rows: columns are those of the records, whatever the platform sends, and so are the errors."""

import asyncio

import msgspec
import pyarrow as pa
import pytest
from attrs import fields
from hypothesis import example, given, settings
from hypothesis import strategies as st
from profiles import cases

from infin8_async import Cdr, ResponseError
from infin8_async._arrow import call_schema, record_batch
from infin8_async._pull.rows import Rows, rows_of
from infin8_async._wire.columns import columns_of
from infin8_async._wire.decoding import ALL, row_type
from infin8_async._wire.protocol import PageBytes
from infin8_async.export.csv import csv_lines
from infin8_async.export.jsonl import json_lines

ROW = {
    "id": 123456, "extnumber": "81", "disnumber": "917045100378", "callnumber": "81599955", "context": "callout",
    "starttime": "2020-06-10 16:04:57", "answertime": "", "endtime": "2020-06-10 16:04:59", "duration": 2,
    "billsec": 0, "clientip": "", "downloadip": "", "hangupdirection": "callee", "anumber": "",
    "astarttime": "2020-06-10 16:04:57", "aanswertime": "", "aendtime": "2020-06-10 16:04:59", "aduration": 2,
    "abillsec": 0,
}  # fmt: skip
TIMES = [field.name for field in fields(Cdr) if field.name.endswith("time")]
NUMBERS = [field.name for field in fields(Cdr) if field.type is int and field.name != "id"]
TEXTS = [field.name for field in fields(Cdr) if field.name not in (*TIMES, *NUMBERS, "id", "extra")]
SCHEMA = call_schema()

ODD_TIMES = [
    "", None, "0000-00-00 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "1969-12-31 23:59:59",
    "0000-01-01 00:00:00", "2020-06-10T16:04:57", "2020-06-10x16:04:57", "2020-W24-3 16:04:57", "20200610 16:04:57.1",
    "2020-06-10", "2020-06-10 16:04", "2020-06-10 16", "2020-06-10 16:04:57.5", "2020-06-10 16:04:57Z",
    "2020-06-10 16:04+08", "2020-02-30 00:00:00", "2020-06-10 24:00:00", "2020-06-10 23:59:60",
    "\uff12020-06-10 16:04:57",    " 2020-06-10 16:04:5", "yesterday", 0, 1591776297, True, [], {},
]  # fmt: skip
ODD_NUMBERS = ["", None, "7", "-7", "07", "1_0", " 1", 2**63 - 1, 2**63, -(2**63), 2**70, 1.0, 1.5, True, [], {}]
ODD_TEXTS = ["", None, 0, 10001, 2**70, -1, 1.5, True, [], {}, "\0", '"\\\n\r\t\u2028', "朱镕基😀", "null"]
IDS = st.integers(-(2**63), 2**63 - 1)

a_time = st.datetimes().map(lambda time: time.isoformat(" ")[:19])
documented = st.fixed_dictionaries(
    {"id": IDS},
    optional={name: a_time | st.just("") for name in TIMES}
    | {name: st.integers(0, 86_400) for name in NUMBERS}
    | {name: st.text(max_size=5) for name in TEXTS},
)
odd = st.fixed_dictionaries(
    {"id": IDS | IDS.map(str) | st.sampled_from(["", None, 1.5, True, 2**63])},
    optional={name: a_time | st.sampled_from(ODD_TIMES) for name in TIMES}
    | {name: st.integers() | st.sampled_from(ODD_NUMBERS) for name in NUMBERS}
    | {name: st.text(max_size=5) | st.sampled_from(ODD_TEXTS) for name in TEXTS}
    | {"recording": st.sampled_from([None, "", {"a": [1]}])},
)
pages = st.lists(documented | odd, min_size=1, max_size=4) | st.lists(documented, min_size=1, max_size=4)


def page_of(rows, *, spaces: bool = False) -> PageBytes:
    body = rows if isinstance(rows, bytes) else msgspec.json.encode(rows)
    return PageBytes(7, 10, 10, 200, msgspec.Raw(msgspec.json.format(body, indent=2) if spaces else body))


def outcome(work):
    """What came of it: a batch, or the error as a user sees it."""
    try:
        return asyncio.run(work())
    except (ResponseError, ValueError) as error:
        return type(error), str(error)


async def by_records(page, schema):
    return record_batch(schema, await (await rows_of(page)).records())


async def by_columns(page, schema):
    return await (await rows_of(page, frozenset(schema.names))).batch(schema)


@settings(max_examples=cases(400, 20))
@given(rows=pages, spaces=st.booleans(), by_index=st.booleans())
def test_columns_are_those_of_the_records_and_fail_as_they_do(rows, spaces, by_index):
    page = page_of({str(n): row for n, row in enumerate(rows)} if by_index else rows, spaces=spaces)
    expected = outcome(lambda: by_records(page, SCHEMA))
    got = outcome(lambda: by_columns(page, SCHEMA))
    assert got == expected
    if not isinstance(got, tuple):
        got.validate(full=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("starttime", "aendtime") for value in ODD_TIMES),
        *((name, value) for name in ("id", "billsec") for value in ODD_NUMBERS),
        *((name, value) for name in ("userid", "callmethod") for value in ODD_TEXTS),
        ("recording", None),
        ("extra", "1"),
    ],
)
def test_each_odd_value_becomes_in_columns_what_it_becomes_in_a_record(name, value):
    page = page_of([ROW, ROW | {name: value}])
    assert outcome(lambda: by_columns(page, SCHEMA)) == outcome(lambda: by_records(page, SCHEMA))


async def written(page, read):
    """What is written of a page to a CSV file and to one of JSON Lines."""
    calls = await read(await rows_of(page))
    return csv_lines(calls), json_lines(calls)


@settings(max_examples=cases(400))
@given(rows=pages)
def test_texts_are_written_as_the_records_are_and_fail_as_they_do(rows):
    page = page_of(rows)
    assert outcome(lambda: written(page, Rows.texts)) == outcome(lambda: written(page, Rows.records))


@pytest.mark.parametrize("name", ["starttime", "aendtime"])
@pytest.mark.parametrize("value", ODD_TIMES)
def test_each_odd_time_is_written_as_that_of_a_record(name, value):
    page = page_of([ROW, ROW | {name: value}])
    assert outcome(lambda: written(page, Rows.texts)) == outcome(lambda: written(page, Rows.records))


def test_documented_rows_become_texts_without_a_record():
    async def texts():
        return await (await rows_of(page_of([ROW]))).texts()

    assert not isinstance(asyncio.run(texts())[0], Cdr)


ODD_BODIES = {
    "a field twice": b'[{"id": 1, "userid": "a", "userid": "b"}]',
    "an id twice": b'[{"id": 1, "id": 2}]',
    "half a character": rb'[{"id": 1, "userid": "\ud800"}]',
    "NaN": b'[{"id": 1, "billsec": NaN}]',
    "no JSON": b'[{"id": 1, "billsec": 01}]',
    "a row that is no object": b'[{"id": 1}, 2]',
    "a row that is nothing": b"[null]",
    "no list": b'"1"',
    "an object": b'{"id": 1}',
    "rows without end": b'[{"id": 1, "recording": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
    "an object without end": b'[{"id": 1, "userid": ' + b'{"a":' * 99_999 + b"1" + b"}" * 99_999 + b"}]",
    "lines": b'[\r\n{"id"\n:\n1},\n\n{"id":2}\n]',
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
def test_an_odd_body_is_the_same_to_columns_as_to_records(body):
    page = page_of(body)
    assert outcome(lambda: by_columns(page, SCHEMA)) == outcome(lambda: by_records(page, SCHEMA))


def straight(page, schema):
    """The columns of rows that are documented as far as they are read."""
    rows = page.rows(frozenset(schema.names))
    columns = {name: column for step in columns_of(rows, schema) for name, column in step.items()}
    return pa.record_batch(columns).select(schema.names)


@settings(max_examples=cases(150, 10))
@given(rows=st.lists(documented, min_size=1, max_size=4))
@example(rows=[ROW])
@example(rows=[{name: ROW[name] for name in ("id", "starttime")}])
def test_documented_rows_become_columns_without_a_record(rows):
    page = page_of(rows)
    assert straight(page, SCHEMA) == asyncio.run(by_records(page, SCHEMA))


@settings(max_examples=cases(150, 10))
@given(rows=st.lists(documented, min_size=1, max_size=6), chance=st.randoms(use_true_random=False), whole=st.booleans())
def test_some_of_the_rows_become_those_columns_and_those_records(rows, chance, whole):
    places = sorted(chance.sample(range(len(rows)), chance.randint(1, len(rows))))
    page = page_of([row | ({} if whole else {"billsec": "1"}) for row in rows])

    async def made():
        few = frozenset({"id", "billsec"})
        some = [(await rows_of(page, columns)).pick(places) for columns in (few, ALL, few)]
        assert all(these.ids == [rows[place]["id"] for place in places] for these in some)
        return await some[0].batch(SCHEMA), await some[1].records(), await some[2].records()

    batch, records, again = asyncio.run(made())
    assert again == records
    assert batch == record_batch(SCHEMA, records)


@pytest.mark.parametrize("columns", [frozenset({"id"}), ALL])
@pytest.mark.parametrize("make", [Rows.records, lambda rows: rows.batch(SCHEMA)])
def test_an_error_of_a_row_that_was_picked_names_its_number_on_the_page(columns, make):
    page = page_of([ROW, ROW | {"id": 2, "starttime": "yesterday"}])

    async def made():
        return await make((await rows_of(page, columns)).pick([1]))

    with pytest.raises(ResponseError, match=r"page 7.*: row 2, field starttime is no time"):
        asyncio.run(made())


@pytest.mark.parametrize("columns", [["id"], ["billsec", "starttime"], ["extra", "id"], ["extra"], ["userid"], []])
@pytest.mark.parametrize("odd", [{}, {"callmethod": 4}, {"recording": 1}])
def test_some_columns_are_those_of_all(columns, odd):
    page = page_of([ROW, ROW | {"id": 7, "billsec": 9} | odd])
    schema = call_schema(columns)
    batch = asyncio.run(by_columns(page, schema))
    assert batch == asyncio.run(by_columns(page, SCHEMA)).select(columns)
    assert batch.num_rows == 2


def test_a_field_that_no_column_holds_is_not_read():
    page = page_of([ROW | {"clientip": {"not": "documented"}}])
    columns = ["id", "starttime"]
    assert straight(page, call_schema(columns)).num_rows == 1
    assert type(page.rows()[0]) is not row_type(ALL)
    with pytest.raises(ResponseError, match="clientip"):
        asyncio.run(by_columns(page, SCHEMA))


@settings(max_examples=cases(400, 20))
@given(times=st.lists(a_time | st.sampled_from(ODD_TIMES) | st.text("-: 0129T\n", max_size=40), max_size=4))
@example(times=["2020-06-10T16:04:57"])
@example(times=["", "2020-06-10 16:04:57"])
def test_times_compare_as_texts_where_all_can_be_read(times):
    page = page_of([ROW | {"starttime": time} for time in times])

    async def texts():
        return (await rows_of(page)).times("starttime")

    expected = outcome(lambda: _records_of(page))
    if isinstance(expected, tuple):
        return  # the reader gets an error
    got = outcome(texts)
    assert got == Rows(expected).times("starttime")


async def _records_of(page):
    return await (await rows_of(page)).records()
