"""Which failed requests deserve another try, and after what wait."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from ..errors import Infin8Error, ResponseError

LONGEST_RETRY_AFTER: Final = 120.0
"""Seconds of a `Retry-After` past which the error is raised at once."""


def worth_another_try(status: int) -> bool:
    """Whether an HTTP status by itself says that the same request may succeed later."""
    return (
        status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def retry_after(header: str | None) -> float | None:
    """Seconds to wait, from the header's seconds or date; None if it says neither."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def wait_before_retry(error: Exception) -> bool | float:
    """
    Whether a failed request deserves another try, in the form that stamina's hooks have.

    Returns:
        False: never; True: after our own wait; a number: after that many seconds, as the server asked.
    """
    if not isinstance(error, Infin8Error) or not error.transient:
        return False
    if not isinstance(error, ResponseError) or error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else False
