"""The way through a proxy that the environment names."""

import asyncio
import ssl
from datetime import date

import pytest
import trustme
from aiohttp import web
from proxy import proxy

from infin8_async import CdrQuery, Infin8Session, ResponseError, RetryPolicy, TransportError
from infin8_async.testing import Sandbox

DAY = CdrQuery.day(date(2020, 6, 10))
ONCE = RetryPolicy(attempts=1)
NAMES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def port_of(sandbox: Sandbox) -> int:
    return int(sandbox.base_url.rpartition(":")[2])


async def test_calls_come_through_the_proxy_of_the_environment(monkeypatch):
    async with Sandbox(50) as sandbox, proxy(platform_example=port_of(sandbox)) as way:
        monkeypatch.setenv("HTTP_PROXY", way.url.replace("//", "//me:s3cret@"))
        options = {"base_url": "http://platform.example", "per_page": 20, "trust_env": True}
        async with Infin8Session(sandbox.credentials, **options) as session:
            assert [cdr.id for cdr in await session.cdrs(DAY).collect()] == sandbox.ids()
    assert len(way.asked) == len(sandbox.requests) == 4
    assert {line for line, _ in way.asked} == {"POST http://platform.example/api/cdrs HTTP/1.1"}
    assert {who.split()[0] for _, who in way.asked} == {"Basic"}


@pytest.mark.parametrize(("trust_env", "no_proxy"), [(False, ""), (True, "127.0.0.1")])
async def test_no_proxy_is_asked_unless_it_is_wanted(monkeypatch, trust_env, no_proxy):
    async with Sandbox(5) as sandbox, proxy() as way:
        monkeypatch.setenv("HTTP_PROXY", way.url)
        monkeypatch.setenv("NO_PROXY", no_proxy)
        async with Infin8Session(sandbox.credentials, base_url=sandbox.base_url, trust_env=trust_env) as session:
            assert await session.count(DAY) == 5
    assert way.asked == []


async def test_https_goes_through_a_tunnel_and_the_certificate_has_to_be_good(monkeypatch):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("platform.example").configure_cert(context)  # by an authority that nobody knows
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    async with proxy(platform_example=runner.addresses[0][1]) as way:
        monkeypatch.setenv("HTTPS_PROXY", way.url)
        options = {"base_url": "https://platform.example", "trust_env": True, "retry": ONCE}
        async with Infin8Session(Sandbox().credentials, **options) as session:
            with pytest.raises(TransportError, match="certificate"):
                await session.count(DAY)
    await runner.cleanup()
    assert [line for line, _ in way.asked] == ["CONNECT platform.example:443 HTTP/1.1"]


async def test_a_proxy_that_refuses_or_is_not_there_is_an_error_without_its_password(monkeypatch, unused_tcp_port):
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        for port, scheme, kind in (
            (server.sockets[0].getsockname()[1], "http", ResponseError),
            (server.sockets[0].getsockname()[1], "https", TransportError),
            (unused_tcp_port, "http", TransportError),
        ):
            monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://me:s3cret@127.0.0.1:{port}")
            options = {"base_url": f"{scheme}://platform.example", "trust_env": True, "retry": ONCE}
            async with Infin8Session(Sandbox().credentials, **options) as session:
                with pytest.raises(kind) as caught:
                    await session.count(DAY)
            assert "s3cret" not in repr(caught.value)
            assert "s3cret" not in str(caught.value)
