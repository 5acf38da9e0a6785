"""What the library speaks of: credentials, a query, a call detail record, a page of records."""

from ._checks import check_number
from .query import CdrQuery, Direction, Filters, Integrity, Method
from .record import BEIJING, CallDirection, CallMethod, Cdr, CdrPage, HangupDirection, Leg, masked, platform_text
from .settings import Credentials, RetryPolicy, Secret

__all__ = [
    "BEIJING",
    "CallDirection",
    "CallMethod",
    "Cdr",
    "CdrPage",
    "CdrQuery",
    "Credentials",
    "Direction",
    "Filters",
    "HangupDirection",
    "Integrity",
    "Leg",
    "Method",
    "RetryPolicy",
    "Secret",
    "check_number",
    "masked",
    "platform_text",
]
