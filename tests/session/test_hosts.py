"""The programs that a session lives in: their loops, their threads and processes, their ways to cancel."""

import asyncio
import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from threading import Barrier, Thread

import aiohttp
import anyio
import pytest
import uvloop
from profiles import THOROUGH

from infin8_async import CdrQuery, Infin8Session, RetryPolicy
from infin8_async._wire.tasks import cancel
from infin8_async.testing import Sandbox

TESTS = Path(__file__).parents[1]
DAY = CdrQuery.day(date(2020, 6, 10))
CALLS = 300


class Elsewhere:
    """A sandbox in a thread of its own: all tasks of the test's loop are then the client's."""

    def __init__(self):
        self.sandbox = Sandbox(CALLS, order="oldest")
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def session(self, **options) -> Infin8Session:
        options = {"per_page": 50, "concurrency": 4, "retry": RetryPolicy(wait_initial=0, wait_max=0)} | options
        return Infin8Session(self.sandbox.credentials, base_url=self.sandbox.base_url, **options)

    async def wait_for_requests(self, count):
        await asyncio.wrap_future(self.run(self.sandbox.wait_for_requests(count)))

    def __enter__(self):
        self._thread.start()
        self.run(self.sandbox.__aenter__()).result()
        return self

    def __exit__(self, *_):
        self.run(self.sandbox.aclose()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def elsewhere():
    with Elsewhere() as elsewhere:
        yield elsewhere


@contextmanager
def nothing_left_behind():
    """In the block's loop: nothing that it complains of; after the block: no task but the one that entered it."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    yield
    gc.collect()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not complaints


async def live(elsewhere):
    """What a program does with a session: pull through faults, follow, give up in three ways."""
    sandbox = elsewhere.sandbox
    with nothing_left_behind():
        sandbox.fail(page=2, status=503)
        sandbox.fail(page=3, cut=True)
        sandbox.fail(page=4, reset=True)
        sandbox.fail(page=5, body=b"")
        async with elsewhere.session() as session:
            stream = session.cdrs(DAY)
            assert [cdr.id for cdr in await stream.collect()] == sandbox.ids()
            assert (stream.report.retries, stream.report.complete, stream.report.certified) == (4, True, True)
            assert {cdr.id async for cdr in session.follow(DAY)} == set(sandbox.ids())
    with nothing_left_behind():
        sandbox.fail(None, page=3, hang=True)
        async with elsewhere.session() as session:
            async for _ in session.cdrs(DAY):
                break
    with nothing_left_behind():
        async with elsewhere.session() as session:
            async with session.cdrs(DAY) as stream:
                await anext(stream)
            assert asyncio.all_tasks() == {asyncio.current_task()}
    with nothing_left_behind():
        async with elsewhere.session() as session:
            before = len(sandbox.requests)
            reader = asyncio.create_task(session.cdrs(DAY).collect())
            await elsewhere.wait_for_requests(before + 5)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert asyncio.all_tasks() == {asyncio.current_task()}
    sandbox.recover()


def eager_loop():
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


@pytest.mark.parametrize(
    "loop_factory",
    [
        pytest.param(asyncio.new_event_loop, id="asyncio"),
        pytest.param(uvloop.new_event_loop, id="uvloop"),
        pytest.param(
            eager_loop,
            id="eager tasks",
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"),
        ),
    ],
)
def test_a_session_lives_on_every_kind_of_loop(elsewhere, loop_factory):
    # In debug mode uvloop may crash the interpreter where a generator is collected, on Python 3.12 and later.
    with asyncio.Runner(debug=loop_factory is not uvloop.new_event_loop, loop_factory=loop_factory) as runner:
        runner.run(live(elsewhere))


def test_threads_with_loops_of_their_own_pull_at_the_same_time(elsewhere):
    met = Barrier(3)

    async def pull():
        with nothing_left_behind():
            async with elsewhere.session() as session:
                met.wait(60)
                return [cdr.id for cdr in await session.cdrs(DAY).collect()]

    with ThreadPoolExecutor(3) as threads:
        pulls = [threads.submit(asyncio.run, pull()) for _ in range(3)]
        assert [pull.result() for pull in pulls] == [elsewhere.sandbox.ids()] * 3


@pytest.mark.parametrize("uses_uvloop", [False, True])
class TestCancelScopes:
    """anyio's scopes cancel again at every wait, as long as anything in them goes on."""

    def run(self, uses_uvloop, main):
        anyio.run(main, backend_options={"use_uvloop": uses_uvloop})

    @pytest.mark.parametrize("block", [True, False])
    def test_a_scope_around_a_pull_ends_its_requests_and_leaves_the_session_usable(self, elsewhere, uses_uvloop, block):
        async def main():
            elsewhere.sandbox.fail(None, page=2, hang=True)
            async with elsewhere.session() as session:
                with nothing_left_behind(), anyio.CancelScope() as scope:
                    stream = session.cdrs(DAY)
                    await anext(stream)
                    await elsewhere.wait_for_requests(5)
                    scope.cancel()
                    if block:
                        async with stream:
                            await stream.collect()
                    await stream.collect()
                assert scope.cancelled_caught
                elsewhere.sandbox.recover()
                assert len(await session.cdrs(DAY).collect()) == CALLS

        self.run(uses_uvloop, main)

    def test_a_scope_around_a_session_closes_it(self, elsewhere, uses_uvloop):
        async def main():
            elsewhere.sandbox.fail(None, page=2, hang=True)
            with nothing_left_behind(), anyio.CancelScope() as scope:
                async with elsewhere.session() as session:
                    reader = asyncio.create_task(session.cdrs(DAY).collect())
                    await elsewhere.wait_for_requests(5)
                    scope.cancel()
                    try:
                        await session.count(DAY)
                    finally:
                        reader.cancel()
            assert scope.cancelled_caught

        self.run(uses_uvloop, main)

    def test_a_task_group_that_fails_ends_the_pulls_in_it(self, elsewhere, uses_uvloop):
        async def main():
            async def pull():
                async with elsewhere.session() as session:
                    await session.cdrs(DAY).collect()

            elsewhere.sandbox.fail(None, page=2, hang=True)
            with nothing_left_behind(), pytest.RaisesGroup(KeyError):
                async with anyio.create_task_group() as group:
                    group.start_soon(pull)
                    group.start_soon(pull)
                    await elsewhere.wait_for_requests(10)
                    raise KeyError

        self.run(uses_uvloop, main)

    def test_what_takes_its_time_to_end_is_waited_for(self, uses_uvloop):
        async def slow():
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(5):
                    await asyncio.sleep(0)

        async def main():
            tasks = [asyncio.create_task(slow()) for _ in range(3)]
            await asyncio.sleep(0)
            with anyio.CancelScope() as scope:
                scope.cancel()
                try:
                    await cancel(tasks)
                finally:
                    ended = [task.done() for task in tasks]
            assert ended == [True] * 3
            assert scope.cancelled_caught

        self.run(uses_uvloop, main)


def test_the_http_session_of_another_loop_is_refused_on_entry(elsewhere):
    async def make():
        return aiohttp.ClientSession()

    async def use(http):
        async with elsewhere.session(http_session=http) as session:
            return await session.count(DAY)

    with asyncio.Runner() as one, asyncio.Runner() as other:
        http = one.run(make())
        with pytest.raises(RuntimeError, match="http_session belongs to another event loop"):
            other.run(use(http))
        assert not elsewhere.sandbox.requests
        assert one.run(use(http)) == CALLS
        one.run(http.close())


FORK = """
import asyncio, os, sys
from infin8_async import CdrQuery, Credentials, Infin8Session

base_url, entered = sys.argv[1], sys.argv[2] == "entered"
credentials = Credentials("sandbox-app", "sandbox-key", username="sandbox")
session = Infin8Session(credentials, base_url=base_url, per_page=50)

async def pull():
    async with session:
        return len(await session.cdrs(CdrQuery("2020-06-10 00:00:00", "2020-06-10 23:59:59")).collect())

async def count():
    try:
        await session.count(CdrQuery("2020-06-10 00:00:00"))
    except RuntimeError as error:
        return str(error)

async def enter():
    await session.__aenter__()

if entered:
    runner = asyncio.Runner()
    runner.run(enter())
if child := os.fork():
    _, status = os.waitpid(child, 0)
    print("parent", runner.run(session.count(CdrQuery("2020-06-10 00:00:00"))) if entered else asyncio.run(pull()))
    if entered:
        runner.run(session.aclose())
        runner.close()
    sys.exit(os.waitstatus_to_exitcode(status))
print("child", asyncio.run(count() if entered else pull()), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("made", ["child 300", "parent 300"]),
        ("entered", ["child this session belongs to another event loop", "parent 300"]),
    ],
)
def test_a_session_made_before_a_fork_works_on_both_sides_and_one_entered_says_that_it_cannot(elsewhere, state, said):
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", FORK, elsewhere.sandbox.base_url, state]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert [line.partition(":")[0] for line in ran.stdout.splitlines()] == said
    assert "Traceback" not in ran.stderr


def test_every_quirk_is_read_by_aiohttps_parser_in_python_too():
    check = (
        "import sys, pytest, aiohttp.http_parser as parser\n"
        "assert parser.HttpResponseParser is parser.HttpResponseParserPy\n"
        "sys.exit(pytest.main(sys.argv[1:]))"
    )
    command = [
        sys.executable, "-X", "dev", "-c", check, "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest",
        "--noconftest", TESTS / "wire" / "test_quirks.py", *(() if THOROUGH else ("-k", "changes_nothing")),
    ]  # fmt: skip
    environment = os.environ | {"AIOHTTP_NO_EXTENSIONS": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=TESTS.parent)
    assert ran.returncode == 0, ran.stdout + ran.stderr
