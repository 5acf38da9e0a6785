"""Validators that name the parameter they refuse."""

from collections.abc import Callable
from math import inf
from typing import Any

from attrs import Attribute


def a_text(_: object, attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str):
        msg = f"{attribute.name} must be a string, not {type(value).__name__}"
        raise TypeError(msg)
    if not value:
        raise ValueError(f"{attribute.name} is empty")


def a_number(least: float, *, whole: bool = False) -> Callable[[object, "Attribute[Any]", object], None]:
    def check(_: object, attribute: "Attribute[Any]", value: object) -> None:
        check_number(attribute.name, value, least=least, whole=whole)

    return check


def check_number(name: str, value: object, *, least: float = -inf, above: float = -inf, whole: bool = False) -> None:
    """Raise a `ValueError` that names the parameter if *value* is not a finite number within its bound."""
    kind = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kind) or not (least <= value < inf and value > above):
        bound = f"above {above}" if above > -inf else f"of at least {least}"
        raise ValueError(f"{name} must be a {'whole ' * whole}number {bound}, not {value!r}")
