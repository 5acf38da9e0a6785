"""The FastAPI service, behind a real uvicorn."""

import asyncio
import runpy
import socket
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import uvicorn
from clock import run
from msgspec import json

from infin8_async import BEIJING, Infin8Session
from infin8_async.testing import Sandbox

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_service.py"
WINDOW = {"start": "2020-06-10 00:00:00", "end": "2020-06-10 23:59:59"}


@asynccontextmanager
async def service(sandbox: Sandbox):
    """The running service: an HTTP client for it. Buffers are small, so that a slow client is noticed soon."""
    session = Infin8Session(sandbox.credentials, base_url=sandbox.base_url, per_page=50, concurrency=2)
    app = runpy.run_path(str(EXAMPLE))["make_app"](session)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="on", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        host, port = listening.getsockname()
        async with aiohttp.ClientSession(f"http://{host}:{port}") as http:
            yield http
            server.should_exit = True
            await serving
    assert ": closed," in repr(session)
    assert not sandbox.in_flight


def pulled(sandbox: Sandbox) -> int:
    """How many pages of a window were asked for; the follower asks for incoming calls only."""
    return sum("context" not in request.form for request in sandbox.requests)


def just_now(**fields) -> dict[str, object]:
    """An incoming call that nobody answered."""
    time = f"{datetime.now(BEIJING) - timedelta(seconds=60):%Y-%m-%d %H:%M:%S}"
    return {"starttime": time, "endtime": time, "answertime": "", "context": "callin", "billsec": 0, **fields}


def test_a_window_is_streamed_as_json_lines():
    async def main():
        async with Sandbox(400) as sandbox, service(sandbox) as http:
            async with http.get("/calls", params=WINDOW) as response:
                assert response.content_type == "application/x-ndjson"
                assert [json.decode(line)["id"] async for line in response.content] == sandbox.ids()

    run(main())


def test_a_slow_client_slows_the_pull_down():
    async def main():
        async with Sandbox(5000) as sandbox, service(sandbox) as http:
            async with http.get("/calls", params=WINDOW) as response:
                await asyncio.sleep(60)
                assert 3 <= pulled(sandbox) < 50
                assert len((await response.read()).splitlines()) == 5000
            assert pulled(sandbox) >= 100

    run(main())


def test_a_client_that_goes_away_ends_its_pull():
    async def main():
        async with Sandbox(400) as sandbox, service(sandbox) as http:
            sandbox.fail(None, page=3, hang=True)
            async with http.get("/calls", params=WINDOW) as response:
                await response.content.readline()
                await asyncio.sleep(1)
                assert sandbox.in_flight
            await asyncio.sleep(1)
            assert not sandbox.in_flight
            asked = pulled(sandbox)
            await asyncio.sleep(60)
            assert pulled(sandbox) == asked

    run(main())


def test_the_service_stops_while_a_client_still_waits():
    async def main():
        async with Sandbox(400) as sandbox:
            sandbox.fail(None, page=3, hang=True)
            async with service(sandbox) as http:
                response = await http.get("/calls", params=WINDOW)
                await response.content.readline()

    run(main())


def test_missed_calls_are_followed_in_the_background():
    async def main():
        async with Sandbox(0) as sandbox, service(sandbox) as http:
            first = sandbox.add_call(**just_now())
            sandbox.add_call(**just_now(answertime=just_now()["starttime"], billsec=5))
            await asyncio.sleep(60)
            second = sandbox.add_call(**just_now())
            await asyncio.sleep(60)
            async with http.get("/missed") as response:
                assert [call["id"] for call in await response.json()] == [second, first]

    run(main())


def test_a_refusal_of_the_platform_and_a_bad_window_have_their_status(caplog):
    async def main():
        async with Sandbox(10) as sandbox, service(sandbox) as http:
            sandbox.fail(None, code=1006)
            await asyncio.sleep(60)
            said = []
            for path, window in (("/calls", WINDOW), ("/missed", {}), ("/calls", WINDOW | {"start": "today"})):
                async with http.get(path, params=window) as response:
                    said.append((response.status, (await response.json())["detail"]))
        assert [status for status, _ in said] == [502, 503, 422]
        assert "1006" in said[0][1]
        assert "Beijing" in said[2][1]

    run(main())
    assert "PermissionDeniedError" in caplog.text
