"""The options that commands share: which calls, and how to reach the platform."""

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
from .interrupt import interruptible
from .log import listening
from .made_up import made_up

_WINDOW: Final = Group("Window of time", sort_key=1)
_FILTERS: Final = Group("Filters", sort_key=2)
_PLATFORM: Final = Group("Platform", sort_key=3)
_PACE: Final = Group("Pace", sort_key=4)

Text = Annotated[str | None, Parameter(group=_FILTERS)]


class UsageError(Exception):
    """An option or argument makes no sense. The message says why."""


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
    Which calls.

    Attributes:
        start: When the window begins, "YYYY-MM-DD HH:MM:SS" in Beijing time.

        end: When it ends, in the same form. If not given: now, or for `follow` never.

        day: One day in Beijing, YYYY-MM-DD. The default is today, unless the text above says otherwise.

        last: A span of time that ends now: 90s, 15m, 2h, 7d.

        extnumber: Only calls of this extension.

        disnumber: Only calls with this calling number.

        callnumber: Only calls with this called number.

        context: Only calls in this direction: callin is incoming, callout is outgoing.

        callmethod: Only calls set up in this way: 0 any, 1 between extensions, 2 dialled by hand, 3 through the
            interface, 4 double call, 5 predictive outbound call, 6 voice menu or group call.

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
        The query. If no end was given, it ends now.

        Raises:
            UsageError: Options contradict each other, or a value makes no sense.
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
        The query to follow. If no end was given, it has none; if no window was given, it begins *since* ago.

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
        """The filters, after checking that there is at most one window."""
        pair = self.start is not None or self.end is not None
        if pair + (self.day is not None) + (self.last is not None) > 1:
            raise UsageError("give one window of time at most: --start and --end, or --day, or --last")
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
    Where the platform is, who asks, and how fast.

    Attributes:
        appid: The application's id.

        accesskey_file: A file that holds the access key; "-" reads it from standard input, and a terminal does not show
            it. Without this option the key comes from INFIN8_ACCESSKEY. There is no option for the key itself: other
            users of this machine could read it in the list of processes.

        username: The user name the account authenticates with. The platform wants this or --ip.

        ip: The address or domain name the account authenticates with.

        base_url: The address of the platform, if it is not the usual one. The usual one is plain http: the access key
            is not encrypted on its way.

        sandbox: Ask a made-up platform instead, with 10,000 made-up calls in the window. Needs no account and no
            network.

        verbose: Show what happens meanwhile: every request that is sent again, why it is slow, each poll of `follow`.

        concurrency: The most requests at once.

        per_page: How many calls to ask for in one request.

        timeout: The most seconds for one request and its answer.

        max_rate: The most requests a second. If not given, there is no such limit.
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
    async def session(self, query: CdrQuery, *, following: bool = False) -> AsyncGenerator[Infin8Session]:
        """
        Open a session with the platform, or with a sandbox.

        Args:
            query: The window in which the sandbox has its calls.

            following: Whether new calls are waited for: a sandbox then has some all the time.

        Raises:
            UsageError: Credentials are missing, or a value makes no sense.
        """
        with listening(verbose=self.verbose, timed=following):
            if not self.sandbox:
                async with self._session(self._credentials(), self.base_url) as session:
                    yield session
                return
            with usage():
                platform = made_up(query, following=following)
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
            raise UsageError(f"{error}; see --help for the options, or try --sandbox, which needs none") from error

    def _accesskey(self) -> str | None:
        if self.accesskey_file is None:
            return os.environ.get("INFIN8_ACCESSKEY")
        try:
            if str(self.accesskey_file) != "-":
                return self.accesskey_file.read_text("utf-8").strip()
            with interruptible():
                return getpass("access key: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
        except (OSError, UnicodeDecodeError, EOFError) as error:
            what = error.strerror if isinstance(error, OSError) else "it is not text"
            raise UsageError(f"the access key can't be read from {self.accesskey_file}: {what}") from None


CALLS: Final = Calls()
PLATFORM: Final = Platform()


def today() -> date:
    """Today in Beijing."""
    return datetime.now(BEIJING).date()


def _platform_time(option: str, text: str) -> str:
    """Check that *text* is a time in the platform's form, and return it."""
    try:
        CdrQuery(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None
    return text
