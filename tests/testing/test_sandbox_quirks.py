"""What no document settles and the sandbox does in any way, with a plain HTTP client."""

import asyncio
import time
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from clock import run
from test_sandbox import FORM

from infin8_async.testing import Quirks, Sandbox


async def ask(sandbox: Sandbox, **fields):
    """The status, headers and decoded body of an answer."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{sandbox.base_url}/api/cdrs", data=FORM | fields) as response,
    ):
        return (
            response.status,
            response.headers,
            (await response.json(content_type=None) if response.status == 200 else None),
        )


async def page(sandbox: Sandbox, **fields) -> dict:
    _, _, body = await ask(sandbox, **fields)
    return body["data"]


@pytest.mark.parametrize("number", ["0", "9"])
@pytest.mark.parametrize(
    ("choice", "slots"), [("empty", slice(0, 0)), ("first", slice(0, 10)), ("last", slice(20, 25)), ("error", None)]
)
async def test_a_page_that_does_not_exist_gets_what_is_asked_for(number, choice, slots):
    quirks = Quirks(page_zero=choice) if number == "0" else Quirks(page_beyond_end=choice)
    async with Sandbox(25, quirks=quirks) as sandbox:
        _, _, body = await ask(sandbox, page=number)
        assert body["code"] == (1001 if slots is None else 1)
        if slots is not None:
            assert [row["id"] for row in body["data"]["data"]] == sandbox.ids()[slots]
        assert len((await page(sandbox, page="3"))["data"]) == 5


async def test_a_page_past_a_count_that_lags_has_the_rows_that_are_there():
    async with Sandbox(10, count_age=60.0) as sandbox:
        assert (await page(sandbox))["total"] == 10
        sandbox.add_call()
        late = await page(sandbox, page="2")
        assert (late["total"], len(late["data"])) == (10, 1)


@pytest.mark.parametrize(("echo", "says"), [("given", [20, 5]), ("asked", [1000, 5]), ("default", [10, 10])])
async def test_the_size_that_an_answer_names_may_be_another_than_its_own(echo, says):
    async with Sandbox(50, max_per_page=20, quirks=Quirks(echo=echo)) as sandbox:
        pages = [await page(sandbox, per_page=asked) for asked in ("1000", "5")]
        assert [len(it["data"]) for it in pages] == [20, 5]
        assert [it["per_page"] for it in pages] == says


def test_duration_hangups_and_undocumented_values_and_fields_are_as_asked_for():
    quirks = Quirks(
        duration_includes_talk=False,
        hangups=("10040", "10041"),
        unknown_fields=["uuid", "recordurl"],
        unknown_values=["context", "callmethod"],
    )
    rows = list(Sandbox(500, quirks=quirks).rows())
    assert all(row["duration"] <= 45 for row in rows)
    assert {row["hangupdirection"] for row in rows} == {"10040", "10041"}
    assert all({"uuid", "recordurl"} <= row.keys() for row in rows)
    for name, documented in (("context", {"callin", "callout"}), ("callmethod", set("123456"))):
        assert 0 < sum(row[name] not in documented for row in rows) < 150


async def test_every_tenth_call_may_come_and_be_counted_twice():
    async with Sandbox(100, quirks=Quirks(repeated_ids=True)) as sandbox:
        data = await page(sandbox, per_page="1000")
        ids = [row["id"] for row in data["data"]]
        assert (len(ids), len(set(ids)), data["total"], len(sandbox)) == (110, 100, 110, 110)


@pytest.mark.parametrize("order", ["id", "id descending", "none"])
@pytest.mark.parametrize("ties", ["stable", "shuffled"])
def test_orders_by_id_go_one_way_and_no_order_goes_none(order, ties):
    sandbox = Sandbox(200, order=order, ties=ties)
    first, second = sandbox.ids(), sandbox.ids()
    assert sorted(first) == sorted(second)
    assert (first == sorted(first), first == sorted(first, reverse=True)) == (order == "id", order == "id descending")
    assert (first == second) == (ties == "stable" or order != "none")


async def test_a_platform_that_compares_no_time_gives_all_for_every_window():
    async with Sandbox(30, compares="none") as sandbox:
        assert (await page(sandbox, starttime="2010-01-01 00:00:00", endtime="2010-01-02 00:00:00"))["total"] == 30


@pytest.mark.parametrize("coding", ["none", "gzip", "deflate"])
async def test_bodies_are_compressed_as_asked_for(coding):
    async with Sandbox(30, quirks=Quirks(compression=coding)) as sandbox:
        _, headers, body = await ask(sandbox)
        assert headers.get("Content-Encoding", "none") == coding
        assert body["data"]["total"] == 30
        _, headers, _ = await ask(sandbox, page="x")
        assert headers.get("Content-Encoding", "none") == coding


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_connections_stay_open_or_not(keep_alive):
    async with Sandbox(1, quirks=Quirks(keep_alive=keep_alive)) as sandbox:
        _, headers, _ = await ask(sandbox)
        assert ("close" not in headers.get("Connection", "")) == keep_alive


async def test_its_clock_may_be_wrong():
    async with Sandbox(1, quirks=Quirks(clock_skew=-3600.0)) as sandbox:
        _, headers, _ = await ask(sandbox)
        assert abs(parsedate_to_datetime(headers["Date"]).timestamp() + 3600 - time.time()) < 60


def test_workers_and_the_rate_limit_hold():
    async def main():
        async with Sandbox(1, latency=1.0, quirks=Quirks(workers=2)) as sandbox:
            start = asyncio.get_running_loop().time()
            await asyncio.gather(*(ask(sandbox) for _ in range(6)))
            assert 3 <= asyncio.get_running_loop().time() - start < 3.5
        async with Sandbox(1, quirks=Quirks(rate_limit=3)) as sandbox:
            answers = [await ask(sandbox) for _ in range(4)]
            assert [status for status, _, _ in answers] == [200, 200, 200, 429]
            assert answers[3][1]["Retry-After"] == "1"
            await asyncio.sleep(1)
            assert (await ask(sandbox))[0] == 200

    run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"page_zero": "none"},
        {"page_beyond_end": ""},
        {"echo": "silent"},
        {"compression": "br"},
        {"hangups": ()},
        {"unknown_values": ("extnumber",)},
        {"workers": 0},
        {"rate_limit": 0.5},
        {"clock_skew": float("inf")},
    ],
)
def test_quirks_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Quirks(**options)
