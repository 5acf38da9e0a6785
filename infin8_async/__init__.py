"""
The asyncio client for the call detail records of the Infin8linx cloud call centre.

Records, queries and errors are here at once. What talks to the platform brings aiohttp and more, which take their time
to load: it is loaded when a program names it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from .errors import (
    AuthenticationError,
    CheckpointError,
    IncompleteResultError,
    Infin8Error,
    NumberFormatError,
    ParameterError,
    PermissionDeniedError,
    PlatformError,
    ResponseError,
    StoreError,
    SystemFailureError,
    TransportError,
    UnreadableRowsError,
)
from .models import (
    BEIJING,
    CallDirection,
    CallMethod,
    Cdr,
    CdrPage,
    CdrQuery,
    Credentials,
    HangupDirection,
    Leg,
    RetryPolicy,
)

if TYPE_CHECKING:
    from ._feed.checkpoint import Checkpoint
    from ._feed.feed import CdrFeed
    from ._feed.poll import FeedReport
    from .budget import Budget
    from .session import Infin8Session
    from .stream import CdrStream, StreamReport

__all__ = [
    "BEIJING",
    "AuthenticationError",
    "Budget",
    "CallDirection",
    "CallMethod",
    "Cdr",
    "CdrFeed",
    "CdrPage",
    "CdrQuery",
    "CdrStream",
    "Checkpoint",
    "CheckpointError",
    "Credentials",
    "FeedReport",
    "HangupDirection",
    "IncompleteResultError",
    "Infin8Error",
    "Infin8Session",
    "Leg",
    "NumberFormatError",
    "ParameterError",
    "PermissionDeniedError",
    "PlatformError",
    "ResponseError",
    "RetryPolicy",
    "StoreError",
    "StreamReport",
    "SystemFailureError",
    "TransportError",
    "UnreadableRowsError",
]

_LATER: Final = {
    "Budget": "budget",
    "CdrFeed": "_feed.feed",
    "CdrStream": "stream",
    "Checkpoint": "_feed.checkpoint",
    "FeedReport": "_feed.poll",
    "Infin8Session": "session",
    "StreamReport": "stream",
}

if not TYPE_CHECKING:  # a type checker would take every name for one of this module

    def __getattr__(name: str) -> object:
        """Load the module of a public name that is asked for the first time (PEP 562)."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
        return value
