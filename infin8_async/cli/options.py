"""What the commands of `infin8` share: which calls, and how to reach the platform."""

import logging
import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import date, datetime, timedelta
from getpass import getpass
from pathlib import Path
from typing import Annotated, Final, Literal

from attrs import frozen
from cyclopts import Group, Parameter

from ..models import BEIJING, CallDirection, CallMethod, CdrQuery, Credentials, Filters
from ..session import Infin8Session, SessionOptions
from ..testing import Sandbox
from .output import say

SANDBOX_CALLS: Final = 10_000
"""How many calls the sandbox makes up for a command of its own, over all days of the window asked for."""

_WINDOW: Final = Group("Window of time", sort_key=1)
_FILTERS: Final = Group("Filters", sort_key=2)
_PLATFORM: Final = Group("Platform", sort_key=3)
_PACE: Final = Group("Pace", sort_key=4)

Text = Annotated[str | None, Parameter(group=_FILTERS)]


class _Said(logging.Handler):
    """What the library logs, for people; nothing unless they asked for it, as the last line will say what matters."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


class UsageError(Exception):
    """What was asked for makes no sense; the message says why."""


@contextmanager
def usage() -> Generator[None]:
    """Turn the library's refusal of a value into a `UsageError`."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise UsageError(str(error)) from error


@Parameter(name="*")
@frozen(kw_only=True)
class Calls:
    """
    Which calls are meant.

    Attributes:
        start: Where the window begins, "YYYY-MM-DD HH:MM:SS" in Beijing time.

        end: Where it ends, in the same form. If not given: now, or never for what follows.

        day: One day in Beijing, YYYY-MM-DD. Without any window: today, unless said otherwise above.

        last: The time that ends now: 90s, 15m, 2h, 7d.

        extnumber: Only calls of this extension.

        disnumber: Only calls with this calling number.

        callnumber: Only calls with this called number.

        context: Only calls in this direction: callin came in, callout went out.

        callmethod: Only calls set up in this way: 0 any, 1 between extensions, 2 dialled by hand, 3 through the
            interface, 4 double call, 5 predictive outbound, 6 voice menu or group call.

        userid: Only calls with this custom parameter.

        memberid: Only calls with this custom parameter.
    """

    start: Annotated[str | None, Parameter(group=_WINDOW)] = None
    end: Annotated[str | None, Parameter(group=_WINDOW)] = None
    day: Annotated[date | None, Parameter(group=_WINDOW)] = None
    last: Annotated[timedelta | None, Parameter(group=_WINDOW)] = None
    extnumber: Text = None
    disnumber: Text = None
    callnumber: Text = None
    context: Annotated[Literal["callin", "callout"] | None, Parameter(group=_FILTERS)] = None
    callmethod: Annotated[Literal["0", "1", "2", "3", "4", "5", "6"] | None, Parameter(group=_FILTERS)] = None
    userid: Text = None
    memberid: Text = None

    def query(self) -> CdrQuery:
        """
        The query, its end fixed to the present where none was given.

        Raises:
            UsageError: Windows that contradict each other, or a value that makes no sense.
        """
        filters = self._filters()
        with usage():
            if self.start is not None:
                return self._from(self.start).until_now()
            if self.last is not None:
                return CdrQuery.last(self.last, **filters)
            return CdrQuery.day(self.day or today(), **filters)

    def following(self, since: timedelta) -> CdrQuery:
        """
        The query to follow: without an end where none was given, and from *since* ago on without any window.

        Raises:
            UsageError: As for `query`.
        """
        filters = self._filters()
        with usage():
            if self.start is not None:
                return self._from(self.start)
            if self.day is not None:
                return CdrQuery.day(self.day, **filters)
            return CdrQuery(datetime.now(BEIJING) - (since if self.last is None else self.last), **filters)

    def _from(self, start: str) -> CdrQuery:
        end = None if self.end is None else _platform_time("--end", self.end)
        return CdrQuery(_platform_time("--start", start), end, **self._filters())

    def _filters(self) -> Filters:
        """The filters, once it is clear that there is one window at most."""
        pair = self.start is not None or self.end is not None
        if pair + (self.day is not None) + (self.last is not None) > 1:
            raise UsageError("one window of time at most: --start and --end, or --day, or --last")
        if self.end is not None and self.start is None:
            raise UsageError("--end needs a --start")
        return {
            "extnumber": self.extnumber,
            "disnumber": self.disnumber,
            "callnumber": self.callnumber,
            "context": self.context and CallDirection(self.context),
            "callmethod": self.callmethod and CallMethod(self.callmethod),
            "userid": self.userid,
            "memberid": self.memberid,
        }


