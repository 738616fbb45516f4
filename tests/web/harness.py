"""The web channel on a server of its own, with the real store and a turn that the test chooses."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rasa.core.channels.channel import UserMessage
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sanic import Sanic
from sanic.touchup import TouchUp

from bot.channels.web import Web
from bot.evaluation.live import free_port
from bot.evaluation.visitors import socket_client
from bot.settings import read_settings
from bot.tracker_store import ConversationStore

Turn = Callable[[UserMessage], Awaitable[Any]]
_names = itertools.count()
_rewrite = TouchUp.run


def _rewrite_once(app: Sanic) -> None:
    if not getattr(Sanic, "__touched__", False):
        _rewrite(app)


# Sanic rewrites methods of its own classes at each start, and cannot do it twice in one process.
TouchUp.run = _rewrite_once


def store(folder: Path) -> ConversationStore:
    """The store of conversations, as endpoints.yml makes it."""
    return ConversationStore(Domain.empty(), db=str(folder / "conversations.db"))


def stored_echo(kept: ConversationStore, opening: str = "You said") -> Turn:
    """A turn that answers "You said: …", or in other words, and stores both in one step, as Rasa does."""

    async def turn(message: UserMessage) -> None:
        tracker = await kept.retrieve(message.sender_id) or DialogueStateTracker(message.sender_id, [])
        text = f"{opening}: {message.text}"
        custom = {"kind": "answer", "intents": ["inform"], "facts": ["d1-cause-leg-exercise"]}
        tracker.update(UserUttered(message.text, metadata=message.metadata))
        tracker.update(BotUttered(text))
        tracker.update(BotUttered(None, {"custom": custom}))
        await message.output_channel.send_text_message(message.sender_id, text)
        await message.output_channel.send_custom_json(message.sender_id, custom)
        await kept.save(tracker)

    return turn


def application(folder: Path, turn: Turn, kept: ConversationStore, **environ: str) -> Sanic:
    """A server with the web channel alone."""
    app = Sanic(f"web_{next(_names)}")
    app.ctx.agent = SimpleNamespace(tracker_store=kept)
    channel = Web(read_settings({"STATE_FOLDER": str(folder), **environ}))
    app.blueprint(channel.blueprint(turn), url_prefix=channel.url_prefix())
    return app


@asynccontextmanager
async def serving(
    folder: Path, turn: Turn | None = None, port: int = 0, kept: ConversationStore | None = None, **environ: str
) -> AsyncIterator[str]:
    """Serves the channel in this process and gives its address."""
    kept = kept or store(folder)
    app = application(folder, turn or stored_echo(kept), kept, **environ)
    port = port or free_port()
    server = await app.create_server("127.0.0.1", port, return_asyncio_server=True, access_log=False)
    await server.startup()
    await server.before_start()
    await server.after_start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        await server.wait_closed()


class Visitor:
    """A client that keeps what it receives."""

    def __init__(self) -> None:
        self.client = socket_client()
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.session: str | None = None
        self.erased = asyncio.Event()
        self.client.on("bot_uttered", self.received.put_nowait)
        self.client.on("erased", lambda *_: self.erased.set())

    async def connect(self, url: str, **headers: str) -> Visitor:
        """Opens the socket."""
        await self.client.connect(url, headers=headers, transports=["websocket"])
        return self

    async def begin(self, **fields: Any) -> dict[str, Any]:
        """Asks for a session."""
        answer = await self.client.call("session_request", fields, timeout=5)
        self.session = answer["session_id"]
        return answer

    async def say(self, message: Any, **fields: Any) -> dict[str, Any]:
        """Sends a message and gives the acknowledgement."""
        return await self.client.call("user_uttered", {"message": message, **fields}, timeout=5)

    async def reply(self, seconds: float = 10) -> dict[str, Any]:
        """Waits for the next message of the bot."""
        return await asyncio.wait_for(self.received.get(), seconds)

    async def silence(self, seconds: float = 0.5) -> bool:
        """Whether nothing comes for a while."""
        await asyncio.sleep(seconds)
        return self.received.empty()


@asynccontextmanager
async def visitor(url: str, begun: bool = True, **headers: str) -> AsyncIterator[Visitor]:
    """A visitor with a session, until the end of the block."""
    one = await Visitor().connect(url, **headers)
    try:
        if begun:
            await one.begin()
        yield one
    finally:
        await one.client.disconnect()


class ThreadedServer:
    """The channel served from another thread, for browsers; can be stopped and started again on its port."""

    def __init__(self, folder: Path, turn: Turn | None = None, **environ: str) -> None:
        self._folder, self._turn, self._environ = folder, turn, environ
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> ThreadedServer:
        """Serves until `stop`."""
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

        async def serve() -> None:
            async with serving(self._folder, self._turn, self._port, **self._environ):
                ready.set()
                await self._stop.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()  # cuts every connection, as the end of a process does

        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(serve(),), daemon=True)
        self._thread.start()
        assert ready.wait(20)
        return self

    def stop(self) -> None:
        """Stops at once; whoever is connected is cut off."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()


def scripted(replies: Mapping[str, tuple[str, list[dict[str, str]], dict[str, Any]]]) -> Turn:
    """A turn that answers as written: by message, text, buttons and custom; anything else is echoed."""

    async def turn(message: UserMessage) -> None:
        text, buttons, custom = replies.get(message.text, (f"You said: {message.text}", [], {}))
        out, to = message.output_channel, message.sender_id
        await (out.send_text_with_buttons(to, text, buttons) if buttons else out.send_text_message(to, text))
        await out.send_custom_json(to, {"version": 1, "kind": "answer", "intents": ["inform"], **custom})

    return turn
