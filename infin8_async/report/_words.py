"""The words of a report, in English and in Chinese, and how numbers, times and phone numbers are written."""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from attrs import field, frozen

from ..models import BEIJING

Language = Literal["en", "zh"]
"""The languages there are."""

_LONGEST_EXTENSION: Final = 6  # digits; what is longer is taken for a phone number

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


_DASH: Final = "\N{EN DASH}"
_OURS: Final = files(__package__) / "words"


@cache
def _spoken(language: Language) -> Mapping[str, Any]:
    return tomllib.loads((_OURS / f"{language}.toml").read_text("utf-8"))


@frozen
class Words:
    """
    How a report speaks.

    Attributes:
        language: In which language.

        numbers: Whether phone numbers are shown whole.
    """

    language: Language
    numbers: bool = field(default=False, kw_only=True)

    def __call__(self, name: str, **values: object) -> str:
        """The words of that name, with values put in."""
        words: str = _spoken(self.language)[name]
        return words.format(**values)

    def number(self, number: float) -> str:
        """A number, with its thousands set apart."""
        return f"{number:,.0f}" if number == round(number) else f"{number:,.1f}"

    def calls(self, number: int) -> str:
        """How many calls."""
        return self("one_call" if number == 1 else "more_calls", number=self.number(number))

    def percent(self, share: float | None) -> str:
        """A share; a dash for nothing of nothing."""
        gap = "" if self.language == "zh" else " "
        return _DASH if share is None else f"{100 * share:.1f}{gap}%"

    def interval(self, interval: tuple[float, float] | None) -> str:
        """The bounds of a share."""
        gap = "" if self.language == "zh" else " "
        return _DASH if interval is None else f"{100 * interval[0]:.0f}{_DASH}{100 * interval[1]:.0f}{gap}%"

    def span(self, span: timedelta | float | None) -> str:
        """A length of time, in its two largest units."""
        if span is None:
            return _DASH
        seconds = round(span.total_seconds() if isinstance(span, timedelta) else span)
        hour, minute, second = ("小时", "分", "秒") if self.language == "zh" else (" h", " min", " s")
        hours, rest = divmod(seconds, 3600)
        gap = "" if self.language == "zh" else " "
        if hours >= 100:
            return f"{round(seconds / 3600):,}{hour}"
        if hours:
            return f"{hours}{hour}{gap}{rest // 60}{minute}"
        if seconds >= 60:
            return f"{seconds // 60}{minute}{f'{gap}{seconds % 60}{second}' if seconds % 60 else ''}"
        return f"{seconds}{second}"

    def hours(self, hour: int | None) -> str:
        """An hour of day, from its beginning to its end."""
        if hour is None:
            return _DASH
        return f"{hour}{_DASH}{hour + 1}{' h' if self.language == 'en' else '点'}"

    def zone(self, zone: tzinfo) -> str:
        """The name of a zone."""
        return self("beijing") if zone == BEIJING else str(zone)

    def day(self, day: date, *, year: bool = False) -> str:
        """A date, with its weekday."""
        weekday = self.weekday(day.weekday())
        if self.language == "zh":
            return f"{f'{day.year}年' if year else ''}{day.month}月{day.day}日 {weekday}"
        return f"{weekday} {day.day} {_MONTHS[day.month - 1]}{f' {day.year}' if year else ''}"

    def month(self, day: date) -> str:
        """The month of a date."""
        return f"{day.year}年{day.month}月" if self.language == "zh" else f"{_MONTHS[day.month - 1]} {day.year}"

    def step(self, step: str, key: date | int) -> str:
        """An hour of day, an hour, a day or a month."""
        if isinstance(key, int):
            return f"{key}:00"
        if isinstance(key, datetime):
            return f"{self.weekday(key.weekday())} {key:%H:%M}"
        return self.month(key) if step == "month" else self.day(key)

    def short(self, step: str, key: date | int) -> str:
        """The same, short enough for an axis."""
        if isinstance(key, int | datetime) or step == "month":
            return self.step(step, key)
        return f"{key.month}/{key.day}" if self.language == "zh" else f"{key.day} {_MONTHS[key.month - 1]}"

    def length(self, low: float, high: float | None) -> str:
        """A range of lengths of time."""
        if high is None:
            return f"≥ {self.span(low)}"
        return f"{self.span(low)} {_DASH} {self.span(high)}" if low else f"< {self.span(high)}"

    def time(self, time: datetime, *, year: bool = False) -> str:
        """A date and a time of day."""
        return f"{self.day(time.date(), year=year)} {time:%H:%M}"

    def weekday(self, weekday: int) -> str:
        """A weekday, Monday being 0."""
        return str(_spoken(self.language)["weekdays"][weekday])

    def phone(self, number: str) -> str:
        """A phone number, masked unless numbers are shown."""
        if self.numbers or not number:
            return _printable(number)
        return f"***{_printable(number[-2:])}" if len(number) > 4 else "***"

    def extension(self, extension: str) -> str:
        """An extension. A phone number in its place is masked."""
        return self.phone(extension) if len(extension) > _LONGEST_EXTENSION else _printable(extension)

    def side(self, side: str) -> str:
        """Who hung up; a code that is not documented is shown as it is."""
        return self(side or "not_said") if side in ("caller", "callee", "") else _printable(side)


def _printable(text: str) -> str:
    """A text of the platform on one line, without what could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
