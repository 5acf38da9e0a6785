"""
The pytest plugin of infin8_async: the fixture `infin8_sandbox`, configured by a marker of the same name.

Every test run of an environment imports this module. So it is one of its own, outside the package, and needs nothing
but pytest until a test asks for the fixture.
"""

import sys
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from infin8_async.testing import Sandbox

_LOOP_SCOPES = ("function", "class", "module", "package", "session")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and the fixtures of pytest-asyncio if it takes part in this run."""
    config.addinivalue_line(
        "markers",
        "infin8_sandbox(calls=1000, **options): how the sandbox of the fixture infin8_sandbox is made, "
        "with the arguments of infin8_async.testing.Sandbox",
    )
    if pytest_asyncio := _pytest_asyncio(config):
        fixtures = ModuleType("infin8_sandbox of pytest-asyncio")
        for scope in _LOOP_SCOPES:
            vars(fixtures)[_in_loop_of(scope)] = pytest_asyncio.fixture(_running(), loop_scope=scope)
        config.pluginmanager.register(fixtures, fixtures.__name__)


@pytest.fixture
def infin8_sandbox(request: pytest.FixtureRequest) -> "Sandbox":
    """
    A running `infin8_async.testing.Sandbox`, in the event loop of the test.

    `@pytest.mark.infin8_sandbox(calls=50, order="oldest")` on a test says how it is made.
    """
    sandbox: Sandbox = request.getfixturevalue(_fixture_for(request))
    return sandbox


def _fixture_for(request: pytest.FixtureRequest) -> str:
    """The fixture that runs the sandbox where the test runs: an asynchronous one of pytest-asyncio or of anyio."""
    pytest_asyncio = _pytest_asyncio(request.config)
    if "anyio_backend" in request.fixturenames:
        if pytest_asyncio and pytest_asyncio.is_async_test(request.node):
            _refuse("two plugins run this test: set asyncio_mode = strict, so that pytest-asyncio leaves it to anyio")
        if request.getfixturevalue("anyio_backend_name") != "asyncio":
            _refuse("infin8_sandbox runs on asyncio alone: let the fixture anyio_backend return 'asyncio'")
        return "_infin8_sandbox"
    if pytest_asyncio:
        marker = request.node.get_closest_marker("asyncio")
        scope = marker and marker.kwargs.get("loop_scope")
        return _in_loop_of(scope or request.config.getini("asyncio_default_test_loop_scope"))
    return _refuse(
        "infin8_sandbox needs an event loop: "
        "install pytest-asyncio (0.26 or later), or mark the test for anyio's plugin"
    )


def _refuse(why: str) -> NoReturn:
    pytest.fail(why, pytrace=False)


def _in_loop_of(scope: str) -> str:
    return f"_infin8_sandbox_in_loop_of_{scope}"


def _pytest_asyncio(config: pytest.Config) -> ModuleType | None:
    """Pytest-asyncio, if it takes part in this run (pytest has imported it then) and knows the scopes of loops."""
    plugin = sys.modules.get("pytest_asyncio.plugin")
    if plugin is None or not config.pluginmanager.is_registered(plugin):
        return None
    pytest_asyncio = sys.modules["pytest_asyncio"]
    major, minor = pytest_asyncio.__version__.split(".")[:2]
    return pytest_asyncio if (int(major), int(minor)) >= (0, 26) else None


def _running() -> "Callable[[pytest.FixtureRequest], AsyncIterator[Sandbox]]":
    """A fixture function, each time a new one: pytest-asyncio leaves marks on it."""

    async def running(request: pytest.FixtureRequest) -> "AsyncIterator[Sandbox]":
        from infin8_async.testing import Sandbox  # noqa: PLC0415  # a test run that asks for no sandbox loads none

        marker = request.node.get_closest_marker("infin8_sandbox")
        arguments, options = (marker.args, marker.kwargs) if marker else ((), {})
        async with Sandbox(*arguments, **options) as sandbox:
            yield sandbox

    return running


_infin8_sandbox = pytest.fixture(_running(), name="_infin8_sandbox")
