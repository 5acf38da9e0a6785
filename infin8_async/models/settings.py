"""What a session is set up with: credentials, and when to try again."""

import os
from collections.abc import Mapping
from typing import Self

from attrs import field, frozen, validators

from ._checks import a_number, a_text


class Secret(str):
    """A string whose `repr` is asterisks, so that no log line and no traceback with local variables shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def _secret(value: str) -> str:
    return Secret(value) if isinstance(value, str) else value  # the validator refuses what is not a string


@frozen
class Credentials:
    """
    Who is asking.

    The platform wants *appid*, *accesskey*, and at least one of *username* and *ip*.

    Attributes:
        appid: The application's id.

        accesskey: Its secret. No `repr`, log line or error of this library shows it.

        username: The user name the account authenticates with.

        ip: The address or domain name the account authenticates with.

    Raises:
        ValueError: Something is missing. The message says what.

        TypeError: Something is not a string.
    """

    appid: str = field(validator=a_text)
    accesskey: str = field(validator=a_text, converter=_secret)
    username: str | None = field(default=None, kw_only=True, validator=validators.optional(a_text))
    ip: str | None = field(default=None, kw_only=True, validator=validators.optional(a_text))

    def __attrs_post_init__(self) -> None:
        if self.username is None and self.ip is None:
            raise ValueError("username and ip are both missing: the platform needs one of them")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """
        Read `INFIN8_APPID`, `INFIN8_ACCESSKEY` and at least one of `INFIN8_USERNAME` and `INFIN8_IP`.

        Raises:
            ValueError: A variable is missing or empty. The message names every such variable.
        """
        appid, accesskey, username, ip = (
            environ.get(f"INFIN8_{name}") or None for name in ("APPID", "ACCESSKEY", "USERNAME", "IP")
        )
        missing = [
            name
            for name, value in (
                ("INFIN8_APPID", appid),
                ("INFIN8_ACCESSKEY", accesskey),
                ("INFIN8_USERNAME (or INFIN8_IP)", username or ip),
            )
            if not value
        ]
        if appid is None or accesskey is None or missing:
            raise ValueError(f"not set in the environment: {', '.join(missing)}")
        return cls(appid, accesskey, username=username, ip=ip)


@frozen
class RetryPolicy:
    """
    How often a failed request is sent again, and after which wait.

    The following are retried: no complete answer, the statuses 408, 429 and 5xx, a 200 that is not JSON, and the
    platform's code 1000. Everything else fails at once. Waits double from one try to the next and are jittered. If the
    server closes a connection as a request is sent, the first retry does not wait.

    A `Retry-After` (seconds or a date) is obeyed up to 120 s. If it asks for more, the request fails at once, and so
    does every request of the session and of those that share its `Budget`, without being sent, until 120 s of it are
    left (or of an hour, if it asks for more than that).

    Attributes:
        attempts: How often a request is sent at most; 1 means no retry.

        wait_initial: The wait before the first retry, in seconds.

        wait_max: The longest wait in seconds, apart from a `Retry-After`. It also bounds the time between two requests
            of a session, or of those that share its `Budget`, that was refused because it sent too many.
    """

    attempts: int = field(default=5, validator=a_number(1, whole=True))
    wait_initial: float = field(default=0.5, validator=a_number(0))
    wait_max: float = field(default=30.0, validator=a_number(0))
