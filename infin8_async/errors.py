"""What can go wrong outside this library. Each error has its facts as attributes."""

from attrs import define

# None has slots: what pickles errors on their way through a Dask cluster keeps their `__dict__` and nothing else.


class Infin8Error(Exception):
    """
    The root of all errors that this library raises about the outside world.

    Every error can be pickled. None of them shows an access key or a phone number.

    Attributes:
        transient: Whether the same request may succeed later. When a transient error reaches you, the request has
            already been retried as the session's `RetryPolicy` says.
    """

    transient: bool = False


@define(slots=False)
class TransportError(Infin8Error):
    """
    No complete HTTP answer came: no connection, a reset, a timeout, a body cut short.

    Attributes:
        detail: What happened.

        transient: False only if another try can't help, such as for a certificate that does not verify.
    """

    detail: str
    transient: bool = True

    def __str__(self) -> str:
        return f"no complete answer from the platform: {self.detail}"


@define(slots=False)
class ResponseError(Infin8Error):
    """
    The answer is not what the platform documents.

    Attributes:
        status: The HTTP status.

        page: The page that was asked for; None if the request was not for a page.

        detail: What is wrong, with row and field. Never a value from a record.

        transient: Whether another try may help: for statuses 408, 429 and 5xx, and for a body that is not JSON.

        retry_after: How many seconds the server asked to wait; None if it did not.
    """

    status: int
    page: int | None
    detail: str
    transient: bool = False
    retry_after: float | None = None

    def __str__(self) -> str:
        where = "" if self.page is None else f", page {self.page}"
        return f"unexpected answer (HTTP {self.status}{where}): {self.detail}"


@define(slots=False)
class UnreadableRowsError(ResponseError):
    """
    The platform gives no JSON for some rows, such as an empty body for a name in a wrong encoding.

    All rows that could be read have been given before this is raised. `detail` says where the others are.

    Attributes:
        rows: How many could not be read.

        transient: Always True: a row is readable again once it has been mended on the platform.
    """

    rows: int = 0
    transient: bool = True


@define(slots=False)
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
    """Code 1000, or the gateway's 500: a system error of the platform. The only refusal that is retried."""

    transient = True


class ParameterError(PlatformError):
    """Code 1001, or the gateway's 400: a parameter is missing or wrong."""


class AuthenticationError(PlatformError):
    """Code 1005, or the gateway's 600 to 604: wrong user name, app id, access key or address of the caller."""


class PermissionDeniedError(PlatformError):
    """Code 1006: this account may not use the interface."""


class NumberFormatError(PlatformError):
    """Code 1008: a number in the query is in the wrong format."""


@define(slots=False)
class IncompleteResultError(Infin8Error):
    """
    Rows moved while they were read, and not all of them could be found again.

    All rows that were found have been given before this is raised.

    Attributes:
        expected: How many rows the platform counted last.

        received: How many distinct rows were given.
    """

    expected: int
    received: int

    def __str__(self) -> str:
        return f"the platform counts {self.expected} rows, but only {self.received} could be read"


class CheckpointError(Infin8Error, ValueError):
    """
    A checkpoint can't be used: it is damaged, of a newer version, in use, or belongs to other credentials or filters.

    Nothing has been requested or changed.
    """


@define(slots=False)
class StoreError(Infin8Error):
    """
    A database refused, or could not be reached. The transaction has been rolled back.

    Attributes:
        detail: What the database said. Never a value from a record.

        transient: Whether the same may succeed later: the server restarts, or another writer was in the way.
    """

    detail: str
    transient: bool = False

    def __str__(self) -> str:
        return self.detail
