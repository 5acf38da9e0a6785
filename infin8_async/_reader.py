"""The rule for whatever is read piece by piece: one reader, and none after the end."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Final, NoReturn, Self, TypeVar

_T = TypeVar("_T")


class Reading(AsyncIterator[_T]):
    """An asynchronous iterator that is closed at the end of its `async with` block."""

    @abstractmethod
    async def aclose(self) -> None:
        """Stop. The end of the block calls it."""

    def __iter__(self) -> NoReturn:
        raise TypeError("the calls come from the network: read them with 'async for', not 'for'")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class OneReader:
    """
    Lets one reader take a step at a time.

    Args:
        name: What is read, for messages.

        stop: Awaited at the end, before the reader learns of it.

    Attributes:
        reading: Whether a step is under way.
    """

    def __init__(self, name: str, stop: Callable[[], Awaitable[None]]) -> None:
        self._name: Final = name
        self._stop = stop
        self._exhausted = False
        self._ended: str | None = None
        self.reading = False

    @property
    def state(self) -> str:
        """How the reading stands, for a `repr`."""
        return "being read" if self.reading else self._ended or "open"

    async def read(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """
        Take a step. An error, or the cancellation of the reader, is the end.

        Raises:
            StopAsyncIteration: The step raised it, now or earlier: there is nothing more to read.

            RuntimeError: Another step is under way, or the end has come.
        """
        if self.reading:
            raise RuntimeError(f"two readers on one {self._name}: it has one reader")
        if self._exhausted:
            raise StopAsyncIteration
        if self._ended:
            raise RuntimeError(f"this {self._name} {self._ended}: it can't be read any further")
        self.reading = True
        try:
            return await step()
        except BaseException as error:
            self._exhausted = isinstance(error, StopAsyncIteration)
            self._ended = "was read to its end" if self._exhausted else f"ended with {type(error).__name__}"
            await self._stop()
            raise
        finally:
            self.reading = False

    def close(self) -> None:
        """Allow no further step."""
        self._ended = self._ended or "was closed"
