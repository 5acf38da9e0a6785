"""A clock that jumps to the next thing there is to do: hours pass in milliseconds, and nothing sleeps."""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        self.now += 1e-6  # a turn of the loop takes its time, too
        if not events:
            assert timeout is not None, "everybody waits for something that never comes"
            self.now += timeout
        return events


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(coroutine: Coroutine[object, object, T]) -> T:
    """
    Run a coroutine in which time passes only where everybody waits for it.

    What is random is the same every time: retries spread their waits by Python's shared generator.
    """
    random.seed(0)
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(coroutine)


def simulated(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Have a test that is a coroutine function run by `run`."""

    @wraps(test)
    def runs(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    # pytest-asyncio asks what is wrapped.
    del runs.__wrapped__
    runs.__signature__ = signature(test)
    return runs


def is_simulated(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether it is the loop of `run`."""
    return isinstance(loop, _Loop)
