"""WhatsApp by Twilio: requests are checked for Twilio's signature and answered at once, replies go out later.

Rasa's own connector takes anybody's requests and stops the whole bot while it sends (docs/channels.md).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import Mapping, Optional
from urllib.parse import parse_qsl

from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from bot.channels.inbox import Event, Part
from bot.channels.service import Service, Undeliverable
from bot.settings import WhatsAppSettings

SEND_SECONDS = 15
# What may pass by itself: a wrong secret that is put right, and too many requests.
_TRY_AGAIN = frozenset({401, 429})
_NOTHING_TO_SAY_YET = '<?xml version="1.0" encoding="UTF-8"?><Response/>'

# The library logs requests, people's numbers and words included.
logging.getLogger("twilio").setLevel(logging.CRITICAL)


class TwilioWhatsApp(Service):
    """Chats on WhatsApp; on when TWILIO_ACCOUNT_SID is set."""

    prefix = "wa-"
    limit = 1600

    _client: Optional[Client] = None

    @classmethod
    def name(cls) -> str:
        """Names the channel."""
        return "whatsapp"

    @property
    def on(self) -> bool:
        """Whether there is an account (see parent)."""
        return self.settings.whatsapp is not None

    @property
    def _whatsapp(self) -> WhatsAppSettings:
        assert self.settings.whatsapp is not None
        return self.settings.whatsapp

    @property
    def client(self) -> Client:
        """The library's client, without blocking."""
        if self._client is None:
            http = AsyncTwilioHttpClient(timeout=SEND_SECONDS)
            self._client = Client(self._whatsapp.account_sid, self._whatsapp.auth_token, http_client=http)
        return self._client

    async def connect(self) -> None:
        """Does nothing: Twilio calls us (see parent)."""

    def routes(self, blueprint: Blueprint) -> None:
        """Adds the webhook (see parent)."""

        @blueprint.route("/webhook", methods=["POST"])
        async def webhook(request: Request) -> HTTPResponse:
            # Sanic leaves out empty fields, but Twilio signs them.
            form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
            if not self._signed(form, request.headers.get("X-Twilio-Signature", "")):
                return response.empty(403)
            event = read_form(form, self._whatsapp.auth_token)
            if event:
                self.receive(event)
            return response.text(_NOTHING_TO_SAY_YET, content_type="text/xml")

    def _signed(self, form: Mapping[str, str], signature: str) -> bool:
        validator = RequestValidator(self._whatsapp.auth_token)
        return bool(validator.validate(self._whatsapp.webhook_url, form, signature))

    async def send(self, event: Event, number: int, part: Part) -> None:
        """Sends one message (see parent)."""
        try:
            await self.client.messages.create_async(to=event.data["to"], from_=self._whatsapp.number, body=part.text)
        except TwilioRestException as error:
            if 400 <= error.status < 500 and error.status not in _TRY_AGAIN:
                raise Undeliverable from None
            raise

    async def close(self) -> None:
        """Disconnects (see parent)."""
        if self._client is not None:
            await self._client.http_client.close()


def read_form(form: Mapping[str, str], secret: str) -> Optional[Event]:
    """Reads what a person did; None for notes on messages that were sent.

    The conversation goes by a keyed digest: a telephone number is needed to answer, and kept no longer.
    """
    sender, id = form.get("From", ""), form.get("MessageSid", "")
    if not sender or not id or form.get("SmsStatus", "received") != "received":
        return None
    chat = hmac.new(secret.encode(), sender.encode(), hashlib.sha256).hexdigest()[:32]
    words = form.get("Body") or form.get("ButtonText") or ""
    attached = form.get("NumMedia", "0") != "0" or "Latitude" in form
    kind = "unreadable" if not words else "caption" if attached else "text"
    return Event(id, chat, kind, words, {"to": sender})
