"""`infin8 audit`, as its users run it."""

import json

from program import against

from infin8_async.testing import Sandbox


class TestAudit:
    WINDOW = ("--start", "2020-06-10 00:00:00", "--end", "2020-06-12 23:59:59")

    async def test_says_that_all_agrees_with_one_request(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with Sandbox(300, days=3) as sandbox:
            await against(sandbox, "sync", url, *self.WINDOW)
            before = len(sandbox.requests)
            ran = await against(sandbox, "audit", url, *self.WINDOW)
            assert len(sandbox.requests) == before + 1
            deep = await against(sandbox, "audit", url, *self.WINDOW, "--deep")
            document = await against(sandbox, "audit", url, *self.WINDOW, "--json")
        assert (document.code, document.err) == (0, "")
        assert json.loads(document.out) == {"agrees": True, "held": 300, "counted": 300, "days": []}
        assert (ran.code, ran.out, ran.err) == (0, "", "300 calls in the store, as on the platform, in number.\n")
        assert (deep.code, deep.err) == (0, "300 calls in the store, as on the platform, call for call.\n")

    async def test_shows_the_days_that_differ_and_exits_1(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'calls.db'}"
        async with Sandbox(300, days=3) as sandbox:
            await against(sandbox, "sync", url, *self.WINDOW)
            new = sandbox.add_call(starttime="2020-06-11 12:00:00", endtime="2020-06-11 12:01:00")
            ran = await against(sandbox, "audit", url, *self.WINDOW)
            deep = await against(sandbox, "audit", url, *self.WINDOW, "--deep", "--json")
            assert ran.code == deep.code == 1
            heading, row = ran.out.splitlines()
            assert heading.split() == ["day", "in", "Beijing", "in", "the", "store", "on", "the", "platform"]
            day, held, counted = row.split()
            assert (day, int(counted) - int(held)) == ("2020-06-11", 1)
            assert ran.err == "NOT THE SAME: 300 calls in the store, 301 on the platform; 1 day differs.\n"
            document = json.loads(deep.out)
            assert (document["agrees"], document["held"], document["counted"]) == (False, 300, 301)
            assert [(day["day"], day["missing"]) for day in document["days"]] == [("2020-06-11", [new])]
            ran = await against(sandbox, "sync", url, *self.WINDOW, "--deep")
            assert "1 call new" in ran.err
            assert (await against(sandbox, "audit", url, *self.WINDOW, "--deep")).code == 0
