"""WhatsApp by Twilio, with requests in the shapes that Twilio sends and a client that records what goes out."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from serving import Echo, serving
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator

from bot.channels.inbox import FILE
from bot.channels.twilio_whatsapp import TwilioWhatsApp, read_form
from bot.core.turn import ERASE
from bot.knowledge.loader import load_knowledge
from bot.settings import Settings, WhatsAppSettings

SECRET, NUMBER, PERSON = "secret of the account", "whatsapp:+441632960000", "whatsapp:+441632960961"
URL = "https://example.org/webhooks/whatsapp/webhook"
PHRASES = load_knowledge().phrases
TEXT = {
    "SmsMessageSid": "SM1", "NumMedia": "0", "ProfileName": "P", "MessageType": "text", "SmsSid": "SM1",
    "WaId": "441632960961", "SmsStatus": "received", "Body": "cramp in my calf", "To": NUMBER, "NumSegments": "1",
    "ReferralNumMedia": "0", "MessageSid": "SM1", "AccountSid": "AC1", "From": PERSON, "ApiVersion": "2010-04-01",
}  # fmt: skip
PICTURE = {**TEXT, "MessageType": "image", "NumMedia": "1", "MediaUrl0": "https://x", "MediaContentType0": "image/jpeg"}
PLACE = {**TEXT, "MessageType": "location", "Body": "", "Latitude": "51.5", "Longitude": "-0.1"}
BUTTON = {**TEXT, "MessageType": "button", "Body": "", "ButtonText": "Yes", "ButtonPayload": "yes"}


class Recorder(AsyncTwilioHttpClient):
    """Twilio's REST API, as the client library sees it."""

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []
        self.statuses = list(statuses)
        self.attempts = 0

    async def request(self, method: str, uri: str, params=None, data=None, *_: Any, **__: Any) -> Response:
        self.attempts += 1
        status = self.statuses.pop(0) if self.statuses else 201
        if status == 201:
            self.sent.append({"uri": uri, **data})
        return Response(status, json.dumps({"sid": "SM9", "status": status, "code": 20000, "message": "m"}))


@pytest.fixture
def channel(tmp_path: Path) -> TwilioWhatsApp:
    whatsapp = WhatsAppSettings("AC1", SECRET, NUMBER, URL)
    return TwilioWhatsApp(Settings(state_folder=str(tmp_path), whatsapp=whatsapp))


async def post(address: str, form: dict[str, str], signature: str | None = None) -> int:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": RequestValidator(SECRET).compute_signature(URL, form) if signature is None else signature,
    }
    request = aiohttp.request("POST", f"{address}/webhook", data=urlencode(form), headers=headers)
    async with request as answer:
        return answer.status


async def talk(
    channel: TwilioWhatsApp, *forms: dict[str, str], statuses: tuple[int, ...] = (), count: int = 2, bot: Any = None
) -> Any:
    """Posts requests, and gives what was heard and what was sent once there were so many attempts."""
    echo, recorder = Echo(), None
    async with serving(channel, bot or echo) as address:
        recorder = channel.client.http_client = Recorder(*statuses)
        for form in forms:
            assert await post(address, form) == 200
        until = time.monotonic() + 60
        while recorder.attempts < count and time.monotonic() < until:
            await asyncio.sleep(0.01)
        while channel.inbox.waiting() and time.monotonic() < until:
            await asyncio.sleep(0.01)
    return echo.heard, [message["Body"] for message in recorder.sent], recorder.sent


async def test_message_is_answered_with_the_notice(channel: TwilioWhatsApp):
    heard, texts, sent = await talk(channel, TEXT)
    assert heard == ["cramp in my calf"]
    assert texts == ["echo: cramp in my calf", PHRASES["notice_whatsapp"]]
    assert sent[0]["To"] == PERSON and sent[0]["From"] == NUMBER and "/Accounts/AC1/Messages.json" in sent[0]["uri"]


