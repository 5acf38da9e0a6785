"""The platform's time."""

import asyncio
from datetime import datetime, timedelta

import clock
import pytest

from infin8_async import BEIJING
from infin8_async._wire.clock import PlatformClock

NOON = datetime(2020, 6, 10, 12, tzinfo=BEIJING)
SECOND = timedelta(seconds=1)


def test_after_an_answer_the_hosts_clock_plays_no_part():
    async def main():
        platform = PlatformClock(lambda: NOON + timedelta(days=3))
        assert platform.now() == NOON + timedelta(days=3)
        platform.hear({"Date": "Wed, 10 Jun 2020 04:00:00 GMT"})
        assert abs(platform.now() - NOON) < SECOND
        await asyncio.sleep(90)
        assert abs(platform.now() - NOON - 90 * SECOND) < SECOND

    clock.run(main())


@pytest.mark.parametrize(
    "headers", [{}, {"Date": ""}, {"Date": "today"}, {"Date": "Wed, 99 Jun 2020 04:00:00 GMT"}, {"Date": "0" * 500}]
)
def test_a_date_that_cant_be_read_changes_nothing(headers):
    async def main():
        platform = PlatformClock(lambda: NOON)
        platform.hear(headers)
        assert platform.now() == NOON

    clock.run(main())


def test_a_date_without_a_zone_is_universal_time():
    async def main():
        platform = PlatformClock(lambda: NOON)
        platform.hear({"Date": "Wed, 10 Jun 2020 05:00:00 -0000"})
        assert abs(platform.now() - NOON - timedelta(hours=1)) < SECOND

    clock.run(main())


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, None), (9, None), (-9, None), (-300, "is 300 s slow"), (61, "is 61 s fast")]
)
def test_a_clock_that_is_more_than_ten_seconds_wrong_is_warned_about_once(seconds, words, caplog):
    async def main():
        platform = PlatformClock(lambda: NOON + timedelta(seconds=seconds))
        for _ in range(3):
            platform.hear({"Date": "Wed, 10 Jun 2020 04:00:00 GMT"})

    clock.run(main())
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == (words is not None)
    assert words is None or words in messages[0]
