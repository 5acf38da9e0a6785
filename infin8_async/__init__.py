"""The asyncio client for the call detail records of the Infin8linx cloud call centre."""

from ._feed.checkpoint import Checkpoint
from ._feed.feed import CdrFeed
from ._feed.poll import FeedReport
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
from .session import Infin8Session
from .stream import CdrStream, StreamReport

__all__ = [
    "BEIJING",
    "AuthenticationError",
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
