"""
The accounts file: who asks, in TOML.

    [accounts.mexico]
    appid = "…"
    username = "…"                      # or ip, or both
    accesskey_command = "pass show infin8/mexico"
    zone = "America/Mexico_City"        # if wanted; base_url too

Access keys do not belong in it. A message about a mistake names the file, the account and the key of the table, never a
value: people paste secrets into the wrong line.
"""

import asyncio
import os
import shlex
import tomllib
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Final

from attrs import frozen
from platformdirs import user_config_path
from yarl import URL

from ..models import Credentials
from .output import say
from .times import zone_of

ALL: Final = "all"
"""What stands for every account of the file."""

_KEY_SOURCES: Final = ("accesskey_file", "accesskey_command", "accesskey_env")
_ENTRIES: Final = ("appid", "username", "ip", *_KEY_SOURCES, "base_url", "zone")


def default_file() -> Path:
    """Where the file is if nobody says: in the folder for configuration of this platform."""
    return user_config_path("infin8") / "accounts.toml"


@frozen(kw_only=True)
class Account:
    """
    One account of the file.

    Attributes:
        file: Where it is written.

        name: What the file calls it.

        entries: What the file says of it, checked.

        zone: Its zone, if the file says one.

        asking: Held while a command gives a key: it may have a question, and one at a time is enough.
    """

    file: Path
    name: str
    entries: Mapping[str, str]
    zone: tzinfo | None
    asking: asyncio.Lock

    async def credentials(self) -> Credentials:
        """
        Who asks, with the access key from where the file says it is.

        Raises:
            ValueError: The key is not there.
        """
        (source,) = self.entries.keys() & set(_KEY_SOURCES)
        try:
            accesskey = await self._accesskey(source)
        except (OSError, ValueError) as error:
            detail = error.strerror if isinstance(error, OSError) else error
            raise _mistake(self.file, self.name, source, detail) from None
        if not accesskey:
            raise _mistake(self.file, self.name, source, "there is no access key")
        return Credentials(
            self.entries["appid"], accesskey, username=self.entries.get("username"), ip=self.entries.get("ip")
        )

    async def _accesskey(self, source: str) -> str:
        value = self.entries[source]
        if source == "accesskey_env":
            return os.environ.get(value, "")
        if source == "accesskey_command":
            async with self.asking:
                return await _output_of(shlex.split(value))
        return _content_of(self.file.parent, value)


def read_accounts(file: Path) -> dict[str, Account]:
    """
    Read the accounts of a file, in its order.

    Raises:
        ValueError: There is a mistake in it, or it can't be read.
    """
    try:
        with file.open("rb") as opened:
            document = tomllib.load(opened)
    except OSError as error:
        raise ValueError(f"the accounts file {file} can't be read: {error.strerror}") from None
    except ValueError as error:  # of TOML, or of UTF-8
        detail = error if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        raise ValueError(f"{file}: {detail}") from None
    tables = document.get("accounts")
    if not isinstance(tables, dict) or not tables or len(document) > 1:
        raise ValueError(f"{file}: it must have tables [accounts.NAME], and nothing else")
    asking = asyncio.Lock()
    return {name: _account(file, name, table, asking) for name, table in tables.items()}


def _account(file: Path, name: str, table: object, asking: asyncio.Lock) -> Account:
    """
    Check one table.

    Raises:
        ValueError: There is a mistake in it.
    """
    if name == ALL:
        raise _mistake(file, name, "", f"no account can be called {ALL}: it stands for every account")
    if not isinstance(table, dict):
        raise _mistake(file, name, "", f"it must be a table [accounts.{name}]")
    for key, value in table.items():
        _check_entry(file, name, key, value)
    if "appid" not in table:
        raise _mistake(file, name, "appid", "it is missing")
    if not {"username", "ip"} & table.keys():
        raise _mistake(file, name, "username", "it is missing, and so is ip: the platform needs one of them")
    if len(table.keys() & set(_KEY_SOURCES)) != 1:
        raise _mistake(file, name, "", f"give one of {', '.join(_KEY_SOURCES)}")
    try:
        zone = zone_of(table["zone"]) if "zone" in table else None
    except ValueError as error:
        raise _mistake(file, name, "zone", error) from None
    return Account(file=file, name=name, entries=table, zone=zone, asking=asking)


def _check_entry(file: Path, name: str, key: str, value: object) -> None:
    if key == "accesskey":
        raise _mistake(file, name, key, f"keys do not belong in this file; give one of {', '.join(_KEY_SOURCES)}")
    if key not in _ENTRIES:
        raise _mistake(file, name, key, f"there is no such entry; there are {', '.join(_ENTRIES)}")
    if not isinstance(value, str) or not value:
        raise _mistake(file, name, key, "it must be a text that is not empty")
    if key == "base_url" and not _is_address(value):
        raise _mistake(file, name, key, "it must be an http or https address")


def _is_address(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def _mistake(file: Path, name: str, key: str, detail: object) -> ValueError:
    return ValueError(": ".join(filter(None, (str(file), f"account {name}", key, str(detail)))))


def warn_if_open(file: Path) -> None:
    """Say that other users can read a file. A pipe is nobody else's; Windows has no such bits."""
    if os.name == "posix" and file.is_file() and file.stat().st_mode & 0o044:
        say(f"{file} can be read by others: chmod 600 {shlex.quote(str(file))}")


def _content_of(folder: Path, name: str) -> str:
    """What a file holds; a relative path begins at that folder."""
    file = folder / Path(name).expanduser()
    warn_if_open(file)
    return file.read_text("utf-8").strip()


async def _output_of(command: list[str]) -> str:
    """The first line that a program writes. It may ask its questions on the terminal."""
    if not command:
        raise ValueError("it names no program")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        written, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ValueError(f"the program ended with exit code {process.returncode}")
    return written.decode("utf-8").partition("\n")[0].strip()
