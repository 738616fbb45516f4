"""The REST channel, for this machine only: tests, evaluation and `make chat` use it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Dict, Optional

from rasa.core.channels.channel import InputChannel
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.channels.guard import of_another_site
from bot.channels.limits import client_address
from bot.channels.turns import OnNewMessage, take_turn
from bot.errors import ConfigError
from bot.settings import read_settings

PREFIX = "rest-"


class LoopbackRest(InputChannel):
    """`POST /webhooks/rest/webhook` with `{"sender", "message"}`, answered with a list of messages."""

    @classmethod
    def name(cls) -> str:
        """Names the channel; the name is its place under /webhooks/."""
        return "rest"

    @classmethod
    def from_credentials(cls, credentials: Optional[Dict[str, Any]]) -> InputChannel:
        """Makes the channel.

        Raises:
            ConfigError: The bot listens on an address that other machines reach.
        """
        settings = read_settings()
        if not settings.loopback:
            raise ConfigError(
                f"HOST is {settings.host}, but the REST channel has no protection and serves this machine only. "
                "Set HOST to 127.0.0.1, or take bot.channels.rest.LoopbackRest out of credentials.yml."
            )
        return cls(settings.web_proxies)

    def __init__(self, proxies: Sequence[str] = ()) -> None:
        """Keeps the reverse proxies that name their visitors."""
        self._proxies = proxies

    def blueprint(self, on_new_message: OnNewMessage) -> Blueprint:
        """Gives the routes (see parent)."""
        blueprint = Blueprint("loopback_rest", __name__)

        @blueprint.route("/", methods=["GET"])
        async def alive(_: Request) -> HTTPResponse:
            return response.json({"status": "ok"})

        @blueprint.route("/webhook", methods=["POST"])
        async def receive(request: Request) -> HTTPResponse:
            if of_another_site(request):
                return response.json({"error": "a page of another site may not use this channel"}, status=403)
            body = _body(request)
            if body is None or not isinstance(body.get("message"), str):
                hint = 'send JSON like {"sender": "me", "message": "back cramp after lifting"}'
                return response.json({"error": hint}, status=400)
            # A shared default sender would let strangers share a conversation.
            sender = str(body.get("sender") or uuid.uuid4().hex)[:200]
            address = client_address(request.ip, request.headers, self._proxies)
            said = body["message"]
            messages = await take_turn(on_new_message, said, PREFIX + sender, self.name(), address=address)
            return response.json([{**message, "recipient_id": sender} for message in messages])

        return blueprint


def _body(request: Request) -> Optional[Dict[str, Any]]:
    try:
        body = request.json
    except Exception:  # Sanic's InvalidUsage and whatever the JSON parser raises
        return None
    return body if isinstance(body, dict) else None
