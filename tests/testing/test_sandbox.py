"""The sandbox, with a plain HTTP client: it must not share the mistakes of ours."""

import asyncio
import gc
import json
import sys
from collections import Counter
from datetime import date, datetime, timedelta

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import cases

from infin8_async import BEIJING, Credentials
from infin8_async.testing import Sandbox

FORM = {
    "appid": "sandbox-app",
    "accesskey": "sandbox-key",
    "username": "sandbox",
    "starttime": "2020-06-10 00:00:00",
    "endtime": "2020-06-10 23:59:59",
}


async def post(sandbox: Sandbox, **fields):
    form = {name: value for name, value in (FORM | fields).items() if value is not None}
    async with aiohttp.ClientSession() as http, http.post(f"{sandbox.base_url}/api/cdrs", data=form) as response:
        return await response.json()


class TestCalls:
    def test_they_begin_and_end_within_the_times_that_are_given(self):
        begin, end = (datetime(2020, 6, 10, hour, 59, 50, tzinfo=BEIJING) for hour in (8, 10))
        sandbox = Sandbox(2000, start=begin, until=end, first_id=7)
        rows = list(sandbox.rows())
        assert {row["id"] for row in rows} == set(range(7, 2007))
        assert min(row["starttime"] for row in rows) >= "2020-06-10 08:59:50"
        assert max(row["endtime"] for row in rows) == "2020-06-10 10:59:50"
        for row in rows:
            start, stop = (datetime.fromisoformat(row[name]) for name in ("starttime", "endtime"))
            assert (stop - start).total_seconds() == row["duration"] >= row["billsec"]
        assert {row["starttime"][11:13] for row in rows} == {"08", "09", "10"}

    @given(st.integers(0, 3 * 86_400), st.integers(0, 3 * 86_400))
    @settings(max_examples=cases(50))
    def test_a_window_of_any_length_has_its_calls(self, begin, length):
        first = datetime(2020, 6, 10, tzinfo=BEIJING) + timedelta(seconds=begin)
        rows = list(Sandbox(20, start=first, until=first + timedelta(seconds=length)).rows())
        ends = [f"{first + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}" for seconds in (0, length)]
        assert len(rows) == 20
        assert all(ends[0] <= row["starttime"] <= row["endtime"] <= ends[1] for row in rows)

    def test_an_end_before_the_beginning_is_refused(self):
        with pytest.raises(ValueError, match="until is before start"):
            Sandbox(1, until=datetime(2020, 6, 9, tzinfo=BEIJING))

    def test_what_happens_in_one_sandbox_is_not_seen_in_the_next(self):
        one, other = Sandbox(3), Sandbox(3)
        before = list(other.rows())
        one.add_call()
        one.remove_call(one.ids()[0])
        assert list(other.rows()) == list(Sandbox(3).rows()) == before

    def test_the_same_seed_makes_the_same_calls_and_another_seed_others(self):
        one, same, other = (list(Sandbox(200, seed=seed).rows()) for seed in (1, 1, 2))
        assert one == same != other

    def test_they_are_believable(self):
        sandbox = Sandbox(20_000, days=2)
        rows = list(sandbox.rows())
        hours = Counter(row["starttime"][11:13] for row in rows)
        assert len(rows) == len(sandbox) == 20_000
        assert hours["10"] > 10 * hours["03"] > 0
        assert {row["starttime"][:10] for row in rows} == {"2020-06-10", "2020-06-11"}
        assert {row["context"] for row in rows} == {"callin", "callout"}
        assert {row["callmethod"] for row in rows} == set("123456")
        answered = [row for row in rows if row["answertime"]]
        assert 0.4 < len(answered) / len(rows) < 0.8
        for row in rows:
            start, end = (datetime.fromisoformat(row[name]) for name in ("starttime", "endtime"))
            assert (end - start).total_seconds() == row["duration"]
            assert bool(row["billsec"]) == bool(row["answertime"])
            assert bool(row["anumber"]) == (row["callmethod"] == "4")
            if row["callmethod"] == "4":
                assert row["astarttime"] < row["aanswertime"] == row["starttime"]
                assert row["abillsec"] == row["duration"]

    @given(st.integers(0, 500), st.integers(0, 2**40))
    @settings(max_examples=cases(20))
    def test_ids_are_unique_and_follow_the_order_in_which_calls_end(self, calls, seed):
        rows = list(Sandbox(calls, seed=seed, order="id").rows())
        assert len({row["id"] for row in rows}) == calls
        assert [row["endtime"] for row in rows] == sorted(row["endtime"] for row in rows)

    def test_newest_and_oldest_go_by_dial_time(self):
        newest, oldest = (Sandbox(300, order=order).ids() for order in ("newest", "oldest"))
        assert newest == oldest[::-1]

    def test_an_added_call_is_the_newest_and_can_be_removed(self):
        sandbox = Sandbox(50)
        call = sandbox.add_call(billsec=7)
        assert sandbox.ids()[0] == call
        assert next(sandbox.rows())["billsec"] == 7
        sandbox.remove_call(call)
        assert len(sandbox) == 50
        with pytest.raises(KeyError):
            sandbox.remove_call(call)
        with pytest.raises(ValueError, match="colour"):
            sandbox.add_call(colour="red")

    def test_an_empty_centre_can_be_filled_by_hand(self):
        sandbox = Sandbox(0, start=date(2024, 2, 29))
        sandbox.add_call(id=7)
        assert [(row["id"], row["starttime"]) for row in sandbox.rows()] == [(7, "2024-02-29 00:00:01")]


