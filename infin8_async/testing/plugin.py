"""The pytest plugin: the fixture `infin8_sandbox`, configured by a marker of the same name."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from .sandbox import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "infin8_sandbox(calls=1000, **options): how the sandbox of the fixture infin8_sandbox is made, "
        "with the arguments of infin8_async.testing.Sandbox",
    )


@pytest_asyncio.fixture
async def infin8_sandbox(request: pytest.FixtureRequest) -> "AsyncIterator[Sandbox]":
    """
    A running `infin8_async.testing.Sandbox`.

    `@pytest.mark.infin8_sandbox(calls=50, order="oldest")` on a test says how it is made.
    """
    from .sandbox import Sandbox  # noqa: PLC0415  # a test run that asks for no sandbox loads none

    marker = request.node.get_closest_marker("infin8_sandbox")
    arguments, options = (marker.args, marker.kwargs) if marker else ((), {})
    async with Sandbox(*arguments, **options) as sandbox:
        yield sandbox
