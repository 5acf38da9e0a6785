"""The options that commands share: how to reach the platform, and with them those that say which calls."""

import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import tzinfo
from getpass import getpass
from pathlib import Path
from typing import Annotated, Final

from attrs import evolve, frozen
from cyclopts import Group, Parameter

from ..budget import Budget
from ..models import BEIJING, CdrQuery, Credentials
from ..session import Infin8Session, SessionOptions
from .access import Access
from .accounts import ALL, Account, default_file, read_accounts, warn_if_open
from .calls import CALLS, WINDOW, Calls, today
from .interrupt import interruptible
from .log import listening
from .made_up import made_up
from .times import zone_of
from .usage import UsageError, usage

__all__ = ["CALLS", "PLATFORM", "Calls", "Platform", "UsageError", "today", "usage"]

_PLATFORM: Final = Group("Platform", sort_key=3)
_PACE: Final = Group("Pace", sort_key=4)


@Parameter(name="*")
@frozen(kw_only=True)
class Platform:
    """
    Where the platform is, who asks, how fast, and in which zone.

    Attributes:
        zone_name: The zone in which the window is given and times are shown, such as America/Mexico_City. Without it
            that of the account, or INFIN8_ZONE, or Beijing's.

        account: An account of the accounts file. count, sync, audit and report take "all": every account at once.

        config: The accounts file. Without it INFIN8_CONFIG, or accounts.toml in the folder for configuration, such as
            ~/.config/infin8.

        appid: The application's id. Without it INFIN8_APPID.

        accesskey_file: A file that holds the access key; "-" reads it from standard input, and a terminal does not show
            it. Without this option the key comes from INFIN8_ACCESSKEY. There is no option for the key itself: other
            users of this machine could read it in the list of processes.

        username: The user name the account authenticates with. Without it INFIN8_USERNAME. The platform wants this or
            --ip.

        ip: The address or domain name the account authenticates with. Without it INFIN8_IP.

        base_url: The address of the platform, if it is not the usual one. Without it that of the account, or
            INFIN8_BASE_URL. The usual one is plain http: the access key is not encrypted on its way. The proxies of
            HTTP_PROXY and HTTPS_PROXY are used, except for the hosts of NO_PROXY.

        sandbox: Ask a made-up platform instead, with 10,000 made-up calls in the window. Needs no account and no
            network.

        verbose: Show what happens meanwhile: every request that is sent again, why it is slow, each poll of `follow`.

        concurrency: The most requests at once.

        per_page: How many calls to ask for in one request.

        timeout: The most seconds for one request and its answer.

        max_rate: The most requests a second, of all accounts together. If not given, there is no such limit.
    """

    zone_name: Annotated[str | None, Parameter(name="--zone", group=WINDOW)] = None
    account: Annotated[str | None, Parameter(group=_PLATFORM)] = None
    config: Annotated[Path | None, Parameter(group=_PLATFORM)] = None
    appid: Annotated[str | None, Parameter(group=_PLATFORM)] = None
    accesskey_file: Annotated[Path | None, Parameter(group=_PLATFORM, allow_leading_hyphen=True)] = None
    username: Annotated[str | None, Parameter(group=_PLATFORM)] = None
    ip: Annotated[str | None, Parameter(group=_PLATFORM)] = None
    base_url: Annotated[str | None, Parameter(group=_PLATFORM)] = None
    sandbox: Annotated[bool, Parameter(group=_PLATFORM, negative="")] = False
    verbose: Annotated[bool, Parameter(group=_PLATFORM, negative="", alias="-v")] = False
    concurrency: Annotated[int, Parameter(group=_PACE)] = 8
    per_page: Annotated[int, Parameter(group=_PACE)] = 1000
    timeout: Annotated[float, Parameter(group=_PACE)] = 30.0
    max_rate: Annotated[float | None, Parameter(group=_PACE)] = None

    @property
    def every_account(self) -> bool:
        """Whether all accounts of the file are meant."""
        return self.account == ALL

    def access(self) -> Access:
        """
        The way to the platform.

        Raises:
            UsageError: The account is not there, or several are meant.
        """
        self._check()
        if self.every_account:
            raise UsageError("--account all is for count, sync, audit and report: name one account")
        if self.account is None:
            return self._access(None, self._budget())
        accounts = self._accounts()
        if self.account not in accounts:
            raise UsageError(f"--account {self.account}: {self._file} has {', '.join(accounts)}")
        return self._access(accounts[self.account], self._budget())

    @contextmanager
    def accesses(self) -> Generator[list[Access]]:
        """
        The ways of all accounts to the platform, under one budget, for the time of a block.

        Raises:
            UsageError: There is a mistake in the accounts file.
        """
        self._check()
        budget = self._budget()
        ways = [self._access(account, budget) for account in self._accounts().values()]
        with listening(verbose=self.verbose):
            warn_if_open(self._file)
            yield ways

    @property
    def zone(self) -> tzinfo:
        """The zone in which the window is given and times are shown."""
        return self.access().zone

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
        access = self.access()
        with listening(verbose=self.verbose, timed=access.zone if following else None):
            if access.name:
                warn_if_open(self._file)
            if not self.sandbox:
                async with access.session() as session:
                    yield session
                return
            with usage():
                platform = made_up(query, following=following)
            async with platform:
                options: SessionOptions = {**access.options, "base_url": platform.base_url, "trust_env": False}

                async def credentials() -> Credentials:
                    return platform.credentials

                async with evolve(access, credentials=credentials, options=options).session() as session:
                    yield session

    def _check(self) -> None:
        """Refuse options that contradict each other."""
        if self.account is None and self.config is not None:
            raise UsageError("--config needs an --account: a name, or all")
        if self.account is not None:
            for option in ("appid", "accesskey_file", "username", "ip", "sandbox"):
                if getattr(self, option):
                    raise UsageError(f"--account and --{option.replace('_', '-')} exclude each other")

    @property
    def _file(self) -> Path:
        return self.config or Path(os.environ.get("INFIN8_CONFIG") or default_file()).expanduser()

    def _accounts(self) -> dict[str, Account]:
        with usage():
            return read_accounts(self._file)

    def _budget(self) -> Budget:
        with usage():
            return Budget(self.concurrency, self.max_rate)

    def _access(self, account: Account | None, budget: Budget) -> Access:
        entries = {} if account is None else account.entries
        options: SessionOptions = {
            "per_page": self.per_page,
            "timeout": self.timeout,
            "budget": budget,
            "trust_env": True,
        }
        if base_url := self.base_url or entries.get("base_url") or os.environ.get("INFIN8_BASE_URL"):
            options["base_url"] = base_url
        return Access(
            name="" if account is None else account.name,
            appid=entries.get("appid"),
            zone=self._zone(account),
            credentials=self._credentials if account is None else account.credentials,
            options=options,
        )

    def _zone(self, account: Account | None) -> tzinfo:
        if self.zone_name is not None:
            with usage(f"--zone {self.zone_name}"):
                return zone_of(self.zone_name)
        if account is not None and account.zone is not None:
            return account.zone
        if name := os.environ.get("INFIN8_ZONE"):
            with usage(f"INFIN8_ZONE {name}"):
                return zone_of(name)
        return BEIJING

    async def _credentials(self) -> Credentials:
        """The credentials of the options and the environment."""
        options = {
            "INFIN8_APPID": self.appid,
            "INFIN8_ACCESSKEY": self._accesskey(),
            "INFIN8_USERNAME": self.username,
            "INFIN8_IP": self.ip,
        }
        given = {name: value for name, value in options.items() if value is not None}
        try:
            return Credentials.from_env(os.environ | given)
        except ValueError as error:
            hint = "see --help for the options, name an --account of the accounts file, or try --sandbox"
            raise UsageError(f"{error}; {hint}") from error

    def _accesskey(self) -> str | None:
        if self.accesskey_file is None:
            return None
        try:
            if str(self.accesskey_file) != "-":
                return self.accesskey_file.read_text("utf-8").strip()
            with interruptible():
                return getpass("access key: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
        except (OSError, UnicodeDecodeError, EOFError) as error:
            what = error.strerror if isinstance(error, OSError) else "it is not text"
            raise UsageError(f"the access key can't be read from {self.accesskey_file}: {what}") from None


PLATFORM: Final = Platform()
