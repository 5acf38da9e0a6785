"""What the library speaks of: credentials, a query, a call detail record, a page of records."""

from ._checks import check_number
from .codes import CallDirection, CallMethod, HangupDirection
from .query import CdrQuery, Direction, Filters, Integrity, Method, window_text
from .record import (
    BEIJING,
    FIELDS,
    Cdr,
    CdrPage,
    Draft,
    Leg,
    by_name,
    masked,
    platform_text,
    values_of,
)
from .settings import Credentials, RetryPolicy, Secret

__all__ = [
    "BEIJING",
    "FIELDS",
    "CallDirection",
    "CallMethod",
    "Cdr",
    "CdrPage",
    "CdrQuery",
    "Credentials",
    "Direction",
    "Draft",
    "Filters",
    "HangupDirection",
    "Integrity",
    "Leg",
    "Method",
    "RetryPolicy",
    "Secret",
    "by_name",
    "check_number",
    "masked",
    "platform_text",
    "values_of",
    "window_text",
]
