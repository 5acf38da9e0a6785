"""What the end of a block, of a session or of an object's life leaves behind: nothing."""

import asyncio
import gc
import threading
from contextlib import aclosing
from datetime import date

import aiohttp
import pytest

from infin8_async import CdrQuery, Infin8Session, RetryPolicy
from infin8_async.testing import Sandbox

DAY = CdrQuery.day(date(2020, 6, 10))


def session_of(sandbox: Sandbox, **options) -> Infin8Session:
    options = {"per_page": 100, "retry": RetryPolicy(3, 0, 0), **options}
    return Infin8Session(sandbox.credentials, base_url=sandbox.base_url, **options)


def run(coroutine) -> list[dict[str, object]]:
    """Run it in asyncio's debug mode, and give what the loop had to complain of."""
    complaints: list[dict[str, object]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        await asyncio.wait_for(coroutine, 60)
        gc.collect()

    asyncio.run(main(), debug=True)
    gc.collect()
    return complaints


async def until_none_is_in_flight(sandbox: Sandbox) -> None:
    while sandbox.in_flight:
        await asyncio.sleep(0)


class TestAbandoned:
    @pytest.mark.filterwarnings("error")
    def test_a_stream_that_is_collected_in_another_thread_cancels_its_requests(self):
        async def main() -> None:
            async with Sandbox(1000) as sandbox, session_of(sandbox, concurrency=4) as session:
                sandbox.fail(None, page=3, hang=True)
                held: list[object] = []
                held += [session.cdrs(DAY), held]  # as in the frames of a traceback: only the collector finds it
                await anext(held[0])
                await sandbox.wait_for_requests(5)
                gc.disable()
                del held
                thread = threading.Thread(target=gc.collect)
                try:
                    thread.start()
                    thread.join()
                finally:
                    gc.enable()
                await until_none_is_in_flight(sandbox)
                assert await session.count(DAY) == 1000

        assert run(main()) == []


class TestLeaving:
    def test_the_block_of_a_stream_that_another_task_reads_ends_its_request_and_tells_the_reader(self):
        async def main() -> None:
            async with Sandbox(1000) as sandbox, session_of(sandbox, concurrency=4) as session:
                sandbox.fail(None, page=2, hang=True)
                async with session.cdrs(DAY) as stream:
                    reader = asyncio.create_task(stream.collect())
                    await sandbox.wait_for_requests(5)
                with pytest.raises(RuntimeError, match="closed"):
                    await reader
                await until_none_is_in_flight(sandbox)
                arrived = len(sandbox.requests)
                assert await session.count(DAY) == 1000
                assert len(sandbox.requests) == arrived + 1

        assert run(main()) == []

    def test_the_block_of_a_stream_whose_first_page_another_task_waits_for(self):
        async def main() -> None:
            async with Sandbox(1000) as sandbox, session_of(sandbox) as session:
                sandbox.fail(1, hang=True)
                async with session.cdrs(DAY) as stream:
                    reader = asyncio.create_task(anext(stream))
                    await sandbox.wait_for_requests(1)
                with pytest.raises(RuntimeError, match="closed"):
                    await reader
                await until_none_is_in_flight(sandbox)

        assert run(main()) == []

    @pytest.mark.parametrize("fault", [{"hang": True}, {"status": 503}])
    @pytest.mark.parametrize(
        "wait",
        [
            lambda session: session.count(DAY),
            lambda session: session.page(DAY),
            lambda session: session.cdrs(DAY).collect(),
        ],
        ids=["count", "page", "stream"],
    )
    def test_the_session_ends_what_other_tasks_wait_for_and_sends_nothing_any_more(self, wait, fault):
        async def main() -> None:
            async with Sandbox(1000) as sandbox, aiohttp.ClientSession() as http:
                sandbox.fail(None, **fault)
                patient = RetryPolicy(attempts=1000, wait_initial=0.001, wait_max=0.001)
                async with session_of(sandbox, http_session=http, retry=patient, timeout=1000) as session:
                    waiting = asyncio.create_task(wait(session))
                    await sandbox.wait_for_requests(1)
                arrived = len(sandbox.requests)
                with pytest.raises(RuntimeError, match="closed"):
                    await waiting
                await until_none_is_in_flight(sandbox)
                sandbox.recover()
                async with http.post(f"{sandbox.base_url}/api/cdrs"):  # the next that arrives is the caller's own
                    pass
                assert len(sandbox.requests) == arrived + 1
                assert not http.closed

        assert run(main()) == []

    def test_a_page_by_page_reader_gets_the_error_too(self):
        async def main() -> None:
            async with Sandbox(1000) as sandbox:
                sandbox.fail(None, page=2, hang=True)

                async def read() -> None:
                    async with aclosing(session.cdrs(DAY).pages()) as pages:
                        async for _ in pages:
                            pass

                async with session_of(sandbox) as session:
                    reader = asyncio.create_task(read())
                    await sandbox.wait_for_requests(2)
                with pytest.raises(RuntimeError, match="closed"):
                    await reader

        assert run(main()) == []
