"""`GET /version` and `GET /metrics`: for those who run the bot, on this machine or with METRICS_TOKEN."""

from __future__ import annotations

import hmac
from importlib.metadata import version
from pathlib import Path
from typing import Any, Dict, Optional

from prometheus_client import CONTENT_TYPE_LATEST
from rasa.core.channels.channel import InputChannel
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse

import bot
from bot import metrics
from bot.channels.turns import OnNewMessage
from bot.knowledge.loader import load_knowledge
from bot.settings import Settings, is_loopback, read_settings


class Operations(InputChannel):
    """Tells what runs and how it does; whoever may not ask finds no such page."""

    def __init__(self, settings: Settings) -> None:
        """Keeps the settings."""
        self._settings = settings

    @classmethod
    def name(cls) -> str:
        """Names the channel."""
        return "operations"

    @classmethod
    def from_credentials(cls, credentials: Optional[Dict[str, Any]]) -> InputChannel:
        """Makes the channel (see parent)."""
        return cls(read_settings())

    def url_prefix(self) -> str:
        """Mounts the channel at the root."""
        return "/"

    def blueprint(self, on_new_message: OnNewMessage) -> Blueprint:
        """Gives the routes (see parent)."""
        blueprint = Blueprint("operations", __name__)

        @blueprint.route("/version", methods=["GET"])
        async def tell_versions(request: Request) -> HTTPResponse:
            if not self._may_ask(request):
                return response.json({"error": "not found"}, status=404)
            return response.json(versions(request.app.ctx.agent))

        @blueprint.route("/metrics", methods=["GET"])
        async def tell_metrics(request: Request) -> HTTPResponse:
            if not self._may_ask(request):
                return response.json({"error": "not found"}, status=404)
            metrics.set_build(versions(request.app.ctx.agent))
            return response.raw(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

        return blueprint

    def _may_ask(self, request: Request) -> bool:
        """Tells whether a request comes from this machine, not by way of a proxy, or shows the token."""
        token = self._settings.metrics_token
        if token:
            shown = request.headers.get("authorization", "").removeprefix("Bearer ")
            return hmac.compare_digest(shown.encode(), token.encode())
        return is_loopback(request.ip) and not request.headers.get("x-forwarded-for")


def versions(agent: Any) -> Dict[str, str]:
    """Gives the versions of the bot, Rasa, the model (its file's name) and the knowledge base (its digest)."""
    model = getattr(getattr(agent, "processor", None), "model_filename", None)
    return {
        "bot": bot.__version__,
        "rasa": version("rasa"),
        "model": Path(model).name.removesuffix(".tar.gz") if model else "none",
        "knowledge": load_knowledge().digest[:12],
    }
