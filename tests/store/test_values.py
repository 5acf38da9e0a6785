"""Whatever the platform can send is stored, and reads back equal, on every database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import evolve, fields
from databases import sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiles import THOROUGH, cases

from infin8_async import BEIJING, CallDirection, Cdr, CdrQuery
from infin8_async.store import CdrStore, SaveResult

START = datetime(2020, 6, 10, tzinfo=BEIJING)


def no_pairs(text):
    """Two halves of one character come from JSON as that character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


texts = st.text(max_size=20).map(no_pairs) | st.text(st.characters(categories=["Cs", "So", "Cc"]), max_size=5).map(
    no_pairs
)
# Some texts of 10,000 characters, which no compression makes small.
texts |= st.integers(1, 10**6).map(lambda n: "".join(chr(33 + (n * k * k) % 20_000) for k in range(1, 10_001)))
numbers = st.integers(-(2**70), 2**70) | st.integers(-5, 5)
ids = st.integers(-(2**63), 2**63 - 1)
zones = st.sampled_from([BEIJING, UTC, timezone(timedelta(hours=-6))])
times = st.none() | st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).flatmap(
    lambda time: zones.map(lambda zone: time.replace(tzinfo=zone, microsecond=0))
)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
cdrs = st.builds(
    Cdr,
    id=ids,
    **{
        field.name: numbers if field.type is int else times if field.type == datetime | None else texts
        for field in fields(Cdr)
        if field.name not in ("id", "extra")
    },
    extra=st.dictionaries(texts, json, max_size=3),
)


@settings(max_examples=cases(25), suppress_health_check=list(HealthCheck))
@given(calls=st.lists(cdrs, min_size=1, max_size=4, unique_by=lambda cdr: cdr.id))
async def test_every_value_comes_back_equal_and_counts_as_unchanged(url, calls):
    async with CdrStore(url) as store:
        await sql(url, "DELETE FROM cdrs")  # those of the last example
        assert await store.save(calls) == SaveResult(inserted=len(calls))
        assert {cdr.id: cdr async for cdr in store} == {cdr.id: cdr for cdr in calls}
        assert await store.save(calls) == SaveResult(unchanged=len(calls))


ODD = [
    {"userid": "a\0b"},
    {"userid": "\ud800"},
    {"userid": "😀" * 10_000},
    {"callnumber": "".join(chr(33 + (k * k) % 20_000) for k in range(10_000))},
    {"duration": 2**31},
    {"duration": 2**63},
    {"billsec": -(2**80)},
    {"starttime": datetime(1, 1, 1, tzinfo=BEIJING)},
    {"endtime": datetime(9999, 12, 31, 23, 59, 59, tzinfo=BEIJING)},
    {"answertime": datetime(1969, 7, 20, 12, tzinfo=BEIJING)},
    {"answertime": datetime(2038, 7, 20, 12, tzinfo=BEIJING)},
    {"answertime": START + timedelta(microseconds=7)},
    {"extra": {"nul": "a\0b", "a\0b": ["\udfff", {"deep": 1e16}], "": 2**64}},
    {"extra": {"infin8_async.originals": {"id": 5}}},
    {"starttime": datetime(1, 1, 1, tzinfo=BEIJING), "extra": {"infin8_async.originals": 1}},
    {"context": "a\0b", "callmethod": "\0"},
]


@pytest.mark.parametrize("odd", [[odd] for odd in ODD] if THOROUGH else [ODD], ids=lambda odd: repr(odd[0]))
async def test_an_odd_value_stops_nothing_and_is_read_as_it_came(url, odd):
    calls = [
        Cdr(id=1, starttime=START),
        *(evolve(Cdr(id=number, starttime=START), **value) for number, value in enumerate(odd, 10)),
        Cdr(id=3, context="callin"),
    ]
    async with CdrStore(url) as store:
        assert await store.save(calls) == SaveResult(inserted=len(calls))
        there = {cdr.id: cdr async for cdr in store}
        assert there == {cdr.id: cdr for cdr in calls}
        assert isinstance(there[3].context, CallDirection)
        assert await store.save(calls) == SaveResult(unchanged=len(calls))


async def test_a_time_of_another_zone_is_the_same_instant(url):
    there = datetime(2020, 6, 10, 12, tzinfo=UTC)
    async with CdrStore(url) as store:
        await store.save([Cdr(id=1, starttime=there)])
        (cdr,) = [cdr async for cdr in store]
    assert cdr.starttime == there
    assert cdr.starttime.utcoffset() == timedelta(hours=8)
    (value,) = (await sql(url, "SELECT starttime FROM cdrs"))[0]
    assert str(value).startswith("2020-06-10 12" if url.startswith("postgres") else "2020-06-10 20")


async def test_a_stand_in_is_what_sql_sees_and_what_a_filter_finds(url):
    number = "\0" + "9" * 10_000
    async with CdrStore(url) as store:
        await store.save([Cdr(id=1, callnumber=number, starttime=START)])
        found = [cdr async for cdr in store.cdrs(CdrQuery(START, callnumber=number))]
        assert [cdr.callnumber for cdr in found] == [number]
    if url.startswith("postgres"):
        (value,) = (await sql(url, "SELECT callnumber FROM cdrs"))[0]
        assert value == "\N{REPLACEMENT CHARACTER}" + "9" * 499


async def test_a_naive_time_and_an_id_beyond_64_bits_are_refused_and_nothing_is_saved(url):
    async with CdrStore(url) as store:
        with pytest.raises(ValueError, match="naive"):
            await store.save([Cdr(id=1), Cdr(id=2, starttime=datetime(2020, 6, 10))])
        with pytest.raises(ValueError, match="64 bits"):
            await store.save([Cdr(id=1), Cdr(id=2**63)])
        assert [cdr async for cdr in store] == []


async def test_a_number_that_a_float_cannot_hold_is_not_updated_for_ever(url):
    async with CdrStore(url) as store:
        cdr = Cdr(id=1, extra={"large": 1e16, "larger": 1e300, "b": 1, "a": {"d": 1, "c": 2}})
        await store.save([cdr])
        same = Cdr(id=1, extra={"a": {"c": 2, "d": 1}, "b": 1, "larger": 1e300, "large": 1e16})
        assert await store.save([same]) == SaveResult(unchanged=1)
