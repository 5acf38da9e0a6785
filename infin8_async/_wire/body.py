"""
The body of an answer: the documented data in it, or the platform's refusal.

Sources of the rules: the platform's page for `POST /api/cdrs`, and the documents of its sibling interfaces for the
gateway's body.
"""

import codecs
import re
from collections.abc import Mapping
from email.message import Message
from typing import Final
from urllib.parse import quote, quote_plus

import msgspec

from ..errors import (
    AuthenticationError,
    NumberFormatError,
    ParameterError,
    PermissionDeniedError,
    PlatformError,
    SystemFailureError,
)
from .values import integer

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


class Data(msgspec.Struct):
    """What an answer holds: its rows, still bytes, and its numbers."""

    data: msgspec.Raw
    total: int
    per_page: int


class _Envelope(msgspec.Struct):
    code: int
    data: Data


class _LooseData(msgspec.Struct):
    """The fields of `Data`, of any type."""

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


class UndocumentedError(ValueError):
    """JSON of a shape that can't be read as an answer of the platform."""


def read_data(body: bytes, content_type: str, *, per_page: int, secret: str) -> Data:
    """
    Read the documented data out of a body.

    Args:
        body: The whole body, decompressed.

        content_type: The HTTP header.

        per_page: The size that was asked for, in case the answer does not say it.

        secret: The access key, to be masked in whatever the platform says.

    Raises:
        PlatformError: The platform or its gateway refused.

        UndocumentedError: It is JSON, but not an answer of the platform.

        UnicodeDecodeError, msgspec.DecodeError, RecursionError: It is not JSON.
    """
    body = _as_utf8(body, content_type)
    try:
        envelope = _decode_documented(body)
        if envelope.code == 1:
            return envelope.data
    except msgspec.ValidationError:
        pass
    return _read_leniently(body, per_page, secret)


def _read_leniently(body: bytes, per_page: int, secret: str) -> Data:
    """
    The documented data out of what PHP makes of it: numbers as texts, `[]` for an empty object.

    Raises:
        PlatformError: It is a refusal.

        UndocumentedError: It can't be read as an answer at all.
    """
    try:
        answer = _decode_envelope(body)
    except msgspec.ValidationError:
        msgspec.json.decode(body)  # what is no JSON at all deserves another try
        raise UndocumentedError("the body is no object") from None
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
        raise UndocumentedError("data is no object")
    if not data.data:
        raise UndocumentedError("data.data is no list")
    per_page = _number("per_page", per_page if data.per_page is None else data.per_page)
    return Data(data=data.data, total=_number("total", data.total), per_page=per_page)


def _number(name: str, value: object) -> int:
    if value in (None, "", msgspec.UNSET):
        raise UndocumentedError(f"{name} is missing")
    try:
        return integer(value)
    except ValueError as error:
        raise UndocumentedError(f"{name} {error}") from None


def _as_utf8(body: bytes, content_type: str) -> bytes:
    """
    A body as JSON has to be: in UTF-8, without byte order marks.

    PHP sends the mark of every file that was saved with one, in UTF-8 whatever the header declares.

    Raises:
        UnicodeDecodeError: It is neither in the declared charset nor in UTF-8.
    """
    declared = Message()
    declared["Content-Type"] = content_type
    try:
        charset = declared.get_content_charset("utf-8")
    except ValueError:  # bytes that are no text
        charset = "utf-8"
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


def masked(message: object, secret: str) -> str:
    """What the platform says, fit for a log: one line of bounded length, without the access key and long numbers."""
    text = " ".join(str(message or "no message").split())
    for form_of_secret in {secret, quote(secret, safe=""), quote_plus(secret), secret.translate(_IN_HTML)}:
        text = text.replace(form_of_secret, "***")
    return _LONG_NUMBER.sub("***", text)[:200]