class TestProtocol:
    async def test_the_envelope_is_the_documented_one(self):
        async with Sandbox(25, order="oldest") as sandbox:
            answer = await post(sandbox, page="3", per_page="10")
            assert answer == {
                "code": 1,
                "msg": "successful request",
                "data": {"data": list(sandbox.rows())[20:], "page": 3, "per_page": 10, "total": 25},
            }

    async def test_page_and_size_have_their_documented_defaults_and_a_cap_is_echoed(self):
        async with Sandbox(25, max_per_page=20) as sandbox:
            assert (data := (await post(sandbox))["data"])["page"] == 1
            assert data["per_page"] == len(data["data"]) == 10
            assert (await post(sandbox, per_page="1000"))["data"]["per_page"] == 20
            beyond = (await post(sandbox, page="9"))["data"]
            assert (beyond["data"], beyond["total"]) == ([], 25)

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            *(({name: None}, 1001) for name in FORM),
            ({"username": None, "ip": "127.0.0.1"}, 1),
            ({"appid": "other"}, 1005),
            ({"accesskey": "other"}, 1005),
            ({"username": "other"}, 1005),
            ({"username": None, "ip": "10.0.0.1"}, 1005),
            ({"starttime": "2020-06-10"}, 1001),
            ({"endtime": "2020-06-31 00:00:00"}, 1001),
            ({"page": "0"}, 1001),
            ({"per_page": "many"}, 1001),
            ({"context": "sideways"}, 1001),
            ({"callmethod": "7"}, 1001),
            ({"callmethod": "0"}, 1),
            ({"callnumber": "+44 1"}, 1008),
            ({"extnumber": "x"}, 1008),
        ],
    )
    async def test_each_request_gets_its_documented_code(self, infin8_sandbox, fields, code):
        assert (await post(infin8_sandbox, **fields))["code"] == code

    async def test_permission_and_credentials_are_settable(self):
        async with Sandbox(1, permitted=False, credentials=Credentials("a", "k", username="u")) as sandbox:
            assert (await post(sandbox))["code"] == 1005
            refused = await post(sandbox, appid="a", accesskey="k", username="u")
            assert (refused["code"], refused["msg"]) == (1006, "Insufficient permissions on the interface")

    @pytest.mark.parametrize(("bounds", "held"), [("[]", "abc"), ("[)", "ab"), ("(]", "bc"), ("()", "b")])
    async def test_the_bounds_of_a_window_are_as_asked_for(self, bounds, held):
        async with Sandbox(0, bounds=bounds, order="oldest") as sandbox:
            for second, name in enumerate("abc"):
                sandbox.add_call(starttime=f"2020-06-10 00:00:0{second}", userid=name)
            data = (await post(sandbox, endtime="2020-06-10 00:00:02"))["data"]
        assert "".join(row["userid"] for row in data["data"]) == held
        assert data["total"] == len(held)

    @pytest.mark.parametrize(
        ("compares", "held"), [("starttime", {1, 2, 3}), ("answertime", {2, 4}), ("endtime", {3, 4})]
    )
    async def test_the_time_compared_is_as_asked_for_and_a_call_without_it_is_in_no_window(self, compares, held):
        inside, outside = "2020-06-10 12:00:00", "2020-06-09 12:00:00"
        async with Sandbox(0, compares=compares, bounds="()") as sandbox:
            sandbox.add_call(id=1, starttime=inside, answertime="", endtime="")
            sandbox.add_call(id=2, starttime=inside, answertime=inside, endtime=outside)
            sandbox.add_call(id=3, starttime=inside, answertime="", endtime=inside)
            sandbox.add_call(id=4, starttime=outside, answertime=inside, endtime=inside)
            data = (await post(sandbox))["data"]
            assert (1 in sandbox.ids(endtime=FORM["endtime"])) == (compares == "starttime")
        assert {row["id"] for row in data["data"]} == held
        assert data["total"] == len(held)

    async def test_every_filter_gives_the_rows_that_have_its_value(self, infin8_sandbox):
        rows = list(infin8_sandbox.rows())
        for name in ("extnumber", "disnumber", "callnumber", "context", "callmethod", "userid", "memberid"):
            value = next(row[name] for row in rows if row[name])
            data = (await post(infin8_sandbox, per_page="1000", **{name: value}))["data"]
            assert data["data"] == [row for row in rows if row[name] == value]
            assert data["total"] == len(data["data"]) > 0

    async def test_shuffled_ties_come_in_another_order_at_each_request_and_the_same_for_the_same_seed(self):
        seen = []
        for _ in range(2):
            async with Sandbox(0, ties="shuffled", seed=5) as sandbox:
                for _ in range(30):
                    sandbox.add_call(starttime="2020-06-10 12:00:00")
                answers = [await post(sandbox, per_page="30") for _ in range(3)]
                seen.append([[row["id"] for row in answer["data"]["data"]] for answer in answers])
        assert seen[0] == seen[1]
        assert len({tuple(order) for order in seen[0]}) == 3


