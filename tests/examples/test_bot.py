"""The bot of the examples, in a process of its own, with a sandbox and a stand-in for Telegram on loopback."""

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from profiles import THOROUGH

from infin8_async import BEIJING
from infin8_async.testing import Sandbox

DEVELOPMENT = ("-X", "dev") if THOROUGH else ()  # says more of what is left behind, and takes twice the time
BOT = Path(__file__).parents[2] / "examples" / "bot.py"
CHAT, STRANGER = 7, 8

# aiogram keeps the last updates in a cache until the interpreter ends. That late, pydantic-core 2.46 reads freed memory
# when it frees the time zones in them, and with the memory checks of `-X dev` Python 3.12.1 crashes.
RUN = """
import runpy, sys
runpy.run_path(sys.argv[1], run_name="__main__")
from aiogram.types import Update
Update.event_type.fget.cache_clear()
"""


class Telegram:
    """As much of the chat's HTTP interface as the bot uses."""

    def __init__(self) -> None:
        self.posted: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.updates: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.refusals = 0
        self._number = 0

    def say(self, chat: int, text: str) -> None:
        self._number += 1
        who = {"id": chat, "is_bot": False, "first_name": "x"}
        command = [{"type": "bot_command", "offset": 0, "length": len(text)}]
        message = {
            "message_id": self._number, "date": 0, "chat": {"id": chat, "type": "private"}, "from": who,
            "text": text, "entities": command,
        }  # fmt: skip
        self.updates.put_nowait({"update_id": self._number, "message": message})

    async def handle(self, request: web.Request) -> web.Response:
        method, form = request.match_info["method"], await request.post()
        if method == "getUpdates":
            return web.json_response({"ok": True, "result": [await self.updates.get()]})
        if method == "sendMessage":
            if self.refusals:
                self.refusals -= 1
                refusal = {"ok": False, "error_code": 429, "description": "slow down", "parameters": {"retry_after": 1}}
                return web.json_response(refusal, status=429)
            self.posted.put_nowait((int(form["chat_id"]), form["text"]))
            chat = {"id": int(form["chat_id"]), "type": "private"}
            return web.json_response({"ok": True, "result": {"message_id": 1, "date": 0, "chat": chat, "text": "x"}})
        return web.json_response(
            {"ok": True, "result": {"id": 42, "is_bot": True, "first_name": "bot", "username": "bot"}}
        )


@pytest.fixture
async def telegram():
    stand_in = Telegram()
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", stand_in.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    stand_in.address = f"http://{host}:{port}"
    yield stand_in
    await runner.cleanup()


@asynccontextmanager
async def bot(sandbox, telegram, checkpoint):
    """A running bot. When the block is left, it gets SIGTERM and must stop cleanly."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *DEVELOPMENT, "-c", RUN, BOT, stderr=subprocess.PIPE,
        env={
            **os.environ, "BOT_TOKEN": "42:TEST", "BOT_CHAT": str(CHAT), "BOT_API": telegram.address,
            "BOT_CHECKPOINT": str(checkpoint), "INFIN8_BASE_URL": sandbox.base_url,
            "INFIN8_APPID": sandbox.credentials.appid, "INFIN8_ACCESSKEY": sandbox.credentials.accesskey,
            "INFIN8_USERNAME": sandbox.credentials.username,
        },
    )  # fmt: skip
    try:
        yield
        process.terminate()
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        for trouble in (b"never", b"Unclosed", b"destroyed", b"Traceback"):
            assert trouble not in said, said.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def ring(sandbox, number: str, *, billsec: int) -> int:
    """An incoming call, some seconds ago."""
    dialled = datetime.now(BEIJING) - timedelta(seconds=20)
    start, end = (f"{time:%Y-%m-%d %H:%M:%S}" for time in (dialled, dialled + timedelta(seconds=5)))
    return sandbox.add_call(
        context="callin", disnumber=number, callnumber="0100", starttime=start, endtime=end, billsec=billsec,
        answertime=start if billsec else "",
    )  # fmt: skip


async def test_each_missed_call_is_posted_once_whatever_telegram_says_and_however_often_it_is_started(
    telegram, tmp_path
):
    async with Sandbox(0) as sandbox:
        telegram.refusals = 1
        ring(sandbox, "13800000001", billsec=0)
        ring(sandbox, "13800000002", billsec=9)
        async with bot(sandbox, telegram, tmp_path / "missed.json"):
            chat, text = await telegram.posted.get()
            assert chat == CHAT
            assert text.startswith("Missed: 13800000001 rang 0100 at ")
            telegram.say(CHAT, "/today")  # answered when the post before it is done
            await telegram.posted.get()
        ring(sandbox, "13800000003", billsec=0)
        async with bot(sandbox, telegram, tmp_path / "missed.json"):
            _, text = await telegram.posted.get()
            assert "13800000003" in text
        assert telegram.posted.empty()


async def test_today_gives_the_figures_to_its_chat_and_to_nobody_else(telegram, tmp_path):
    today = datetime.now(BEIJING).date()
    async with Sandbox(50, start=today) as sandbox:
        rows = list(sandbox.rows(starttime=f"{today} 00:00:00"))
        answered = [row for row in rows if row["billsec"] > 0]
        incoming = [row for row in rows if row["context"] == "callin"]
        missed = [row for row in incoming if row not in answered]
        lost = [
            row
            for row in missed
            if not any(
                row["disnumber"] in (later["disnumber"], later["callnumber"]) and later["starttime"] > row["starttime"]
                for later in answered
            )
        ]
        sandbox.on_request = lambda request: sandbox.fail(code=1006) if telegram.refused else None
        telegram.refused = False
        async with bot(sandbox, telegram, tmp_path / "missed.json"):
            telegram.say(STRANGER, "/today")
            telegram.say(CHAT, "/today")
            posted = await telegram.posted.get()
            while posted[1].startswith("Missed"):
                posted = await telegram.posted.get()
            assert posted == (
                CHAT,
                (
                    f"50 calls, {len(answered)} ({len(answered) / 50:.0%}) answered\n"
                    f"{len(missed)} ({len(missed) / len(incoming):.0%}) of those that came in missed, "
                    f"{len(lost)} not called back\n"
                    f"{sum(row['billsec'] for row in rows) // 60} minutes talked"
                ),
            )
            telegram.refused = True
            telegram.say(CHAT, "/today")
            while not (posted := await telegram.posted.get())[1].startswith("No figures"):
                pass
            assert "1006" in posted[1]
