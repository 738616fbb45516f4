"""What every HTTP request passes, whatever its channel: limits, security headers, and errors that say what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from sanic import Sanic, response
from sanic.exceptions import SanicException
from sanic.http import Stage
from sanic.request import Request
from sanic.response import HTTPResponse
from sanic.server.protocols.http_protocol import HttpProtocol

from bot.channels.limits import client_address
from bot.knowledge.loader import load_knowledge
from bot.knowledge.numbers import numbers
from bot.metrics import count_refusal
from bot.settings import Settings, is_loopback
from bot.shared import Shared

_log = logging.getLogger(__name__)

# Requests of one address; the socket's messages have limits of their own (bot.channels.web).
PER_SECOND, AT_ONCE = 30, 300
# The largest request; the longest message that is read is far shorter, and the widget's frames have their own limit.
MAX_BYTES = 4 * 1024 * 1024
# How long a request may take to arrive; slower ones only hold a connection.
ARRIVAL_SECONDS = 10
RETRY_SECONDS = "2"
# A page may replace these; the chat's own page brings a policy that lets its script run.
HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
# Phrases that say what is wrong, by status; any other fault of ours is a failure.
_PHRASES = {413: "too_large", 429: "too_fast"}


def protect(app: Sanic, settings: Settings) -> None:
    """Puts the protection around all routes of an application."""
    app.config.REQUEST_MAX_SIZE = MAX_BYTES
    app.config.REQUEST_TIMEOUT = ARRIVAL_SECONDS
    HttpProtocol.data_received = _receive  # type: ignore[method-assign]
    shared = Shared(settings.redis_url)

    @app.on_request
    async def limit(request: Request) -> HTTPResponse | None:
        if settings.loopback and _rebound(request):
            return _refusal(403, settings)
        address = client_address(request.ip, request.headers, settings.web_proxies)
        if address and not await shared.take(f"http:{address}", PER_SECOND, AT_ONCE):
            count_refusal("http_address")
            return _refusal(429, settings)
        return None

    @app.on_response
    async def secure(_: Request, answer: HTTPResponse | None) -> None:
        if answer is not None:  # there is none for a socket
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)

    @app.exception(Exception)
    async def explain(_: Request, error: Exception) -> HTTPResponse:
        if isinstance(error, SanicException):
            return _refusal(error.status_code, settings)
        _log.error("a request failed: %s", type(error).__name__)
        return _refusal(500, settings)


_data_received = HttpProtocol.data_received


def _receive(self: HttpProtocol, data: bytes) -> None:
    """Takes data without starting the time for the request anew, as Sanic does: one byte now and then kept it open."""
    http = getattr(self, "_http", None)  # there is none before the first byte
    began = self._time if http is not None and http.stage is Stage.REQUEST else None
    _data_received(self, data)
    if began is not None:
        self._time = began


def of_another_site(request: Request) -> bool:
    """Tells whether a page of another site makes a request: a browser sends it to loopback addresses too."""
    origin = request.headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc != request.headers.get("host")


def _rebound(request: Request) -> bool:
    """Tells whether a page's own name was pointed at this machine, so that the page could read the answers.

    A proxy of ours names the visitor, and decides itself which names it serves.
    """
    host = request.headers.get("host")
    if not host or request.headers.get("x-forwarded-for"):
        return False
    return not is_loopback(urlsplit(f"//{host}").hostname or "")


def _refusal(status: int, settings: Settings) -> HTTPResponse:
    number = numbers(settings.country).emergency_number
    text = load_knowledge().phrases[_PHRASES.get(status, "failure")].format(emergency_number=number)
    headers = {"Retry-After": RETRY_SECONDS} if status in (429, 503) else None
    return response.json({"error": status, "text": text}, status=status, headers=headers)
