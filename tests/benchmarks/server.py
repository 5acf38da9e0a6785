"""
A platform that is never what is measured: a bare keep-alive server in its own process, on loopback.

`python -m tests.benchmarks.server ROWS LATENCY [--sqlite]` prints its port and serves until its input ends.
"""

# ruff: noqa: T201

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl
from urllib.request import urlopen

from .calls import Calls, text
from .processes import ROOT, command

_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

Find = Callable[[str, str, int, int], tuple[int, bytes]]
"""The count of a window, and the rows of one slice of it."""


class Server:
    """
    The server, for the time of a `with` block.

    Args:
        rows: How many calls it holds.

        latency: Seconds before it answers.

        sqlite: Find rows by `LIMIT … OFFSET …` in a database, as a platform does, whose cost grows with the offset.
    """

    def __init__(self, rows: int, *, latency: float = 0, sqlite: bool = False) -> None:
        self._command = command("server", rows, latency, *["--sqlite"] * sqlite)

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def requests(self) -> int:
        """How many pages were asked for so far."""
        with urlopen(f"{self.url}/requests") as answer:
            return int(answer.read())


class _Connection(asyncio.Protocol):
    asked = 0

    def __init__(self, find: Find, latency: float) -> None:
        self._find = find
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=2**24)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        if head.startswith(b"GET"):
            self._answer(b"%d" % _Connection.asked)
            return
        _Connection.asked += 1
        # Some clients can put the number of the page into the address only.
        address = head.split(b" ", 2)[1].partition(b"?")[2]
        page = self._page(dict(parse_qsl((body + b"&" + address).decode())))
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._answer, page)
        else:
            self._answer(page)

    def _page(self, form: dict[str, str]) -> bytes:
        page, size = int(form["page"]), int(form["per_page"])
        total, rows = self._find(form["starttime"], form["endtime"], (page - 1) * size, size)
        data = b'{"code":1,"msg":"successful request","data":{"data":[%b],"page":%d,"per_page":%d,"total":%d}}'
        return data % (rows, page, size, total)

    def _answer(self, body: bytes) -> None:
        if not self._transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)


def _by_slices(calls: Calls) -> Find:
    def find(start: str, end: str, offset: int, limit: int) -> tuple[int, bytes]:
        newest, total = calls.window(start, end)
        return total, calls.slice(newest + min(offset, total), newest + min(offset + limit, total))

    return find


def _by_queries(calls: Calls) -> Find:
    """The same by real queries. Counts are remembered, so that the cost is that of the offset and nothing else."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE cdrs (id INTEGER PRIMARY KEY, starttime TEXT)")
    database.executemany("INSERT INTO cdrs VALUES (?, ?)", ((n, text(at)) for n, at in enumerate(calls.dialled)))
    database.execute("CREATE INDEX by_start ON cdrs (starttime)")
    where = "FROM cdrs WHERE starttime BETWEEN ? AND ?"
    last = len(calls.dialled) - 1

    @cache
    def count(start: str, end: str) -> int:
        total: int = database.execute(f"SELECT count(*) {where}", (start, end)).fetchone()[0]
        return total

    def find(start: str, end: str, offset: int, limit: int) -> tuple[int, bytes]:
        query = f"SELECT id {where} ORDER BY starttime DESC, id DESC LIMIT ? OFFSET ?"
        ids = database.execute(query, (start, end, limit, offset)).fetchall()
        return count(start, end), calls.slice(last - ids[0][0], last - ids[-1][0] + 1) if ids else b""

    return find


async def _serve(rows: int, latency: float, *, sqlite: bool) -> None:
    calls = Calls(rows)
    find = _by_queries(calls) if sqlite else _by_slices(calls)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(find, latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]), sqlite="--sqlite" in sys.argv))
