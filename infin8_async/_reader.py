"""The rule for whatever is read piece by piece: one reader, and none after the end."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

_T = TypeVar("_T")


class OneReader:
    """
    Lets one reader take a step at a time.

    Args:
        name: What is read, for messages.

        stop: Awaited after an error, before the reader gets it.

    Attributes:
        reading: Whether a step is under way.
    """

    def __init__(self, name: str, stop: Callable[[], Awaitable[None]]) -> None:
        self._name: Final = name
        self._stop = stop
        self._ended: str | None = None
        self.reading = False

    async def read(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """
        Take a step. An error, or the cancellation of the reader, is the end.

        Raises:
            StopAsyncIteration: The step raised it: there is nothing more to read.

            RuntimeError: Another step is under way, or the end has come.
        """
        if self.reading:
            raise RuntimeError(f"two readers on one {self._name}: it has one reader")
        if self._ended:
            raise RuntimeError(f"this {self._name} {self._ended}: it can't be read any further")
        self.reading = True
        try:
            return await step()
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self._ended = f"ended with {type(error).__name__}"
            await self._stop()
            raise
        finally:
            self.reading = False

    def close(self) -> None:
        """Allow no further step."""
        self._ended = self._ended or "was closed"
