"""Figures of record batches are those of the calls in them."""

import asyncio

import pyarrow as pa
import pytest
from calls import call, cdrs, out
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import cases
from test_sums import zones

from infin8_async import Cdr
from infin8_async.export.arrow import call_schema, record_batch
from infin8_async.figures import figures

odd = st.builds(
    Cdr,
    id=st.integers(0, 2**63 - 1),
    context=st.sampled_from(["callin", "callout", ""]),
    callmethod=st.sampled_from(["1", "4", ""]),
    disnumber=st.text(st.characters(codec="utf-8"), max_size=30) | st.from_regex(r"\A\+?[0-9 -]{1,25}\Z"),
    callnumber=st.text(st.characters(codec="utf-8"), max_size=30),
    **dict.fromkeys(
        ("starttime", "answertime", "endtime", "aanswertime"), st.none() | cdrs().map(lambda cdr: cdr.answertime)
    ),
    **dict.fromkeys(("billsec", "abillsec"), st.integers(-3, 100) | st.integers(-(2**63), 2**63 - 1)),
)


def batches(calls, size):
    return [record_batch(call_schema(), calls[at : at + size]) for at in range(0, len(calls), size)]


@settings(max_examples=cases(300, 20))
@given(st.lists(cdrs() | odd, max_size=40), st.integers(1, 40), zones, st.sampled_from([None, "extnumber"]))
def test_columns_give_the_same_figures_as_calls(calls, size, zone, by):
    async def both():
        of_calls = await figures(calls, zone=zone, by=by)
        return of_calls, await figures(batches(calls, size), zone=zone, by=by)

    of_calls, of_columns = asyncio.run(both())
    assert of_columns == of_calls
    assert of_columns.callbacks() == of_calls.callbacks()


async def test_parts_add_up_whether_they_were_calls_or_columns():
    calls = [call("9:00:00", 5, 60), call("9:10:00"), out("9:20:00", 3, 4000), call("10:00:00", number="13800000002")]
    assert await figures(calls[:2]) + await figures(batches(calls[2:], 1)) == await figures(calls)


async def test_other_types_of_the_same_values_are_read():
    calls = [call("9:00:00", 5, 60), call("9:10:00"), out("9:20:00", 3, 70)]
    [batch] = batches(calls, 10)
    table = pa.Table.from_batches([batch])
    for name, kind in {
        "starttime": pa.timestamp("us", "Asia/Shanghai"),
        "answertime": pa.timestamp("ns", "UTC"),
        "context": pa.dictionary(pa.int32(), pa.string()),
        "callnumber": pa.large_string(),
        "billsec": pa.int32(),
    }.items():
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    assert await figures(table.to_batches()) == await figures(calls)


async def test_a_column_that_is_missing_is_named():
    [batch] = batches([call("9:00:00")], 1)
    with pytest.raises(ValueError, match=r"missing: billsec, context$"):
        await figures([batch.drop_columns(["billsec", "context", "userid"])])


async def test_a_time_without_a_zone_is_refused():
    [batch] = batches([call("9:00:00")], 1)
    place = batch.schema.names.index("endtime")
    with pytest.raises(ValueError, match="endtime have no zone"):
        await figures([batch.set_column(place, "endtime", batch["endtime"].cast(pa.timestamp("ms")))])