@Parameter(name="*")
@frozen(kw_only=True)
class Platform:
    """
    Where the platform is, who asks, and how hard.

    Attributes:
        appid: The application's id.

        accesskey_file: A file that holds the access key; "-" reads it from standard input, unseen on a terminal.
            Without it the key comes from the environment: INFIN8_ACCESSKEY. It is no option, as other users of this
            machine could read it in the list of processes.

        username: The user name the account authenticates with. The platform wants this or --ip.

        ip: The address or domain name the account authenticates with.

        base_url: Where the platform is, if not at its usual address. That is plain http: the access key travels in the
            clear.

        sandbox: Ask a made-up platform instead, with 10,000 made-up calls in the window. Needs no account, no network.

        verbose: Tell what happens meanwhile: which request is sent again, and why.

        concurrency: The most requests at once.

        per_page: How many calls to ask for in one request.

        timeout: Seconds for one request, with its answer.

        max_rate: The most requests a second; no such limit if not given.
    """

    appid: Annotated[str | None, Parameter(group=_PLATFORM, env_var="INFIN8_APPID")] = None
    accesskey_file: Annotated[Path | None, Parameter(group=_PLATFORM, allow_leading_hyphen=True)] = None
    username: Annotated[str | None, Parameter(group=_PLATFORM, env_var="INFIN8_USERNAME")] = None
    ip: Annotated[str | None, Parameter(group=_PLATFORM, env_var="INFIN8_IP")] = None
    base_url: Annotated[str | None, Parameter(group=_PLATFORM, env_var="INFIN8_BASE_URL")] = None
    sandbox: Annotated[bool, Parameter(group=_PLATFORM, negative="")] = False
    verbose: Annotated[bool, Parameter(group=_PLATFORM, negative="", alias="-v")] = False
    concurrency: Annotated[int, Parameter(group=_PACE)] = 8
    per_page: Annotated[int, Parameter(group=_PACE)] = 1000
    timeout: Annotated[float, Parameter(group=_PACE)] = 30.0
    max_rate: Annotated[float | None, Parameter(group=_PACE)] = None

    @asynccontextmanager
    async def session(self, query: CdrQuery, *, live: float = 0) -> AsyncGenerator[Infin8Session]:
        """
        An open session with the platform, or with a sandbox whose calls lie in the window of *query*, and where *live*
        more of them appear each second.

        Raises:
            UsageError: Credentials are missing, or a value makes no sense.
        """
        for name in ("infin8_async", "stamina"):
            logging.getLogger(name).addHandler(logging.NullHandler())
        if self.verbose:
            log = logging.getLogger("infin8_async")
            log.addHandler(_Said())
            log.setLevel(logging.INFO)
        if not self.sandbox:
            async with self._session(self._credentials(), self.base_url) as session:
                yield session
            return
        start, end = query.until_now().ends
        first, last = start.date(), max(start.date(), min(end.date(), today()))
        with usage():
            platform = Sandbox(SANDBOX_CALLS, start=first, days=(last - first).days + 1, live=live)
        async with platform, self._session(platform.credentials, platform.base_url) as session:
            yield session

    def _session(self, credentials: Credentials, base_url: str | None) -> Infin8Session:
        options: SessionOptions = {
            "concurrency": self.concurrency,
            "per_page": self.per_page,
            "timeout": self.timeout,
            "max_rate": self.max_rate,
        }
        if base_url:
            options["base_url"] = base_url
        with usage():
            return Infin8Session(credentials, **options)

    def _credentials(self) -> Credentials:
        given = {
            "INFIN8_APPID": self.appid,
            "INFIN8_ACCESSKEY": self._accesskey(),
            "INFIN8_USERNAME": self.username,
            "INFIN8_IP": self.ip,
        }
        try:
            return Credentials.from_env({name: value for name, value in given.items() if value})
        except ValueError as error:
            raise UsageError(f"{error}; there are options too, see --help; --sandbox needs none of them") from error

    def _accesskey(self) -> str | None:
        if self.accesskey_file is None:
            return os.environ.get("INFIN8_ACCESSKEY")
        try:
            if str(self.accesskey_file) != "-":
                return self.accesskey_file.read_text("utf-8").strip()
            return getpass("access key: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
        except (OSError, UnicodeDecodeError, EOFError) as error:
            what = error.strerror if isinstance(error, OSError) else "it holds no text"
            raise UsageError(f"the access key can't be read from {self.accesskey_file}: {what}") from None


CALLS: Final = Calls()
PLATFORM: Final = Platform()


def today() -> date:
    """The present day in Beijing."""
    return datetime.now(BEIJING).date()


def _platform_time(option: str, text: str) -> str:
    """The same text, if it is a time in the platform's form."""
    try:
        CdrQuery(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None
    return text
