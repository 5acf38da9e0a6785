"""What single values of a row mean. Numbers, texts and times may each come in several forms."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from ..models import BEIJING, CallDirection, CallMethod, platform_text

TIME_LENGTH: Final = len("YYYY-MM-DD HH:MM:SS")
ZERO_TIME: Final = "0000-00-00 00:00:00"
"""What MySQL keeps where there is no time."""

_SIGNS: Final = {4: "-", 7: "-", 10: " ", 13: ":", 16: ":", TIME_LENGTH: "\n"}  # of a line that is a time
_DIRECTIONS: Final[Mapping[object, CallDirection]] = {member.value: member for member in CallDirection}
_METHODS: Final[Mapping[object, CallMethod]] = {member.value: member for member in CallMethod}
_parse, _combine = datetime.fromisoformat, datetime.combine


def integer(value: object, _: object = None) -> int:
    """A number, which may come as text; nothing is 0."""
    if value.__class__ is int:
        return value  # the fast form of isinstance, and without bool
    if value is None or value == "":
        return 0
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
        return int(value)
    raise ValueError(f"is {kind(value)}, not a whole number")


def call_id(value: object, _: object = None) -> int:
    if value is None or value == "":
        raise ValueError("is empty")
    number = integer(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError("does not fit 64 bits")
    return number


def text(value: object, _: object = None) -> str:
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if value.__class__ is int:
        return str(value)
    raise ValueError(f"is {kind(value)}, not a text")


def moment(value: object, _: object = None) -> datetime | None:
    if value == "" or value is None:
        return None
    if value.__class__ is not str:
        raise ValueError(f"is {kind(value)}, not a time")
    try:
        time = _parse(value)
    except ValueError:
        if value == ZERO_TIME:
            return None
        time = None
    if time is None or time.tzinfo is not None or len(value) != TIME_LENGTH:
        raise ValueError("is no time of the form YYYY-MM-DD HH:MM:SS")
    # All times share one zone: parsed with "+08:00" in the text each would carry its own, and be almost three times as
    # large. `replace(tzinfo=…)` says the same, and costs five times as much on Python 3.11.
    return _combine(time, time.time(), BEIJING)


def direction(value: object, _: object = None) -> CallDirection | str:
    if value.__class__ is str:
        return _DIRECTIONS.get(value, value)
    return text(value)


def method(value: object, _: object = None) -> CallMethod | str:
    written = value if value.__class__ is str else text(value)
    return _METHODS.get(written, written)


def in_iso_form(times: Sequence[str | None]) -> list[str | None]:
    """
    Times of documented rows as a record's `isoformat` gives them; None if there is none.

    Raises:
        ValueError: One is not of the platform's form. What it means, or what is wrong with it, a record says.
    """
    written = [time for time in times if time and time != ZERO_TIME]
    if in_platform_form(written) != written or not all(map(_parse, written)):  # it raises the error for what is no time
        raise ValueError("not of the platform's form")
    # As one text: to change each time for itself costs four times as much.
    texts = "\n".join(written).replace(" ", "T").replace("\n", "+08:00\n") + "+08:00"
    iso: dict[str | None, str] = dict(zip(written, texts.split("\n"), strict=False))  # no times are one text, too
    return [iso.get(time) for time in times]


def kind(value: object) -> str:
    """What a value is, in JSON's words: values themselves may be phone numbers and stay out of messages."""
    names = {str: "a text", bool: "a boolean", int: "a number", float: "a fraction", dict: "an object", list: "a list"}
    return names.get(type(value), type(value).__name__)


def in_platform_form(times: Sequence[object]) -> list[str] | None:
    """
    Times of rows as the platform writes them, so that they compare as texts.

    Args:
        times: Texts or other values, as they came.

    Returns:
        None if one is absent, or can't be read.
    """
    # All at once, without a look at each: a text that can be read and has these signs in these places has the form.
    try:
        joined = "\n".join(times) + "\n"  # type: ignore[arg-type]  # if one is no text, it says so
    except TypeError:
        pass
    else:
        signs = all(joined[place :: TIME_LENGTH + 1] == sign * len(times) for place, sign in _SIGNS.items())
        if signs and len(joined) == (TIME_LENGTH + 1) * len(times) and ZERO_TIME not in times:
            return list(times)  # type: ignore[arg-type]  # they are texts
    try:
        read = [moment(value) for value in times]
    except ValueError:
        return None
    return None if None in read else [platform_text(time) for time in read if time is not None]
