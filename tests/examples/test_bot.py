"""The bot of the examples, with a sandbox and a stand-in for Telegram on loopback."""

import asyncio
import gc
import runpy
import signal
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from profiles import thorough_only

from infin8_async import BEIJING
from infin8_async.testing import Sandbox

pytestmark = thorough_only  # to import aiogram takes six seconds

BOT = Path(__file__).parents[2] / "examples" / "bot.py"
CHAT, STRANGER = 7, 8


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


@pytest.fixture
def bot(telegram, tmp_path, monkeypatch, caplog):
    @asynccontextmanager
    async def bot(sandbox):
        """A bot that runs in this process: to import aiogram takes seconds. In the end it gets SIGTERM, and stops."""
        variables = {
            "BOT_TOKEN": "42:TEST", "BOT_CHAT": str(CHAT), "BOT_API": telegram.address,
            "BOT_CHECKPOINT": str(tmp_path / "missed.json"), "INFIN8_BASE_URL": sandbox.base_url,
            "INFIN8_APPID": sandbox.credentials.appid, "INFIN8_ACCESSKEY": sandbox.credentials.accesskey,
            "INFIN8_USERNAME": sandbox.credentials.username,
        }  # fmt: skip
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        async with asyncio.TaskGroup() as group:
            group.create_task(runpy.run_path(str(BOT))["main"]())
            yield
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
            signal.raise_signal(signal.SIGTERM)
        gc.collect()
        for trouble in ("never", "Unclosed", "destroyed", "Traceback"):
            assert trouble not in caplog.text

    return bot


def ring(sandbox, number: str, *, billsec: int) -> int:
    """An incoming call, some seconds ago."""
    dialled = datetime.now(BEIJING) - timedelta(seconds=20)
    start, end = (f"{time:%Y-%m-%d %H:%M:%S}" for time in (dialled, dialled + timedelta(seconds=5)))
    return sandbox.add_call(
        context="callin", disnumber=number, callnumber="0100", starttime=start, endtime=end, billsec=billsec,
        answertime=start if billsec else "",
    )  # fmt: skip


async def test_each_missed_call_is_posted_once_whatever_telegram_says_and_however_often_it_is_started(bot, telegram):
    async with Sandbox(0) as sandbox:
        telegram.refusals = 1
        ring(sandbox, "13800000001", billsec=0)
        ring(sandbox, "13800000002", billsec=9)
        async with bot(sandbox):
            chat, text = await telegram.posted.get()
            assert chat == CHAT
            assert text.startswith("Missed: 13800000001 rang 0100 at ")
            telegram.say(CHAT, "/today")  # answered when the post before it is done
            await telegram.posted.get()
        ring(sandbox, "13800000003", billsec=0)
        async with bot(sandbox):
            _, text = await telegram.posted.get()
            assert "13800000003" in text
        assert telegram.posted.empty()


async def test_today_gives_the_figures_to_its_chat_and_to_nobody_else(bot, telegram):
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
        async with bot(sandbox):
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