@pytest.mark.parametrize("signature", ["", "forged", "ü"])
async def test_forged_request_is_refused(channel: TwilioWhatsApp, signature: str):
    echo = Echo()
    async with serving(channel, echo) as address:
        assert await post(address, TEXT, signature) == 403
        changed = RequestValidator(SECRET).compute_signature(URL, TEXT)
        assert await post(address, {**TEXT, "Body": "other words"}, changed) == 403
    assert not echo.heard


async def test_request_that_comes_twice_is_answered_once(channel: TwilioWhatsApp):
    heard, _, _ = await talk(channel, TEXT, TEXT)
    assert len(heard) == 1


async def test_picture_with_words_place_and_button(channel: TwilioWhatsApp):
    forms = ({**PICTURE, "MessageSid": "SM2"}, {**PLACE, "MessageSid": "SM3"}, {**BUTTON, "MessageSid": "SM4"})
    heard, texts, _ = await talk(channel, *forms, count=5)
    assert heard == ["cramp in my calf", "Yes"]
    assert PHRASES["only_the_words"] in texts and any("can only read text" in text for text in texts)
    assert not any("locationData" in text for text in heard)


async def test_slow_turn_does_not_hold_the_request(channel: TwilioWhatsApp):
    release = asyncio.Event()

    async def slow(message: Any) -> None:
        await release.wait()

    async with serving(channel, slow) as address:
        recorder = channel.client.http_client = Recorder()
        assert await post(address, TEXT) == 200 and not recorder.attempts
        release.set()


async def test_failed_sending_is_tried_again_and_a_refusal_is_not(channel: TwilioWhatsApp):
    _, texts, _ = await talk(channel, TEXT, statuses=(500, 429), count=4)
    assert len(texts) == 2
    _, texts, _ = await talk(channel, {**TEXT, "MessageSid": "SM5"}, statuses=(400,), count=1)
    assert not texts


async def test_long_reply_is_cut_into_messages(channel: TwilioWhatsApp):
    _, texts, _ = await talk(channel, {**TEXT, "Body": "My calf hurts. " * 300}, count=4)
    assert len(texts) >= 4 and all(len(text) <= 1600 for text in texts)
    assert all(text.endswith(".") for text in texts)


async def test_number_is_not_kept(channel: TwilioWhatsApp, tmp_path: Path):
    await talk(channel, TEXT)
    with sqlite3.connect(tmp_path / FILE) as state:
        assert PERSON.removeprefix("whatsapp:") not in "\n".join(state.iterdump())


async def test_words_that_delete_are_answered_and_nothing_is_kept(channel: TwilioWhatsApp, tmp_path: Path):
    async def bot(message: Any) -> None:
        out, to = message.output_channel, message.sender_id
        if message.text == "delete my data":
            await out.send_text_message(to, "Deleted.")
            return await out.send_custom_json(to, {ERASE: True})
        await out.send_text_with_buttons(to, "Where?", [{"title": "Calf", "payload": "it is my calf"}])

    forms = (TEXT, {**TEXT, "MessageSid": "SM6", "Body": "delete my data"})
    _, texts, _ = await talk(channel, *forms, count=4, bot=bot)
    notice = PHRASES["notice_whatsapp"]
    assert "1. Calf" in texts[0] and texts[1:] == [notice, "Deleted.", notice]  # who goes on is new again
    with sqlite3.connect(tmp_path / FILE) as state:
        kept = "\n".join(state.iterdump())
        assert not state.execute("select * from choices").fetchall()
    assert not [words for words in ("my calf", "delete my data", PERSON.removeprefix("whatsapp:")) if words in kept]


def test_notes_on_sent_messages_are_ignored():
    assert read_form({**TEXT, "SmsStatus": "delivered"}, SECRET) is None
    assert read_form({}, SECRET) is None
    assert read_form(TEXT, SECRET).chat != read_form({**TEXT, "From": "whatsapp:+1"}, SECRET).chat
