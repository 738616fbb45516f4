"""Visitors of the chat widget without a browser: the same protocol over the same socket (`bot/web/src/chat.ts`).

A message waits until its reply has come. After each reconnection what waits is sent again, in order, under its old id.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import socketio
from socketio.exceptions import SocketIOError

# The widget's own times.
ACK_SECONDS, PAUSE_SECONDS = 8.0, 1.0
FIRST_DELAY, LONGEST_DELAY = 0.5, 8.0

# The python client asks for a class of a newer aiohttp; the one that Rasa needs takes the bare number.
aiohttp.ClientWSTimeout = lambda ws_close: ws_close


def socket_client(http: aiohttp.ClientSession | None = None) -> socketio.AsyncClient:
    """Gives a client that leaves it to us to connect again."""
    return socketio.AsyncClient(reconnection=False, http_session=http)


@dataclass
class Sent:
    """A message.

    Attributes:
        text: What it says.
        id: Its id, the same each time it is sent.
        tried: Whether it has been sent before.
        offline: Whether the widget told the person, while this waited, that it is not connected.
        reply: The first reply.
    """

    text: str
    offline: bool
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    tried: bool = False
    reply: asyncio.Future[dict[str, Any]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Visitor:
    """One visitor.

    Attributes:
        strange: Replies to messages that this visitor never sent.
    """

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        """Keeps where the bot is; nothing is opened yet."""
        self._url, self._http = url, http
        self._session: dict[str, Any] = {}
        self._sent: list[Sent] = []
        self._online = False
        self._something_to_send = asyncio.Event()
        self.strange = 0

    @property
    def conversation(self) -> str | None:
        """The id of the conversation in the store."""
        session = self._session.get("session_id")
        return f"web-{session.split('.')[0]}" if session else None

    def say(self, text: str) -> Sent:
        """Sends a message as soon as it can be sent."""
        message = Sent(text, offline=not self._online)
        self._sent.append(message)
        self._something_to_send.set()
        return message

    async def stay(self) -> None:
        """Keeps a connection, until it is cancelled."""
        delay = FIRST_DELAY
        while True:
            client, lost = socket_client(self._http), asyncio.Event()
            client.on("bot_uttered", self._receive)
            client.on("disconnect", lambda *_, lost=lost: lost.set())
            try:
                await client.connect(self._url, transports=["websocket"], wait_timeout=ACK_SECONDS)
                await self._begin(client)
                delay = FIRST_DELAY
                await self._send_until(client, lost)
            except (SocketIOError, aiohttp.ClientError, asyncio.TimeoutError, OSError):
                pass
            finally:
                self._lost()
                with suppress(SocketIOError, aiohttp.ClientError, OSError):
                    await client.disconnect()
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))
            delay = min(delay * 2, LONGEST_DELAY)

    async def _begin(self, client: socketio.AsyncClient) -> None:
        fields = {key: self._session.get(key) for key in ("session_id", "epoch", "last_seq")}
        answer = await client.call("session_request", fields, timeout=ACK_SECONDS)
        if not answer.get("ok"):
            raise SocketIOError
        if answer["epoch"] != self._session.get("epoch"):
            self._session["last_seq"] = 0
        self._session.update(session_id=answer["session_id"], epoch=answer["epoch"])
        self._online = True

    async def _send_until(self, client: socketio.AsyncClient, lost: asyncio.Event) -> None:
        sending = asyncio.ensure_future(self._send(client))
        ended = asyncio.ensure_future(lost.wait())
        try:
            await asyncio.wait((sending, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            ended.cancel()

    async def _send(self, client: socketio.AsyncClient) -> None:
        """Sends what waits, one message after the other."""
        taken: set[str] = set()
        while True:
            waiting = [each for each in self._sent if not each.reply.done() and each.id not in taken]
            if not waiting:
                self._something_to_send.clear()
                await self._something_to_send.wait()
            for message in waiting[:1]:
                if await self._deliver(client, message):
                    taken.add(message.id)

    async def _deliver(self, client: socketio.AsyncClient, message: Sent) -> bool:
        data = {"message": message.text, "id": message.id, "again": message.tried}
        message.tried = True
        try:
            answer = await client.call("user_uttered", data, timeout=ACK_SECONDS)
        except (SocketIOError, asyncio.TimeoutError):
            await asyncio.sleep(PAUSE_SECONDS)
            return False
        if answer.get("error") == "web_slow_down":
            await asyncio.sleep(answer["retry_ms"] / 1000)
            return False
        if answer.get("error") == "web_no_session":
            await self._begin(client)
            return False
        if not answer.get("ok") and not message.reply.done():
            message.reply.set_result({"text": answer.get("text", ""), "metadata": {"custom": {}}})
        return True

    def _lost(self) -> None:
        self._online = False
        for message in self._sent:
            message.offline = message.offline or not message.reply.done()

    def _receive(self, said: dict[str, Any]) -> None:
        metadata = said.get("metadata") or {}
        message = next((each for each in self._sent if each.id == metadata.get("turn")), None)
        if message is None or message.text != metadata.get("said"):
            self.strange += 1
            return
        if metadata.get("epoch") == self._session.get("epoch"):
            self._session["last_seq"] = max(self._session.get("last_seq") or 0, metadata.get("seq") or 0)
        if not message.reply.done():
            message.reply.set_result(said)


@asynccontextmanager
async def visitor(url: str, number: int) -> AsyncIterator[Visitor]:
    """A visitor with an address of its own, until the end of the block; numbers go from 1 to 65,000."""
    address = f"127.1.{number // 250}.{number % 250 + 1}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(address, 0))) as http:
        one = Visitor(url, http)
        staying = asyncio.ensure_future(one.stay())
        try:
            yield one
        finally:
            staying.cancel()
            with suppress(asyncio.CancelledError):
                await staying
