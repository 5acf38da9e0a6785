"""A forward proxy on a loopback port, as small as it can be: absolute addresses for http, CONNECT for the rest."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from yarl import URL


class Proxy:
    """
    A proxy that is running.

    Args:
        hosts: Where requests for a host really go, as `{"platform.example": 8080}`: ports of this machine.

    Attributes:
        url: Its address.

        asked: The first line of each request, and what it said about who asks.
    """

    def __init__(self, hosts: dict[str, int]) -> None:
        self.hosts = hosts
        self.url = ""
        self.asked: list[tuple[str, str]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            try:
                while True:
                    await self._pass_on(reader, writer)
            finally:
                writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split()
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        self.asked.append((head[0], fields.get("proxy-authorization", "")))
        if method == "CONNECT":
            other, to = await self._reach(URL(f"//{target}"))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, to), _copy(other, writer))
            raise ConnectionResetError
        url = URL(target)
        other, to = await self._reach(url)
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        lines = [f"{method} {url.raw_path_qs} HTTP/1.1", "connection: close"]
        lines += [f"{name}: {value}" for name, value in fields.items() if not name.startswith(("proxy-", "connection"))]
        to.write("\r\n".join([*lines, "", ""]).encode() + body)
        await _copy(other, writer)
        to.close()
        raise ConnectionResetError  # the answer ends with the connection

    async def _reach(self, url: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.hosts.get(url.host or "", url.port))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def proxy(**hosts: int) -> AsyncGenerator[Proxy]:
    """Run a proxy for the time of a block."""
    running = Proxy({name.replace("_", "."): port for name, port in hosts.items()})
    connections: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(running.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        running.url = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        yield running
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
