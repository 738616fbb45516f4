"""Telegram's two ways in, and what happens when Telegram cannot be reached; the bot behind it repeats what it hears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from serving import Echo, serving
from telegram_api import SECRET_HEADER, TOKEN, TelegramApi

from bot.channels.telegram import Pace, Telegram
from bot.evaluation.live import free_port
from bot.settings import Settings, TelegramSettings


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi().running() as running:
        yield running


def telegram(folder: Path, url: str, webhook: str | None = None) -> Telegram:
    return Telegram(Settings(state_folder=str(folder), telegram=TelegramSettings(TOKEN, url, webhook)))


async def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        await asyncio.sleep(0.02)


async def texts(api: TelegramApi, chat: int, count: int) -> list[str]:
    return await asyncio.to_thread(api.wait, lambda: len(api.texts(chat)) >= count and api.texts(chat))


async def test_webhook_takes_only_what_telegram_signs(api: TelegramApi, tmp_path: Path):
    port, echo = free_port(), Echo()
    webhook = f"http://127.0.0.1:{port}/webhooks/telegram/webhook"
    async with serving(telegram(tmp_path, api.url, webhook), echo, port):
        api.say(7, "hello there")
        assert (await texts(api, 7, 2))[0] == "echo: hello there"
        for secret in ("", "forged", "é"):
            request = aiohttp.request(
                "POST",
                webhook,
                json={"update_id": 1, "message": api.message(7, text="x")},
                headers={SECRET_HEADER: secret},
            )
            async with request as answer:
                assert answer.status == 403
        assert echo.heard == ["hello there"] and not api.called("getUpdates")
        # Rasa's connector lets anybody change the webhook.
        async with aiohttp.request("GET", webhook.removesuffix("webhook") + "set_webhook") as answer:
            assert answer.status == 404


async def test_webhook_answers_before_the_turn_ends(api: TelegramApi, tmp_path: Path):
    port, release = free_port(), asyncio.Event()

    async def slow(message: Any) -> None:
        await release.wait()

    webhook = f"http://127.0.0.1:{port}/webhooks/telegram/webhook"
    async with serving(telegram(tmp_path, api.url, webhook), slow, port):
        number = api.say(7, "hello there")
        await asyncio.to_thread(api.wait, lambda: api.called("sendChatAction"))
        await asyncio.sleep(0.1)
        assert api.delivered[number] == 1 and not api.texts(7)
        release.set()
        assert "something went wrong" in (await texts(api, 7, 1))[0]


async def test_webhook_that_was_set_before_is_taken_back_for_polling(api: TelegramApi, tmp_path: Path):
    api.webhook = {"url": "https://example.org/"}
    async with serving(telegram(tmp_path, api.url), Echo()):
        api.say(7, "hello there")
        assert (await texts(api, 7, 1))[0] == "echo: hello there"


async def test_words_arrive_as_they_were_typed(api: TelegramApi, tmp_path: Path):
    """Rasa's connector takes every "/bot" out of them."""
    async with serving(telegram(tmp_path, api.url), echo := Echo()):
        api.say(7, "my hand and/both feet, see /bot")
        await texts(api, 7, 1)
    assert echo.heard == ["my hand and/both feet, see /bot"]


@pytest.mark.parametrize("custom", [{"type": "x", "text": "y"}, {"chat_id": 8, "reply_markup": "z"}, {"new": [1]}])
async def test_custom_values_neither_break_nor_redirect_a_reply(api: TelegramApi, tmp_path: Path, custom: dict):
    async def bot(message: Any) -> None:
        await message.output_channel.send_text_message(message.sender_id, "Call 999 now.")
        await message.output_channel.send_custom_json(message.sender_id, custom)

    async with serving(telegram(tmp_path, api.url), bot):
        api.person(8)
        api.say(7, "x")
        assert (await texts(api, 7, 1))[0] == "Call 999 now." and not api.texts(8)


async def test_button_works_after_a_restart(api: TelegramApi, tmp_path: Path):
    heard: list[str] = []

    async def bot(message: Any) -> None:
        heard.append(message.text)
        buttons = [{"title": "Calf", "payload": "it is my calf, " + "really " * 20}]
        await message.output_channel.send_text_with_buttons(message.sender_id, "Where?", buttons)

    async with serving(telegram(tmp_path, api.url), bot):
        api.say(7, "it hurts")
        await texts(api, 7, 2)
    asked = next(message for message in api.person(7).sent if message.get("reply_markup"))
    async with serving(telegram(tmp_path, api.url), bot):
        api.press(7, asked, "Calf")
        await texts(api, 7, 3)
    assert heard == ["it hurts", ("it is my calf, " + "really " * 20).strip()]


async def test_bot_starts_without_telegram_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with serving(telegram(tmp_path, f"http://127.0.0.1:{free_port()}"), Echo()) as address:
        await until(lambda: "NetworkError" in caplog.text)
        await asyncio.sleep(2.5)  # long enough for a second try
        async with aiohttp.request("GET", f"{address}/") as answer:
            assert answer.status == 200 and (await answer.json())["status"] == "retrying"
    lines = [record.getMessage() for record in caplog.records if record.name == "bot.channels.service"]
    assert lines == ["telegram: NetworkError; trying again"]


async def test_wrong_token_is_explained_without_telling_it(api: TelegramApi, tmp_path: Path, caplog):
    channel = Telegram(Settings(state_folder=str(tmp_path), telegram=TelegramSettings("1:secret", api.url)))
    async with serving(channel, Echo()):
        await until(lambda: "Telegram refuses TELEGRAM_BOT_TOKEN" in caplog.text)
    assert "1:secret" not in caplog.text


def test_channel_is_off_without_a_token(tmp_path: Path):
    blueprint = Telegram(Settings(state_folder=str(tmp_path))).blueprint(Echo())
    assert not blueprint._future_routes and not blueprint._future_listeners


async def test_long_reply_is_cut_within_telegrams_limit(api: TelegramApi, tmp_path: Path):
    words = "A cramp 😖 in my calf. " * 350
    async with serving(telegram(tmp_path, api.url), Echo()):
        api.say(7, words)
        parts = (await texts(api, 7, 3))[:2]
    assert all(part.endswith(".") for part in parts) and " ".join(parts) == f"echo: {words}".strip()


async def test_flood_of_one_chat_is_read_together_and_others_do_not_wait(api: TelegramApi, tmp_path: Path):
    echo = Echo()
    for number in range(60):
        api.say(7, f"word{number}")
    async with serving(telegram(tmp_path, api.url), echo):
        await texts(api, 7, 1)
        api.say(8, "hello there")
        assert (await texts(api, 8, 1))[0] == "echo: hello there"
        await until(lambda: "word59" in " ".join(echo.heard))
    echo.heard.remove("hello there")
    assert " ".join(echo.heard).split() == [f"word{n}" for n in range(60)] and len(echo.heard) < 10


async def test_pace_in_one_chat_and_overall():
    pace, sent = Pace(), []

    async def call() -> None:
        sent.append(time.monotonic())

    async def send(chat: int) -> None:
        await pace.process_request(call, (), {}, "sendMessage", {"chat_id": chat}, None)

    begun = time.monotonic()
    await asyncio.gather(*(send(1) for _ in range(5)))
    assert time.monotonic() - begun > 1.8
    sent.clear()
    await asyncio.gather(*(send(chat) for chat in range(10, 50)))
    assert all(sum(start <= at < start + 1 for at in sent) <= 30 for start in sent)
