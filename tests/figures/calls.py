"""Calls for the tests of figures: written in a line, or made up."""

from datetime import date, datetime, time, timedelta
from itertools import count

from hypothesis import strategies as st

from infin8_async import BEIJING, CallDirection, CallMethod, Cdr

DAY = date(2020, 6, 10)  # a Wednesday
_ids = count(1)


def at(clock: str, day: date = DAY) -> datetime:
    """A time of that day in Beijing, of the form 9:00:05."""
    hour, minute, second = (int(part) for part in clock.split(":"))
    return datetime.combine(day, time(hour, minute, second), BEIJING)


def call(start: str, rings: int | None = None, talks: int = 0, *, number: str = "13800000001", **fields: object) -> Cdr:
    """
    Make an incoming call.

    Args:
        start: When it was dialled.

        rings: After how many seconds it was answered; None if it was not.

        talks: The seconds talked.

        number: Of the customer.

        fields: Any of a `Cdr`.
    """
    dialled = at(start)
    made = {
        "id": next(_ids),
        "context": CallDirection.INCOMING,
        "disnumber": number,
        "callnumber": "01000000000",
        "starttime": dialled,
        "answertime": None if rings is None else dialled + timedelta(seconds=rings),
        "endtime": dialled + timedelta(seconds=(rings or 5) + max(talks, 0)),
        "billsec": talks,
    }
    return Cdr(**made | fields)


def out(start: str, rings: int | None = None, talks: int = 0, *, number: str = "13800000001", **fields: object) -> Cdr:
    """Make an outgoing call."""
    numbers = {"context": CallDirection.OUTGOING, "disnumber": "01000000000", "callnumber": number}
    return call(start, rings, talks, **numbers | fields)


_START = datetime(2020, 3, 28, tzinfo=BEIJING)  # clocks are changed in Europe the night after


@st.composite
def cdrs(draw: st.DrawFn) -> Cdr:
    """Make calls of three days, of few numbers and extensions, some of them odd."""
    dialled = _START + timedelta(seconds=draw(st.integers(0, 3 * 86_400)))
    rings = draw(st.none() | st.integers(-2, 60))
    answer = None if rings is None else dialled + timedelta(seconds=rings)
    talks = draw(st.sampled_from([0, 0, 1, 5, 6, 59, 60, 61, 3600, 7300, -1]))
    lasted = draw(st.sampled_from([None, 0, 30, 60 + max(talks, 0)]))
    numbers = st.sampled_from(["13800000001", "+8613800000001", "3800000001", "13800000002", "8001", "", "anonymous"])
    return Cdr(
        id=next(_ids),
        context=draw(st.sampled_from([*CallDirection, "callsideways"])),
        callmethod=draw(st.sampled_from([CallMethod.MANUAL, CallMethod.DOUBLE])),
        extnumber=draw(st.sampled_from(["8001", "8002", ""])),
        disnumber=draw(numbers),
        callnumber=draw(numbers),
        starttime=draw(st.sampled_from([dialled, dialled, dialled, None])),
        answertime=answer,
        endtime=None if lasted is None else dialled + timedelta(seconds=lasted),
        billsec=talks,
        abillsec=draw(st.sampled_from([0, 10])),
    )
