"""How hard the platform may be pressed, by all sessions that share a budget."""

import asyncio

from ._wire.pace import Pace
from .models import check_number


class Budget:
    """
    What several sessions may ask of the platform together: an account in each country, all on one platform.

    Sessions that are given the same budget share its requests in flight and its rate. What one of them learns slows all
    of them: that the platform gets too many requests, asks for a pause, or is in trouble. They take turns, so none
    waits long behind another that has more to ask, or that gets slow answers.

        budget = Budget(max_rate=20)
        async with Infin8Session(mexico, budget=budget) as one, Infin8Session(colombia, budget=budget) as another:
            ...

    A budget belongs to the event loop of the first session that is opened with it.

    Args:
        concurrency: The most requests in flight at once, of all its sessions.

        max_rate: Requests a second of all its sessions, evenly spaced, without bursts; None for no such limit.

    Raises:
        ValueError: A number that makes no sense.
    """

    def __init__(self, concurrency: int = 8, max_rate: float | None = None) -> None:
        check_number("concurrency", concurrency, least=1, whole=True)
        if max_rate is not None:
            check_number("max_rate", max_rate, above=0)
        self._pace = Pace(concurrency, max_rate)
        self._max_rate = max_rate
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def concurrency(self) -> int:
        """The most requests in flight at once."""
        return self._pace.concurrency

    @property
    def max_rate(self) -> float | None:
        """Requests a second; None for no such limit."""
        return self._max_rate

    def pace(self) -> Pace:
        """
        What the sessions wait for before each request. They call this when they are opened.

        Raises:
            RuntimeError: The budget belongs to another event loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise RuntimeError("this budget belongs to another event loop: make one for each asyncio.run()")
        self._loop = loop
        return self._pace

    def __repr__(self) -> str:
        return f"Budget(concurrency={self.concurrency}, max_rate={self.max_rate})"
