"""What can go wrong in the world outside, each with its facts as attributes."""

from attrs import define


class Infin8Error(Exception):
    """
    The root of all that this library raises about the outside world.

    Every error pickles. None of them ever shows an access key or a phone number.

    Attributes:
        transient: Whether the same request may succeed later. Transient errors have
            already been retried by the session's `RetryPolicy` when they reach you.
    """

    transient: bool = False


@define
class TransportError(Infin8Error):
    """
    No whole HTTP answer came: no connection, a reset, a timeout, a body cut short.

    Attributes:
        detail: What happened.

        transient: False only where another try can't help, as with a certificate that does not verify.
    """

    detail: str
    transient: bool = True

    def __str__(self) -> str:
        return f"no whole answer from the platform: {self.detail}"


@define
class ResponseError(Infin8Error):
    """
    An answer came that is not what the platform documents.

    Attributes:
        status: The HTTP status.

        page: The page that was asked for; None where the request was not for a page.

        detail: What is wrong, down to row and field. Never a value from a record.

        transient: Whether another try may help: statuses 408, 429 and 5xx, and a body that is no JSON.

        retry_after: Seconds that the server asked to wait, where it did.
    """

    status: int
    page: int | None
    detail: str
    transient: bool = False
    retry_after: float | None = None

    def __str__(self) -> str:
        where = "" if self.page is None else f", page {self.page}"
        return f"unexpected answer (HTTP {self.status}{where}): {self.detail}"


@define
class PlatformError(Infin8Error):
    """
    The platform's own refusal.

    Attributes:
        code: Its error code. A refusal by the gateway in front of it carries the gateway's `ret`.

        msg: Its message; the access key and long numbers in it are masked.
    """

    code: int
    msg: str

    def __str__(self) -> str:
        return f"the platform refused with code {self.code}: {self.msg}"


class SystemFailureError(PlatformError):
    """Code 1000, or the gateway's 500: a system error on the platform's side. The only refusal worth another try."""

    transient = True


class ParameterError(PlatformError):
    """Code 1001, or the gateway's 400: a parameter is missing or wrong."""


class AuthenticationError(PlatformError):
    """Code 1005, or the gateway's 600 to 604: user name, app id, access key or the caller's address."""


class PermissionDeniedError(PlatformError):
    """Code 1006: this account may not use the interface."""


class NumberFormatError(PlatformError):
    """Code 1008: a number in the query is in the wrong format."""


@define
class IncompleteResultError(Infin8Error):
    """
    Rows moved while they were read, and not all of them could be found again.

    Every row that was found has been handed on before this is raised.

    Attributes:
        expected: How many rows the platform counted last.

        received: How many distinct rows were handed on.
    """

    expected: int
    received: int

    def __str__(self) -> str:
        return f"the platform counts {self.expected} rows, only {self.received} could be read"


class CheckpointError(Infin8Error, ValueError):
    """A checkpoint is damaged, or that of other credentials or filters. Nothing has been requested or changed."""


@define
class StoreError(Infin8Error):
    """
    A database refused, or was not there. What was under way in it has been undone.

    Attributes:
        detail: What it said. Never a value from a record.

        transient: Whether the same may succeed later: the server restarts, or another writer was in the way.
    """

    detail: str
    transient: bool = False

    def __str__(self) -> str:
        return self.detail
