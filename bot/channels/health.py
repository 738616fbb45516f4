"""`GET /health`: whether the bot can answer, its action server and its store included."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Dict, Optional

import aiohttp
from rasa.core.channels.channel import InputChannel
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.channels.turns import OnNewMessage, store_of
from bot.knowledge.loader import load_knowledge

TIMEOUT_SECONDS = 2.0
# A conversation that never exists: looking it up proves that the store answers.
PROBE = "health-probe"


class Health(InputChannel):
    """Answers 200 when a person would get an answer, else 503 with what is wrong."""

    @classmethod
    def name(cls) -> str:
        """Names the channel."""
        return "health"

    @classmethod
    def from_credentials(cls, credentials: Optional[Dict[str, Any]]) -> InputChannel:
        """Makes the channel (see parent)."""
        return cls()

    def url_prefix(self) -> str:
        """Mounts the channel at the root."""
        return "/health"

    def blueprint(self, on_new_message: OnNewMessage) -> Blueprint:
        """Gives the route (see parent)."""
        blueprint = Blueprint("health", __name__)

        @blueprint.route("/", methods=["GET"])
        async def health(request: Request) -> HTTPResponse:
            checks = await _checks(request.app.ctx.agent)
            well = all(checks.values())
            body = {"status": "ok" if well else "unavailable", **checks, "knowledge": load_knowledge().digest[:12]}
            return response.json(body, status=200 if well else 503)

        return blueprint


async def _checks(agent: Any) -> Dict[str, bool]:
    model = bool(agent and agent.is_ready())
    if not model:
        return {"model": False, "actions": False, "store": False}
    actions, store = await asyncio.gather(_actions_up(), _store_up(agent))
    return {"model": True, "actions": actions, "store": store}


async def _actions_up() -> bool:
    url = os.environ.get("ACTION_ENDPOINT_URL", "").replace("/webhook", "/health")
    try:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, asyncio.TimeoutError, ValueError):
        return False


async def _store_up(agent: Any) -> bool:
    try:
        await asyncio.wait_for(store_of(agent).exists(PROBE), TIMEOUT_SECONDS)
    except Exception:  # whatever the store's driver raises means that it does not answer
        return False
    return True
