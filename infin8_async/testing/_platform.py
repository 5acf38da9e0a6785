"""The platform's rules for a request, as its page documents them."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import frozen

from ..models import Credentials

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_NUMBER_FILTERS: Final = ("extnumber", "disnumber", "callnumber")

MESSAGES: Final[Mapping[int, str]] = {
    1: "successful request",
    1000: "system error",
    1001: "Parameter error",
    1005: "Username or APPID or AccessKey error",
    1006: "Insufficient permissions on the interface",
    1008: "wrong number format",
}
"""The platform's codes and their messages."""


@frozen
class SandboxRequest:
    """
    A request as it arrived.

    Attributes:
        form: Its form fields, under the platform's names. A `repr` does not show the access key.

        at: When it arrived, by the clock of the event loop.
    """

    form: Mapping[str, str]
    at: float

    @property
    def page(self) -> int:
        """The page it asks for; 1 if it does not say, -1 if that is not a number."""
        return _whole(self.form.get("page", "1"))

    @property
    def per_page(self) -> int:
        """The page size it asks for; 10 if it does not say, -1 if that is not a number."""
        return _whole(self.form.get("per_page", "10"))


def check(request: SandboxRequest, allowed: Credentials, *, permitted: bool, least_page: int = 1) -> int:
    """
    The code of the answer: 1, or the one with which the request is refused.

    Args:
        request: What arrived.

        allowed: Whose requests are answered.

        permitted: Whether they may use the interface.

        least_page: The first page that may be asked for.
    """
    form = request.form
    needed = ("appid", "accesskey", "starttime", "endtime")
    if not all(form.get(name) for name in needed) or not (form.get("username") or form.get("ip")):
        return 1001
    given = [(name, value) for name in ("appid", "accesskey", "username", "ip") if (value := form.get(name))]
    if any(value != getattr(allowed, name) for name, value in given):
        return 1005
    if not permitted:
        return 1006
    well_formed = (
        _is_time(form["starttime"]),
        _is_time(form["endtime"]),
        request.page >= least_page,
        request.per_page > 0,
        form.get("context", "") in ("", "callin", "callout"),
        form.get("callmethod", "") in ("", *"0123456"),
    )
    if not all(well_formed):
        return 1001
    return 1 if all(form.get(name, "0").isdecimal() for name in _NUMBER_FILTERS) else 1008


def refusal(code: int, msg: str | None = None) -> dict[str, object]:
    return {"code": code, "msg": MESSAGES.get(code, "error") if msg is None else msg, "data": []}


def _is_time(value: str) -> bool:
    try:
        return bool(_TIME.fullmatch(value) and datetime.fromisoformat(value))
    except ValueError:
        return False


def _whole(value: str) -> int:
    return int(value) if value.isdecimal() and value.isascii() else -1
