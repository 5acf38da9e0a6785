"""The calls that the benchmark's platform holds: rendered beforehand, so that serving one costs a slice."""

from array import array
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

SPAN: Final = timedelta(days=30)
"""The time that all calls lie in, however many they are."""

_FIRST: Final = datetime(2020, 6, 1, tzinfo=UTC)  # of the platform's wall clock
_SECONDS: Final = int(SPAN.total_seconds())
_TEMPLATES: Final = 997  # different calls; ids and times are every row's own


def text(seconds: int) -> str:
    """A time that many seconds after the first midnight, as the platform writes it."""
    return (_FIRST + timedelta(seconds=seconds)).isoformat(" ")[:19]


WINDOW: Final = (text(0), text(_SECONDS))
"""A window that holds every call."""


def _template(chance: Random) -> tuple[str, int, int | None]:
    """A row to be filled in, how long the call lasted, and after how many seconds it was picked up, if ever."""
    incoming = chance.random() < 0.35
    answered = chance.random() < 0.62
    method = chance.choice("23456")
    ring, talk = chance.randrange(2, 45), chance.randrange(1, 600) if answered else 0
    fields = {
        "aanswertime": "%(answer)s" if answered and method == "4" else "",
        "abillsec": talk if method == "4" else 0,
        "aduration": ring + talk,
        "aendtime": "%(end)s",
        "answertime": "%(answer)s" if answered else "",
        "anumber": f"1380000{chance.randrange(10_000):04}" if method == "4" else "",
        "astarttime": "%(start)s",
        "billsec": talk,
        "callmethod": method,
        "callnumber": f"1390000{chance.randrange(10_000):04}",
        "clientip": "",
        "context": "callin" if incoming else "callout",
        "disnumber": f"0100000{chance.randrange(10_000):04}",
        "downloadip": "198.51.100.20",
        "duration": ring + talk,
        "endtime": "%(end)s",
        "extnumber": f"8{chance.randrange(1000):03}",
        "hangupdirection": chance.choice(("caller", "callee")),
        "id": "%(id)d",
        "memberid": "",
        "starttime": "%(start)s",
        "userid": f"u{chance.randrange(100)}",
    }
    shown = (f'"{name}":{value}' if name == "id" or isinstance(value, int) else f'"{name}":"{value}"'
             for name, value in fields.items())  # fmt: skip
    return "{" + ",".join(shown) + "}", ring + talk, ring if answered else None


class Calls:
    """
    Rows as bytes, newest first, evenly over the span.

    Attributes:
        dialled: Each call's dial time, in seconds from the first midnight, oldest first.
    """

    def __init__(self, count: int) -> None:
        chance = Random(20200610)
        templates = [_template(chance) for _ in range(_TEMPLATES)]
        days = [text(day * 86_400)[:11] for day in range(SPAN.days + 2)]
        clock = [text(second)[11:] for second in range(86_400)]

        def time(seconds: int) -> str:
            day, second = divmod(seconds, 86_400)
            return days[day] + clock[second]

        self._count = count
        self.dialled = array("l", (number * _SECONDS // count for number in range(count)))
        self._offsets = array("q", [0])
        rows = bytearray()
        for number in range(count - 1, -1, -1):
            template, lasted, ring = templates[number % _TEMPLATES]
            start = self.dialled[number]
            values = {"id": 7_000_000 + number, "start": time(start), "end": time(start + lasted)}
            values["answer"] = time(start + (ring or 0))
            rows += (template % values).encode() + b","
            self._offsets.append(len(rows))
        self._rows = bytes(rows)

    def window(self, start: str, end: str) -> tuple[int, int]:
        """The calls dialled from *start* to *end*, both included: the newest one's place and how many they are."""
        oldest = bisect_left(self.dialled, _seconds(start))
        after = bisect_right(self.dialled, _seconds(end))
        return self._count - after, max(0, after - oldest)

    def slice(self, first: int, last: int) -> bytes:
        """The rows from place *first* to before place *last*, separated by commas."""
        return self._rows[self._offsets[first] : max(0, self._offsets[last] - 1)] if last > first else b""


def _seconds(written: str) -> int:
    return int((datetime.fromisoformat(written).replace(tzinfo=UTC) - _FIRST).total_seconds())
