"""`infin8 sandbox`, and `--sandbox` of the other commands."""

import re
import signal
from datetime import date, datetime, timedelta

import pytest
from profiles import some
from program import BASE, PATIENCE, against, infin8, started

from infin8_async import BEIJING, CdrQuery
from infin8_async.cli.commands import sandbox as command
from infin8_async.cli.made_up import made_up
from infin8_async.models import platform_text
from infin8_async.testing import Order, Sandbox, Ties

DAY = CdrQuery.day(date(2019, 1, 1))


@pytest.mark.parametrize(
    "query",
    some([DAY, CdrQuery("2019-01-01 08:00:00", "2019-01-02 09:00:00"), CdrQuery.last(timedelta(seconds=90))], 2),
)
def test_the_sandbox_has_its_calls_in_whatever_window_is_asked_for(query):
    start, end = map(platform_text, query.ends)
    sandbox = made_up(query)
    assert len(list(sandbox.rows(starttime=start, endtime=end))) == len(sandbox) == 10_000


def test_no_call_lies_in_the_future():
    now = platform_text(datetime.now(BEIJING))
    rows = list(made_up(CdrQuery(datetime.now(BEIJING) - timedelta(minutes=5), None)).rows())
    assert max(row["endtime"] for row in rows) <= platform_text(datetime.now(BEIJING))
    assert min(row["starttime"] for row in rows) < now
    tomorrow = CdrQuery.day(datetime.now(BEIJING).date() + timedelta(days=1))
    assert len(made_up(tomorrow)) == 0


def test_two_days_have_other_calls_under_other_ids():
    one, other = (list(made_up(CdrQuery.day(date(2019, 1, day))).rows()) for day in (1, 2))
    assert {row["id"] for row in one}.isdisjoint(row["id"] for row in other)
    assert [row["callnumber"] for row in one] != [row["callnumber"] for row in other]


def test_a_command_has_ten_thousand_calls_in_its_window():
    assert infin8("count", "--sandbox", "--last", "2h").out == "10000\n"


def test_the_sandbox_says_how_to_point_a_client_at_it():
    with started("sandbox", "--calls", "123", "--days", "3", "--per-page-cap", "50", "--live", "0") as process:
        assert process.stdout
        env = dict(BASE)
        for line in process.stdout:
            if export := re.fullmatch(r"export (\w+)=(.*)\n", line):
                env[export[1]] = export[2]
            if line == "infin8 pull | head\n":
                break
        assert infin8("count", "--last", "4d", env=env).code == 0
        pulled = infin8("pull", "--start", "2020-01-01 00:00:00", "--end", "2099-01-01 00:00:00", env=env)
        assert (pulled.code, len(pulled.rows)) == (0, 123)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


def test_the_command_has_the_choices_of_the_sandbox():
    assert (command.Order, command.Ties) == (Order, Ties)


async def test_a_port_that_is_taken_is_one_line_and_1():
    async with Sandbox(calls=0) as sandbox:
        ran = await against(sandbox, "sandbox", "--calls", "0", "--port", sandbox.base_url.rpartition(":")[2])
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "address already in use" in ran.err
