"""
A Telegram bot that posts missed calls to a chat, and answers /today there with the day's figures. Until Ctrl-C.

    pip install 'infin8-async' aiogram
    BOT_TOKEN=… BOT_CHAT=… INFIN8_APPID=… INFIN8_ACCESSKEY=… INFIN8_USERNAME=… python examples/bot.py

Each missed call is posted once, also when the bot is stopped and started again: BOT_CHECKPOINT (missed.json) holds what
has been posted. Numbers and figures go to the one chat of BOT_CHAT, and into no log.
"""

import asyncio
import os
from datetime import datetime, timedelta

from aiogram import Bot, Dispatcher, F
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from aiogram.filters import Command
from aiogram.types import Message

from infin8_async import BEIJING, CallDirection, CdrQuery, IncompleteResultError, Infin8Error, Infin8Session

LONGEST_PAUSE = 60.0


async def post(bot: Bot, chat: int, text: str) -> None:
    """Post a message, however long Telegram is out of reach or asks to wait."""
    pause = 1.0
    while True:
        try:
            await bot.send_message(chat, text)
        except TelegramRetryAfter as error:
            await asyncio.sleep(error.retry_after)
        except (TelegramNetworkError, TelegramServerError):
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return


async def post_missed_calls(bot: Bot, chat: int, session: Infin8Session, checkpoint: str) -> None:
    """Post each missed incoming call, once: it counts as taken when it has been posted."""
    query = CdrQuery(datetime.now(BEIJING) - timedelta(hours=1), context=CallDirection.INCOMING)
    async with session.follow(query, checkpoint=checkpoint) as feed:
        async for cdr in feed:
            if not cdr.answered:
                await post(bot, chat, f"Missed: {cdr.disnumber} rang {cdr.callnumber} at {cdr.starttime:%H:%M:%S}")


async def today(session: Infin8Session) -> str:
    """Put the day's figures in words."""
    incoming = outgoing = answered = seconds = 0
    complete = ""
    async with session.cdrs(CdrQuery.day(datetime.now(BEIJING).date())) as stream:
        try:
            async for cdr in stream:
                incoming += cdr.context == CallDirection.INCOMING
                outgoing += cdr.context == CallDirection.OUTGOING
                answered += cdr.answered
                seconds += cdr.billsec
        except IncompleteResultError as error:
            complete = f"\nNot complete: {error}"
        except Infin8Error as error:
            return f"No figures: {error}"
        calls = stream.report.received
    return (
        f"{calls} calls, {incoming} in, {outgoing} out\n"
        f"{answered} answered, {calls - answered} not\n{seconds // 60} minutes talked{complete}"
    )


def make_dispatcher(session: Infin8Session, chat: int) -> Dispatcher:
    """Answer the one chat."""
    dispatcher = Dispatcher()

    @dispatcher.message(Command("today"), F.chat.id == chat)
    async def answer(message: Message) -> None:
        await message.answer(await today(session))

    return dispatcher


async def main() -> None:
    """Post and answer until it is stopped; then everything is cancelled, awaited and closed."""
    chat = int(os.environ["BOT_CHAT"])
    checkpoint = os.environ.get("BOT_CHECKPOINT", "missed.json")
    api = os.environ.get("BOT_API")
    server = TelegramAPIServer.from_base(api) if api else PRODUCTION
    async with (
        Bot(os.environ["BOT_TOKEN"], session=AiohttpSession(api=server)) as bot,
        Infin8Session.from_env() as session,
        asyncio.TaskGroup() as group,
    ):
        posting = group.create_task(post_missed_calls(bot, chat, session, checkpoint))
        await make_dispatcher(session, chat).start_polling(bot, close_bot_session=False)  # ends at Ctrl-C and SIGTERM
        posting.cancel()


if __name__ == "__main__":
    asyncio.run(main())
