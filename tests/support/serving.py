"""A channel on a web server of its own, in the test's loop, with a bot that repeats what it hears."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from rasa.core.channels.channel import UserMessage
from sanic import Sanic

from bot.channels.service import Service
from bot.evaluation.live import free_port


class Echo:
    """Stands in for Rasa: keeps what it hears and answers with it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, message: UserMessage) -> None:
        self.heard.append(message.text)
        await message.output_channel.send_text_message(message.sender_id, f"echo: {message.text}")


@asynccontextmanager
async def serving(channel: Service, echo: Any, port: int = 0) -> AsyncIterator[str]:
    """Serves the channel and gives its address."""
    Sanic.test_mode = True  # Sanic rewrites its own methods at start, and without this a second start fails
    app = Sanic(f"test_{uuid.uuid4().hex}", configure_logging=False)
    app.ctx.agent = SimpleNamespace()
    app.blueprint(channel.blueprint(echo), url_prefix=f"/webhooks/{channel.name()}")
    port = port or free_port()
    server = await app.create_server("127.0.0.1", port, return_asyncio_server=True, access_log=False)
    await server.startup()
    await server.before_start()
    await server.after_start()
    try:
        yield f"http://127.0.0.1:{port}/webhooks/{channel.name()}"
    finally:
        await server.before_stop()
        server.close()
        await server.wait_closed()
