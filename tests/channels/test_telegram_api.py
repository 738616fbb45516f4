"""The emulator of the Bot API against two independent client libraries, and its strictness."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiogram
import pytest
import telegram
from aiogram.bot.api import TelegramAPIServer
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from aiogram.utils import exceptions
from telegram_api import SECRET_HEADER, TOKEN, ApiError, TelegramApi


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi().running() as running:
        yield running


async def test_python_telegram_bot_accepts_it(api: TelegramApi):
    api.say(7, "hello")
    async with telegram.Bot(TOKEN, f"{api.url}/bot") as bot:
        assert bot.username == "SpasmBot"
        (update,) = await bot.get_updates(timeout=5)
        assert update.message.text == "hello" and update.message.chat.id == 7
        assert not await bot.get_updates(offset=update.update_id + 1)
        button = telegram.InlineKeyboardButton("Yes", callback_data="x")
        sent = await bot.send_message(7, "Really?", reply_markup=telegram.InlineKeyboardMarkup([[button]]))
        api.press(7, api.person(7).sent[-1], "Yes")
        (press,) = await bot.get_updates(timeout=5)
        assert press.callback_query.data == "x" and press.callback_query.message.message_id == sent.message_id
        assert await bot.answer_callback_query(press.callback_query.id)
        assert not (await bot.edit_message_reply_markup(7, sent.message_id)).reply_markup
        assert await bot.set_my_commands([("help", "what I do")])
        api.fail("sendMessage", ApiError(429, "Too Many Requests: retry after 3", 3))
        with pytest.raises(telegram.error.RetryAfter):
            await bot.send_message(7, "x")


async def test_aiogram_accepts_it(api: TelegramApi):
    api.say(7, "hello")
    bot = aiogram.Bot(TOKEN, server=TelegramAPIServer.from_base(api.url))
    try:
        assert (await bot.get_me()).username == "SpasmBot"
        (update,) = await bot.get_updates(timeout=5)
        assert update.message.text == "hello" and update.message.chat.id == 7
        markup = InlineKeyboardMarkup().add(InlineKeyboardButton("Yes", callback_data="x"))
        sent = await bot.send_message(7, "Really?", reply_markup=markup)
        assert sent.reply_markup.inline_keyboard[0][0].text == "Yes"
        with pytest.raises(exceptions.MessageIsTooLong):
            await bot.send_message(7, "x" * 4097)
        with pytest.raises(exceptions.MessageTextIsEmpty):
            await bot.send_message(7, " ")
        with pytest.raises(exceptions.ButtonDataInvalid):
            too_long = InlineKeyboardMarkup().add(InlineKeyboardButton("Yes", callback_data="ü" * 33))
            await bot.send_message(7, "x", reply_markup=too_long)
        with pytest.raises(exceptions.ChatNotFound):
            await bot.send_message(8, "x")
        api.person(7).blocked = True
        with pytest.raises(exceptions.BotBlocked):
            await bot.send_message(7, "x")
    finally:
        await bot.session.close()


async def test_limits_are_those_of_utf16(api: TelegramApi):
    api.person(7)
    async with telegram.Bot(TOKEN, f"{api.url}/bot") as bot:
        await bot.send_message(7, "😀" * 2048)
        with pytest.raises(telegram.error.BadRequest, match="too long"):
            await bot.send_message(7, "😀" * 2048 + "x")


async def test_two_pollers_and_a_flood_are_refused(api: TelegramApi):
    api.person(7)
    async with telegram.Bot(TOKEN, f"{api.url}/bot") as one, telegram.Bot(TOKEN, f"{api.url}/bot") as other:
        first = asyncio.create_task(one.get_updates(timeout=5))
        await asyncio.sleep(0.2)
        second = asyncio.create_task(other.get_updates(timeout=1))
        with pytest.raises(telegram.error.Conflict):
            await first
        assert await second == ()
        with pytest.raises(telegram.error.RetryAfter):
            for _ in range(10):
                await one.send_message(7, "x")
        await one.set_webhook("https://example.org/", secret_token="s")
        with pytest.raises(telegram.error.Conflict, match="webhook is active"):
            await one.get_updates()


async def test_wrong_token_is_refused(api: TelegramApi):
    with pytest.raises(telegram.error.InvalidToken):
        await telegram.Bot("1:x", f"{api.url}/bot").initialize()


async def test_webhook_is_called_again_until_it_answers(api: TelegramApi):
    from aiohttp import web

    seen, runner = [], web.AppRunner(application := web.Application())

    async def hook(request: web.Request) -> web.Response:
        seen.append((request.headers[SECRET_HEADER], (await request.json())["message"]["text"]))
        return web.Response(status=500 if len(seen) == 1 else 200)

    application.router.add_post("/hook", hook)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with telegram.Bot(TOKEN, f"{api.url}/bot") as bot:
        await bot.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", secret_token="s")
        api.say(7, "hello")
        await asyncio.sleep(1)
    await runner.cleanup()
    assert seen == [("s", "hello")] * 2
