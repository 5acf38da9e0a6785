"""Reading ahead: what becomes of pages that nobody comes for."""

import asyncio
import gc

import pytest
from simulation import WINDOW, Platform

from infin8_async._pull.scan import Scan
from infin8_async._wire.transport import Tally
from infin8_async.stream import CdrStream


@pytest.mark.filterwarnings("error")
def test_a_stream_that_is_collected_after_its_loop_has_closed_says_nothing(caplog):
    platform = Platform([(second, second) for second in range(1, 100)])
    for_ever: list[asyncio.Task] = []

    def start(query, page, rows):
        if page == 1:
            return platform.start(query, page, rows)
        for_ever.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))
        return for_ever[-1]

    scan = Scan(WINDOW, start, concurrency=4, per_page=10, integrity="repair")
    held = [CdrStream(scan, Tally())]
    del scan
    loop = asyncio.new_event_loop()
    loop.run_until_complete(anext(held[0]))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    held.clear()
    gc.collect()
    assert len(for_ever) == 4
    assert not caplog.records
    for task in for_ever:
        task._log_destroy_pending = False  # asyncio complains of a loop closed in this way; the stream must not
