"""What the platform's page leaves open, and a sandbox can do in any way."""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, get_args

from attrs import Attribute, field, frozen, validators

from ..models import check_number

OutOfRange = Literal["empty", "first", "last", "error"]
"""What comes for a page that does not exist: no rows, the rows of the first or last page, or code 1001."""

Echo = Literal["given", "asked", "default"]
"""The `per_page` of an answer: the size that was given, the size that was asked for, or 10 whatever was asked for."""

Compression = Literal["none", "gzip", "deflate"]
"""How a body is compressed, if the client accepts it."""

UNDOCUMENTED: Final = {"context": "internal", "callmethod": "9", "hangupdirection": "10099"}
"""A value that no document has, for each field of few values."""


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _undocumented(_: object, attribute: "Attribute[tuple[str, ...]]", names: tuple[str, ...]) -> None:
    if not set(names) <= UNDOCUMENTED.keys():
        raise ValueError(f"{attribute.name} are some of {', '.join(UNDOCUMENTED)}, not {', '.join(names)}")


def a_number(*, least: float, whole: bool = False) -> Callable[[object, "Attribute[Any]", float | None], None]:
    """A validator that names the number it refuses. None is taken."""

    def check(_: object, attribute: "Attribute[Any]", value: float | None) -> None:
        if value is not None:
            check_number(attribute.name, value, least=least, whole=whole)

    return check


@frozen(kw_only=True)
class Quirks:
    """
    Habits that no document of the platform settles. By default the sandbox has none.

    Attributes:
        page_zero: What comes for page 0: `"error"` (code 1001), `"empty"` (no rows), or the rows of the `"first"` or
            `"last"` page.

        page_beyond_end: The same, for a page after the last.

        echo: The `per_page` of an answer: the size that was `"given"`, the size that was `"asked"` for (the cap is
            silent then), or `"default"`, which is 10 whatever was asked for.

        duration_includes_talk: Whether the `duration` of an answered call lasts to its end, or only to its answer.

        hangups: The values of `hangupdirection`, such as `("10040", "10041")`.

        unknown_fields: Names of fields that each row has besides the documented ones.

        unknown_values: Which of `context`, `callmethod` and `hangupdirection` have undocumented values, each in about
            every tenth call.

        repeated_ids: Whether every tenth call comes, and is counted, twice.

        compression: How bodies are compressed: `"none"`, `"gzip"` or `"deflate"`.

        keep_alive: False closes the connection after each answer.

        clock_skew: How many seconds the clock of the platform is ahead of this machine's; less than 0 if it is behind.
            Its answers have its time in their header `Date`.

        workers: How many requests it works on at once; others wait. None for any number.

        rate_limit: How many requests it takes in any second; the others get status 429. None for any number.

    Raises:
        ValueError: A choice or a number that makes no sense.
    """

    page_zero: OutOfRange = field(default="error", validator=validators.in_(get_args(OutOfRange)))
    page_beyond_end: OutOfRange = field(default="empty", validator=validators.in_(get_args(OutOfRange)))
    echo: Echo = field(default="given", validator=validators.in_(get_args(Echo)))
    duration_includes_talk: bool = True
    hangups: tuple[str, ...] = field(default=("caller", "callee"), converter=_texts, validator=validators.min_len(1))
    unknown_fields: tuple[str, ...] = field(default=(), converter=_texts)
    unknown_values: tuple[str, ...] = field(default=(), converter=_texts, validator=_undocumented)
    repeated_ids: bool = False
    compression: Compression = field(default="none", validator=validators.in_(get_args(Compression)))
    keep_alive: bool = True
    clock_skew: float = field(default=0.0, validator=a_number(least=-1e9))
    workers: int | None = field(default=None, validator=a_number(least=1, whole=True))
    rate_limit: int | None = field(default=None, validator=a_number(least=1, whole=True))
