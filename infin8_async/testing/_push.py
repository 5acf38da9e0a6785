"""The platform's push: each call that ends is posted to an address of the customer's."""

import asyncio
from contextlib import suppress
from random import Random
from typing import Final

import aiohttp
from attrs import frozen
from yarl import URL

from ..models import check_number
from ._calls import Call

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_HANGUPS: Final = {"caller": 10040, "callee": 10041}
_SAME: Final = (
    "id", "callmethod", "starttime", "answertime", "endtime", "duration", "billsec", "userid", "memberid", "disnumber",
    "extnumber", "downloadip",
)  # fmt: skip
_EMPTY: Final = ("companycode", "chengshudu", "recordfilename", "userkey", "customuuid", "taskid", "round", "recordurl")


@frozen
class Push:
    """
    Where a sandbox announces the calls that end while it runs, and how badly.

    Attributes:
        url: Where to post each call, as one JSON object.

        lost: The share of calls that are not announced, from 0 to 1.

        twice: The share of the others that are announced twice.

    Raises:
        ValueError: No http or https address, or no share.
    """

    url: str
    lost: float = 0.0
    twice: float = 0.0

    def __attrs_post_init__(self) -> None:
        if URL(self.url).scheme not in ("http", "https"):
            raise ValueError(f"a push goes to an http or https address, not {self.url!r}")
        for name in ("lost", "twice"):
            share = getattr(self, name)
            check_number(name, share, least=0)
            if share > 1:
                raise ValueError(f"{name} is a share of at most 1, not {share}")


class Pusher:
    """
    Posts calls.

    Args:
        push: Where to, and how badly.

        seed: The seed of what is lost and what comes twice.
    """

    def __init__(self, push: Push, seed: int) -> None:
        self._push = push
        self._chance = Random(seed)  # noqa: S311  # believable, not secret
        self._http: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to announce calls."""
        self._http = aiohttp.ClientSession(timeout=_TIMEOUT)

    def announce(self, call: Call) -> None:
        """Post a call, unless its push is one of those that get lost; a call before the start is not posted."""
        lost, twice = (self._chance.random() < share for share in (self._push.lost, self._push.twice))
        if self._http is None or lost:
            return
        for _ in range(1 + twice):
            task = asyncio.get_running_loop().create_task(self._post(self._http, pushed(call)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def done(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop, also what is under way."""
        for task in self._tasks:
            task.cancel()
        await self.done()
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _post(self, http: aiohttp.ClientSession, call: dict[str, object]) -> None:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with http.post(self._push.url, json=call):
                pass


def pushed(call: Call) -> dict[str, object]:
    """A call with the fields that are documented for a push. Some have another name there, or another type."""
    hangup = _HANGUPS.get(str(call["hangupdirection"]), 10016)
    return {
        **dict.fromkeys(_EMPTY, ""),
        **{name: call[name] for name in _SAME},
        "callmethod": int(call["callmethod"]),
        "type": call["context"],
        "direction": call["context"],
        "ext": call["extnumber"],
        "destnumber": call["callnumber"],
        "hangupdirection": hangup,
        "hangupcause": hangup,
        "uuid": f"sandbox-{call['id']}",
    }
