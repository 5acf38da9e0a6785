"""
The deciding half, without I/O: a query becomes a form; a status and a body become a page or an error.

Sources of the rules: the platform's page for `POST /api/cdrs`, and the documents of its sibling interfaces for the
gateway's body and the largest page.
"""

import codecs
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import Message
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, urlsplit

import msgspec
from attrs import asdict, frozen

from ..errors import (
    AuthenticationError,
    Infin8Error,
    NumberFormatError,
    ParameterError,
    PermissionDeniedError,
    PlatformError,
    ResponseError,
    SystemFailureError,
)
from ..models import Cdr, CdrQuery, Credentials, Secret
from .columns import batch_of_rows
from .decoding import decode_rows
from .retries import retry_after, worth_another_try
from .values import integer

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema  # type: ignore[import-untyped]

PATH: Final = "api/cdrs"
LARGEST_BODY: Final = 64 * 2**20
"""Bytes of a body, after decompression, past which it is refused."""

_PLATFORM_ERRORS: Final[Mapping[int, type[PlatformError]]] = {
    1000: SystemFailureError,
    1001: ParameterError,
    1005: AuthenticationError,
    1006: PermissionDeniedError,
    1008: NumberFormatError,
}
_GATEWAY_ERRORS: Final[Mapping[int, type[PlatformError]]] = {
    400: ParameterError,
    500: SystemFailureError,
    **dict.fromkeys(range(600, 605), AuthenticationError),
}
_IN_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_LONG_NUMBER: Final = re.compile(r"\d{6,}")


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

    def rows(self, *, marks: bool = False) -> Sequence[object]:
        """Decode the rows (a millisecond for 1,000 of them), or no more of them than *marks* (half of that)."""
        try:
            return decode_rows(self._rows, marks=marks)
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

    def batch(self, schema: "Schema") -> "RecordBatch":
        """
        All rows, at least one, as columns. To be done in a thread.

        Raises:
            ValueError: They are not as documented, and need `structure`.
        """
        return batch_of_rows(self._rows, schema)


class NoBodyError(ResponseError):
    """Success and nothing else: what PHP's `json_encode` makes of rows that it can't encode."""


class _Data(msgspec.Struct):
    data: msgspec.Raw
    total: int
    per_page: int


class _Envelope(msgspec.Struct):
    code: int
    data: _Data


class _LooseData(msgspec.Struct):
    """The fields of `_Data`, of any type."""

    data: msgspec.Raw = msgspec.Raw()
    total: object = None
    per_page: object = None


class _LooseEnvelope(msgspec.Struct):
    """An answer of the platform or of its gateway, whose fields may be of any type."""

    code: object = msgspec.UNSET
    ret: object = msgspec.UNSET
    msg: object = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_decode_documented: Final = msgspec.json.Decoder(_Envelope).decode
_decode_envelope: Final = msgspec.json.Decoder(_LooseEnvelope).decode
_decode_data: Final = msgspec.json.Decoder(_LooseData | list[msgspec.Raw]).decode


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
        ResponseError: A redirect, an error status, a body that is no JSON or not of the documented shape.

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
        data = _read_data(_as_utf8(body, content_type), per_page, secret)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = masked(content_type or "no content type", secret)
        ok = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        detail = f"not JSON but {content}, {len(body)} bytes" if ok else _phrase(status, headers, secret)
        kind = NoBodyError if ok and not body.strip() else ResponseError
        raise kind(status, page, detail, transient=ok) from None
    except _UndocumentedError as error:
        raise ResponseError(status, page, str(error)) from None
    if status >= HTTPStatus.BAD_REQUEST:
        raise ResponseError(status, page, _phrase(status, headers, secret))
    if data.total < 0 or data.per_page < 1:
        raise ResponseError(status, page, f"a total of {data.total} with {data.per_page} rows a page")
    # The page that the answer echoes is not relied on: it is ids and counts that show whether rows are missing.
    return PageBytes(page, data.per_page, data.total, status, data.data)


class _UndocumentedError(ValueError):
    """JSON of a shape that can't be read as an answer of the platform."""


def _as_utf8(body: bytes, content_type: str) -> bytes:
    """
    A body as JSON has to be: in UTF-8, without byte order marks.

    PHP sends the mark of every file that was saved with one, in UTF-8 whatever the header declares.

    Raises:
        UnicodeDecodeError: It is neither in the declared charset nor in UTF-8.
    """
    declared = Message()
    declared["Content-Type"] = content_type
    charset = declared.get_content_charset("utf-8")
    if charset != "utf-8" and not body.startswith(codecs.BOM_UTF8):
        try:
            # What is declared as GB2312 or GBK often holds characters of its superset, which a browser would show.
            name = codecs.lookup(charset).name
            body = body.decode("gb18030" if name in ("gb2312", "gbk") else name).encode()
        except (LookupError, ValueError, Warning):  # no charset that Python knows, or not that of the body
            pass
    if not body.isascii():
        body.decode()  # checked now: the decoders look at the rows later, or not at all
    while body.startswith(codecs.BOM_UTF8):
        body = body.removeprefix(codecs.BOM_UTF8).lstrip()
    return body


def _read_data(body: bytes, per_page: int, secret: str) -> _Data:
    try:
        envelope = _decode_documented(body)
        if envelope.code == 1:
            return envelope.data
    except msgspec.ValidationError:
        pass
    return _read_leniently(body, per_page, secret)


def _read_leniently(body: bytes, per_page: int, secret: str) -> _Data:
    """
    The documented data out of what PHP makes of it: numbers as texts, `[]` for an empty object.

    Raises:
        PlatformError: It is a refusal.

        _UndocumentedError: It can't be read as an answer at all.
    """
    try:
        answer = _decode_envelope(body)
    except msgspec.ValidationError:
        msgspec.json.decode(body)  # what is no JSON at all deserves another try
        raise _UndocumentedError("the body is no object") from None
    if answer.code is msgspec.UNSET and answer.ret is not msgspec.UNSET:
        code = _number("ret", answer.ret)
        raise _GATEWAY_ERRORS.get(code, PlatformError)(code, masked(answer.msg, secret))
    code = _number("code", answer.code)
    if code != 1:
        raise _PLATFORM_ERRORS.get(code, PlatformError)(code, masked(answer.msg, secret))
    try:
        data = _decode_data(answer.data)
    except msgspec.ValidationError:
        data = None
    if data == []:
        data = _LooseData(msgspec.Raw(b"[]"), total=0)
    if not isinstance(data, _LooseData):
        raise _UndocumentedError("data is no object")
    if not data.data:
        raise _UndocumentedError("data.data is no list")
    per_page = _number("per_page", per_page if data.per_page is None else data.per_page)
    return _Data(data=data.data, total=_number("total", data.total), per_page=per_page)


def _number(name: str, value: object) -> int:
    if value in (None, "", msgspec.UNSET):
        raise _UndocumentedError(f"{name} is missing")
    try:
        return integer(value)
    except ValueError as error:
        raise _UndocumentedError(f"{name} {error}") from None


def masked(message: object, secret: str) -> str:
    """What the platform says, fit for a log: one line of bounded length, without the access key and long numbers."""
    text = " ".join(str(message or "no message").split())
    for form_of_secret in {secret, quote(secret, safe=""), quote_plus(secret), secret.translate(_IN_HTML)}:
        text = text.replace(form_of_secret, "***")
    return _LONG_NUMBER.sub("***", text)[:200]


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
