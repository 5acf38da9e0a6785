"""The rate test and the watch, against a sandbox, by a clock that jumps."""

import asyncio
import re
from datetime import datetime, timedelta

import pytest
from clock import run
from platforms import DAY, filled, session_of

from infin8_async import BEIJING, CdrQuery, TransportError
from infin8_async.probe import NOT_FOUND_OUT, ProbeReport, rate_test, watch
from infin8_async.testing import Quirks, Sandbox

NOTHING = ProbeReport({}, [])


async def pressed(sandbox: Sandbox, *, most_requests: int = 120, **options) -> ProbeReport:
    async with sandbox, session_of(sandbox, **options) as session:
        report = await rate_test(session, NOTHING, query=DAY, most_requests=most_requests)
    assert len(sandbox.requests) == report.requests <= most_requests
    return report


def values(report: ProbeReport) -> tuple[str, str]:
    return report.findings["rate_limit"].value, report.findings["useful_concurrency"].value


class TestRateTest:
    @pytest.mark.parametrize(
        ("quirks", "found"),
        [
            (Quirks(), ("none seen", "8")),
            (Quirks(workers=2), ("none seen", "2")),
            (Quirks(rate_limit=10), ("8", NOT_FOUND_OUT)),
            (Quirks(rate_limit=3), (NOT_FOUND_OUT, NOT_FOUND_OUT)),
        ],
    )
    def test_it_finds_the_limits_and_goes_on_only_until_the_first_429(self, quirks, found):
        sandbox = Sandbox(20, latency=0.05, quirks=quirks)
        assert values(run(pressed(sandbox))) == found

    def test_it_is_found_again_on_a_sandbox_like_the_platform(self):
        for quirks in (Quirks(workers=2), Quirks(rate_limit=10)):
            first = run(pressed(Sandbox(20, latency=0.05, quirks=quirks)))
            again = Sandbox.like(first, 20)
            again.latency = 0.05
            assert values(run(pressed(again))) == values(first)

    def test_a_session_that_holds_back_is_not_taken_for_the_platform(self):
        assert values(run(pressed(Sandbox(20, latency=0.05), max_rate=5.0))) == (NOT_FOUND_OUT, NOT_FOUND_OUT)
        assert values(run(pressed(Sandbox(20, latency=0.05), concurrency=2)))[1] == NOT_FOUND_OUT

    @pytest.mark.parametrize("most_requests", [1, 10, 40])
    def test_it_sends_no_more_than_it_may(self, most_requests):
        report = run(pressed(Sandbox(20, latency=0.05), most_requests=most_requests))
        assert report.findings["rate_limit"].value == NOT_FOUND_OUT


class TestWatch:
    async def watched(
        self, sandbox: Sandbox, *, minutes: float = 10, query: CdrQuery | None = None, **options
    ) -> ProbeReport:
        async with sandbox, session_of(sandbox) as session:
            report = await watch(session, NOTHING, duration=timedelta(minutes=minutes), query=query, **options)
        assert len(sandbox.requests) <= report.requests <= options.get("most_requests", 120)
        return report

    async def ringing(self, sandbox: Sandbox, *, every: float, lasts: float) -> ProbeReport:
        """Watch while calls appear when they end."""
        began, loop = datetime.now(BEIJING), asyncio.get_running_loop()
        zero = loop.time()

        async def ring():
            while True:
                await asyncio.sleep(every)
                end = began + timedelta(seconds=loop.time() - zero)
                start = end - timedelta(seconds=lasts)
                sandbox.add_call(
                    **{name: f"{it:%Y-%m-%d %H:%M:%S}" for name, it in (("starttime", start), ("endtime", end))}
                )

        ringing = asyncio.create_task(ring())
        try:
            return await self.watched(sandbox)
        finally:
            ringing.cancel()

    def test_it_finds_how_late_calls_come(self):
        report = run(self.ringing(Sandbox(0), every=40, lasts=300))
        late = int(report.findings["lateness"].value)
        assert 300 <= late <= 300 + 30 + 3
        assert any(line.startswith("lookback=timedelta(minutes=") for line in report.advice)

    def test_a_quiet_account_shows_nothing(self):
        report = run(self.watched(filled(Sandbox(0)), query=DAY))
        assert report.findings["lateness"].value == NOT_FOUND_OUT
        assert "of 240 calls 0 changed and 0 vanished" in report.findings["lateness"].evidence

    def test_calls_that_change_and_vanish_are_counted(self):
        def change(request):
            if len(sandbox.requests) == 4:
                first, second, *_ = sandbox.ids()
                sandbox.remove_call(first)
                sandbox.remove_call(second)
                sandbox.add_call(id=second, starttime="2020-06-10 10:00:00", billsec=7)

        sandbox = filled(Sandbox(0, on_request=change))
        evidence = run(self.watched(sandbox, query=DAY)).findings["lateness"].evidence
        assert "1 changed and 1 vanished" in evidence

    def test_more_calls_than_a_page_are_read_in_pages(self):
        report = run(self.watched(filled(Sandbox(0, max_per_page=100)), query=DAY, minutes=2))
        assert "of 240 calls" in report.findings["lateness"].evidence

    def test_if_no_query_is_given_it_watches_no_more_than_fits_on_a_page(self):
        today = datetime.now(BEIJING)
        sandbox = Sandbox(0, max_per_page=50)
        for minute in range(150):
            sandbox.add_call(starttime=f"{today - timedelta(minutes=minute):%Y-%m-%d %H:%M:%S}")
        evidence = run(self.watched(sandbox, minutes=1)).findings["lateness"].evidence
        assert 20 <= int(re.search(r"of (\d+) calls", evidence)[1]) <= 50

    def test_it_ends_when_its_requests_are_spent(self):
        report = run(self.watched(filled(Sandbox(0, max_per_page=100)), query=DAY, minutes=60, most_requests=3))
        assert "stopped after 3 requests" in report.findings["lateness"].evidence

    def test_the_error_of_the_first_request_is_raised(self):
        sandbox = Sandbox(0)
        sandbox.fail(None, reset=True)
        with pytest.raises(TransportError):
            run(self.watched(sandbox, query=DAY))

    def test_a_duration_that_is_none_is_refused(self):
        with pytest.raises(ValueError, match="duration"):
            run(self.watched(Sandbox(0), minutes=0))
