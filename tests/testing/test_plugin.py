"""The pytest plugin, in test runs of their own: with any of the plugins that run asynchronous tests, and with none."""

import pytest
from profiles import THOROUGH, some

from infin8_async import Infin8Session, testing  # noqa: F401  # or each run in this process would load them again

# What pytest-asyncio says to all who do not configure it is not about the fixture.
STRICT = ("-W", "error", "-W", 'ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset')
UNRELATED = ("-p", "no:hypothesispytest", "-p", "no:xdist")  # to load them takes a third of a run
NO_PLUGIN = ("-p", "no:asyncio", "-p", "no:anyio")

# A plugin that makes some packages as good as not installed.
REFUSE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Refuse())
"""

ASKS = """
import asyncio
import pytest, pytest_asyncio
from infin8_async import CdrQuery, Infin8Session, RetryPolicy
from datetime import date

DAY = CdrQuery.day(date(2020, 6, 10))

@FIXTURE
async def session(infin8_sandbox):
    options = {"base_url": infin8_sandbox.base_url, "retry": RetryPolicy(attempts=1)}
    async with Infin8Session(infin8_sandbox.credentials, **options) as session:
        yield session

@MARK
@pytest.mark.infin8_sandbox(3, order="oldest")
async def test_marked(infin8_sandbox, session):
    held = asyncio.Event()
    infin8_sandbox.on_request = lambda request: held.wait()
    pull = asyncio.create_task(session.cdrs(DAY).collect())
    await infin8_sandbox.wait_for_requests(1)
    held.set()
    assert [cdr.id for cdr in await pull] == infin8_sandbox.ids()
    assert len(infin8_sandbox) == 3

@MARK
async def test_plain(infin8_sandbox, session):
    assert await session.count(DAY) == len(infin8_sandbox) == 1000
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """
    Run a test file as strictly as pytest can, and in the thorough profile, in a process of its own, as Python can.

    To start a process takes most of a second. Plugins of a test's own need one in any case: they change what is loaded.
    """
    monkeypatch.setenv("PYTHONDEVMODE", "1" if THOROUGH else "")

    def run(test, *args):
        pytester.makepyfile(test)
        runs = (
            pytester.runpytest_subprocess if THOROUGH or {"refuse", "old"} & {*args} else pytester.runpytest_inprocess
        )
        return runs(*STRICT, *UNRELATED, *args)

    return run


@pytest.mark.parametrize("plugins", [(), NO_PLUGIN], ids=["all plugins for asyncio", "none"])
def test_a_run_that_asks_for_no_sandbox_loads_nothing_for_it(run, pytester, plugins):
    refused = {"aiohttp", "infin8_async", "msgspec"} | ({"pytest_asyncio", "anyio"} if plugins else set())
    pytester.makepyfile(refuse=REFUSE.format(refused=refused))
    result = run("def test_of_somebody_else(): pass", "-p", "refuse", *plugins)
    result.assert_outcomes(passed=1)


def test_without_a_plugin_that_runs_a_loop_the_fixture_says_what_to_install(run, pytester):
    pytester.makepyfile(refuse=REFUSE.format(refused={"pytest_asyncio", "anyio"}))
    result = run(
        "def test_own(): pass\ndef test_asking(infin8_sandbox): pass", "-p", "refuse", *NO_PLUGIN, "-p", "no:logging"
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*infin8_sandbox needs an event loop: install pytest-asyncio*"])


def test_a_pytest_asyncio_that_is_too_old_breaks_no_run_and_is_named_where_the_fixture_is_asked_for(run, pytester):
    age = "pytest_asyncio.__version__ = '0.23.8'; pytest_asyncio.fixture = pytest.fixture"
    pytester.makepyfile(old=f"import pytest, pytest_asyncio; {age}")
    result = run("def test_own(): pass\ndef test_asking(infin8_sandbox): pass", "-p", "old")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*install pytest-asyncio (0.26 or later)*"])


@pytest.mark.parametrize(
    ("mode", "mark"),
    some(
        [
            ("auto", ""),
            ("strict", "@pytest.mark.asyncio"),
            ("strict", "@pytest.mark.asyncio(loop_scope='module')"),
            ("strict", "@pytest.mark.asyncio(loop_scope='session')"),
        ],
        2,
    ),
)
def test_it_runs_under_pytest_asyncio_in_the_loop_of_the_test(run, mode, mark):
    scope = mark.partition("(")[2].rstrip(")")
    test = ASKS.replace("@MARK", mark).replace("@FIXTURE", f"@pytest_asyncio.fixture({scope})")
    run(test, "-o", f"asyncio_mode={mode}").assert_outcomes(passed=2)


def test_it_follows_the_default_loop_of_tests(run):
    test = ASKS.replace("@MARK", "").replace("@FIXTURE", "@pytest_asyncio.fixture(loop_scope='session')")
    options = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_test_loop_scope=session")
    run(test, *options).assert_outcomes(passed=2)


ANYIO = (
    ASKS.replace("@MARK", "@pytest.mark.anyio").replace("@FIXTURE", "@pytest.fixture").replace(", pytest_asyncio", "")
)
ON_ASYNCIO = "\n@pytest.fixture\ndef anyio_backend():\n    return BACKEND\n"


@pytest.mark.parametrize(
    "plugins",
    [("-p", "no:asyncio"), ("-o", "asyncio_mode=strict"), ("-p", "no:asyncio", "-o", "anyio_mode=auto")],
    ids=["anyio alone", "with pytest-asyncio", "anyio in auto mode"],
)
def test_it_runs_under_anyio_in_the_loop_of_the_test(run, plugins):
    test = ANYIO.replace("@pytest.mark.anyio", "") if "anyio_mode=auto" in plugins else ANYIO
    run(test + ON_ASYNCIO.replace("BACKEND", "'asyncio'"), *plugins).assert_outcomes(passed=2)


def test_a_test_that_both_plugins_take_is_refused(run):
    """One would run the test and the other the fixture, each in a loop of its own."""
    result = run(ANYIO + ON_ASYNCIO.replace("BACKEND", "'asyncio'"), "-o", "asyncio_mode=auto")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*two plugins run this test: set asyncio_mode = strict*"])


def test_on_trio_it_says_that_it_cannot(run):
    result = run(
        "import pytest"
        + ON_ASYNCIO.replace("BACKEND", "'trio'")
        + """
@pytest.mark.anyio
async def test_asking(infin8_sandbox): pass
"""
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*infin8_sandbox runs on asyncio alone*"])


def test_a_synchronous_test_may_look_at_the_calls(run):
    run("def test_calls(infin8_sandbox): assert len(infin8_sandbox.ids()) == 1000").assert_outcomes(passed=1)
