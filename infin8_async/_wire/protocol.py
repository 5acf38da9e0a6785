"""
The deciding half, without I/O: a query becomes a form; a status and a body become a page or an error.

Sources of the rules: the platform's page for `POST /api/cdrs`, and the documents of its sibling interfaces for the
largest page.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec
from attrs import asdict, frozen

from ..errors import Infin8Error, ResponseError
from ..models import Cdr, CdrQuery, Credentials, Secret
from .body import UndocumentedError, masked, read_data
from .decoding import ALL, decode_rows
from .retries import retry_after, worth_another_try

PATH: Final = "api/cdrs"
LARGEST_BODY: Final = 64 * 2**20
"""Bytes of a body, after decompression, past which it is refused."""


def form(credentials: Credentials, query: CdrQuery, page: int, per_page: int) -> dict[str, str]:
    """The form fields of one request, under the platform's names; what is not set is left out."""
    values = {**asdict(credentials), **asdict(query), "page": page, "per_page": per_page}
    # All of it as secrets: a traceback that shows local variables shows neither the key nor a number filtered by.
    return {
        name: Secret(value.isoformat(" ")[:19] if isinstance(value, datetime) else value)
        for name, value in values.items()
        if value is not None
    }


@frozen
class PageBytes:
    """
    One page as it came: its numbers read, its rows still bytes.

    A page of 1,000 rows is some 0.5 MB as bytes and four times that as objects; it waits for its reader as bytes.

    Attributes:
        page: Its number, from 1.

        per_page: The size of a page, as the platform echoes it.

        total: The platform's count for the whole query at that moment.
    """

    page: int
    per_page: int
    total: int
    status: int
    _rows: msgspec.Raw

    def rows(self, columns: frozenset[str] = ALL) -> Sequence[object]:
        """Decode the rows, or no more of them than some fields. It takes a millisecond for 1,000 of them, or less."""
        try:
            return decode_rows(self._rows, columns)
        except msgspec.ValidationError:
            raise ResponseError(self.status, self.page, "data.data is no list") from None
        except (msgspec.DecodeError, RecursionError):
            raise ResponseError(self.status, self.page, "data.data is no JSON") from None

    def structure(self, rows: Sequence[object], numbers: Sequence[int] = ()) -> list[Cdr]:
        """
        Make records of some of the rows, whose *numbers* on the page are given.

        Raises:
            ResponseError: Names page, row and field of what can't be read.
        """
        from .structuring import UnreadableRowError, structure  # noqa: PLC0415  # it brings cattrs, which takes its time

        try:
            return structure(rows, numbers or range(1, len(rows) + 1))
        except UnreadableRowError as error:
            where = f"row {error.row}" + (f", field {error.field}" if error.field else "")
            raise ResponseError(self.status, self.page, f"{where} {error.reason}") from None


class NoBodyError(ResponseError):
    """Success and nothing else: what PHP's `json_encode` makes of rows that it can't encode."""


def read_page(
    status: int, headers: Mapping[str, str], body: bytes, *, page: int, per_page: int, secret: str
) -> PageBytes:
    """
    Decide what an answer means.

    Args:
        status: The HTTP status.

        headers: The HTTP headers, names in any case.

        body: The whole body, decompressed.

        page: The number of the page that was asked for.

        per_page: The size that was asked for.

        secret: The access key, to be masked in whatever the platform says.

    Raises:
        ResponseError: A redirect, an error status, a body that is not JSON, or not of the documented shape.

        PlatformError: The platform or its gateway refused.
    """
    if worth_another_try(status) or status in range(300, 400):
        raise ResponseError(
            status,
            page,
            _phrase(status, headers, secret),
            transient=worth_another_try(status),
            retry_after=retry_after(headers.get("Retry-After")),
        )
    content_type = headers.get("Content-Type", "")
    try:
        data = read_data(body, content_type, per_page=per_page, secret=secret)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = masked(content_type or "no content type", secret)
        ok = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        detail = f"not JSON but {content}, {len(body)} bytes" if ok else _phrase(status, headers, secret)
        kind = NoBodyError if ok and not body.strip() else ResponseError
        raise kind(status, page, detail, transient=ok) from None
    except UndocumentedError as error:
        raise ResponseError(status, page, str(error)) from None
    if status >= HTTPStatus.BAD_REQUEST:
        raise ResponseError(status, page, _phrase(status, headers, secret))
    if data.total < 0 or data.per_page < 1:
        raise ResponseError(status, page, f"a total of {data.total} with {data.per_page} rows a page")
    # The page that the answer echoes is not relied on: it is ids and counts that show whether rows are missing.
    return PageBytes(page, data.per_page, data.total, status, data.data)


def _phrase(status: int, headers: Mapping[str, str], secret: str) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "no known status"
    if status in range(300, 400):
        target = masked(_origin(headers.get("Location", "")), secret)
        phrase += f"; redirects are not followed, this one points to {target}"
    return phrase


def _origin(location: str) -> str:
    """Where a redirect points to, without its path, which may hold anything."""
    try:
        target = urlsplit(location)
        host = target.hostname
    except ValueError:
        return "no readable address"
    return f"{target.scheme}://{host}" if host else "another path"


def without_frames(error: Infin8Error) -> Infin8Error:
    """The error without the frames it came through, whose local variables hold rows and their phone numbers."""
    error.__context__ = None
    return error.with_traceback(None)