class TestControl:
    async def test_it_records_requests_and_hides_the_key_in_their_repr(self, infin8_sandbox):
        await post(infin8_sandbox, page="2")
        (request,) = infin8_sandbox.requests
        assert (request.page, request.per_page, request.form["accesskey"]) == (2, 10, "sandbox-key")
        assert "sandbox-key" not in repr(request)

    async def test_a_hook_may_change_the_list_before_an_answer_or_hold_it_back(self):
        hold = asyncio.Event()

        async def before(request) -> None:
            sandbox.add_call()
            await hold.wait()

        async with Sandbox(0, on_request=before) as sandbox:
            asking = asyncio.create_task(post(sandbox))
            await sandbox.wait_for_requests(1)
            assert (sandbox.in_flight, sandbox.connections) == (1, 1)
            hold.set()
            assert (await asking)["data"]["total"] == 1
            assert (sandbox.in_flight, sandbox.most_in_flight) == (0, 1)

    @pytest.mark.parametrize("waits", [False, True])
    async def test_without_a_snapshot_the_list_may_change_between_count_and_rows(self, waits):
        def between(request):
            sandbox.remove_call(sandbox.ids()[0])
            return asyncio.sleep(0) if waits else None

        async with Sandbox(3, snapshot=False, between=between) as sandbox:
            data = (await post(sandbox))["data"]
        assert (data["total"], len(data["data"])) == (3, 2)

    async def test_without_a_snapshot_others_have_a_turn_between_count_and_rows(self):
        for snapshot, seen in ((True, 0), (False, 1)):
            async with Sandbox(0, snapshot=snapshot) as sandbox:
                sandbox.on_request = lambda _: asyncio.get_running_loop().call_soon(sandbox.add_call) and None
                data = (await post(sandbox))["data"]
            assert (data["total"], len(data["data"])) == (0, seen)

    async def test_a_count_is_kept_for_its_age_by_query_and_rows_are_fresh(self, monkeypatch):
        now = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        async with Sandbox(1, count_age=2.0) as sandbox:
            seen = []
            for now in (1000.0, 1001.9, 1002.0):  # noqa: B007  # the clock of the loop
                data = (await post(sandbox))["data"]
                seen.append((data["total"], len(data["data"])))
                sandbox.add_call()
            assert seen == [(1, 1), (1, 2), (3, 3)]
            assert (await post(sandbox, endtime="2020-06-11 00:00:00"))["data"]["total"] == 4

    async def test_live_calls_appear_by_themselves_at_the_real_time(self):
        async with Sandbox(0, live=500.0) as sandbox:
            async with asyncio.timeout(10):
                while len(sandbox) < 5:
                    await asyncio.sleep(0)
            ends = [datetime.fromisoformat(row["endtime"]).replace(tzinfo=BEIJING) for row in sandbox.rows()]
        assert all(abs(end - datetime.now(BEIJING)) < timedelta(hours=6) for end in ends)

    async def test_latency_may_depend_on_the_request(self):
        async with Sandbox(1, latency=lambda request: 3600.0 if request.page == 2 else 0.0) as sandbox:
            slow = asyncio.create_task(post(sandbox, page="2"))
            await post(sandbox)
            assert not slow.done()
            slow.cancel()

    @pytest.mark.parametrize(
        "options",
        [
            {"calls": -1},
            {"days": 0},
            {"max_per_page": 0},
            {"live": -1.0},
            {"order": "up"},
            {"ties": ""},
            {"bounds": "||"},
            {"compares": "atime"},
            {"count_age": -1.0},
            {"between": lambda _: None},
        ],
    )
    def test_options_that_make_no_sense_are_refused(self, options):
        with pytest.raises(ValueError, match=next(iter(options))):
            Sandbox(**options)

    async def test_a_sandbox_that_is_not_running_says_so(self):
        with pytest.raises(RuntimeError, match="async with"):
            _ = Sandbox(0).base_url


class TestFaults:
    async def ask(self, sandbox: Sandbox, page="1"):
        try:
            async with aiohttp.ClientSession() as http:
                async with http.post(f"{sandbox.base_url}/api/cdrs", data=FORM | {"page": page}) as response:
                    return response.status, await response.read()
        except aiohttp.ClientError as error:
            return type(error).__mro__

    async def test_each_kind_is_what_it_says(self, infin8_sandbox):
        _, right = await self.ask(infin8_sandbox)
        infin8_sandbox.fail(status=503, body=b"busy")
        assert await self.ask(infin8_sandbox) == (503, b"busy")
        infin8_sandbox.fail(body=b"\xff")
        assert await self.ask(infin8_sandbox) == (200, b"\xff")
        infin8_sandbox.fail(code=1000)
        _, body = await self.ask(infin8_sandbox)
        assert json.loads(body) == {"code": 1000, "msg": "system error", "data": []}
        infin8_sandbox.fail(cut=True)
        assert aiohttp.ClientPayloadError in await self.ask(infin8_sandbox)
        infin8_sandbox.fail(reset=True)
        assert aiohttp.ClientOSError in await self.ask(infin8_sandbox)
        infin8_sandbox.fail(drip=0.0)
        assert await self.ask(infin8_sandbox) == (200, right)
        assert await self.ask(infin8_sandbox) == (200, right)

    async def test_they_come_in_order_for_a_number_of_requests_and_only_for_their_page(self, infin8_sandbox):
        infin8_sandbox.fail(2, page=2, status=500)
        infin8_sandbox.fail(status=502)
        assert [(await self.ask(infin8_sandbox, page))[0] for page in "12222"] == [502, 500, 500, 200, 200]

    async def test_a_fault_for_ever_lasts_until_it_is_forgotten(self, infin8_sandbox):
        infin8_sandbox.fail(None, status=500)
        assert {(await self.ask(infin8_sandbox))[0] for _ in range(5)} == {500}
        infin8_sandbox.recover()
        assert (await self.ask(infin8_sandbox))[0] == 200

    async def test_a_hang_ends_with_the_sandbox(self):
        async with Sandbox(1) as sandbox:
            sandbox.fail(hang=True)
            asking = asyncio.create_task(self.ask(sandbox))
            await sandbox.wait_for_requests(1)
        assert aiohttp.ClientError in await asking

    @pytest.mark.parametrize(
        "kinds", [{}, {"cut": True, "reset": True}, {"times": 0, "cut": True}, {"code": 1, "status": 200}]
    )
    def test_a_fault_of_no_kind_or_two_is_refused(self, kinds):
        with pytest.raises(ValueError, match=r"fault is one of|times"):
            Sandbox(0).fail(**kinds)


async def test_it_may_be_collected_in_any_thread(monkeypatch):
    """As garbage is: in whichever thread happens to run."""
    trouble = []
    monkeypatch.setattr(sys, "unraisablehook", trouble.append)
    sandboxes = [Sandbox(1)]

    def collect():
        sandboxes.clear()
        gc.collect()

    await asyncio.to_thread(collect)
    assert not trouble
