"""People on each channel, for the conformance suite: one adapter a channel.

An adapter makes people; a person writes, in any of the channel's kinds of input, and hears.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import threading
import time
import urllib.request
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from gateway import Gateway
from nio import AsyncClient, RoomMessageText, RoomSendResponse
from synapse import PASSWORD, Synapse
from telegram_api import TelegramApi

from bot.evaluation.live import LiveBot

WAIT_SECONDS = 60
_numbers = itertools.count(1)


class Person(ABC):
    """Somebody on a channel.

    Attributes:
        conversation: The id of the person's conversation in the store.
        heard: What the bot said to the person, in order.
    """

    conversation: str
    heard: list[str]

    @abstractmethod
    def say(self, text: str) -> None:
        """Writes a message; does not wait for an answer."""

    def send(self, kind: str, text: str) -> None:
        """Writes in another kind of input that the channel has, such as a caption."""
        raise NotImplementedError(kind)

    @abstractmethod
    def pick(self, title: str) -> None:
        """Picks a choice of the last message that offered any, as the channel does it."""

    def hear(self, count: int = 1) -> list[str]:
        """Waits for so many messages, and gives all since the last call."""
        until = time.monotonic() + WAIT_SECONDS
        while len(self.heard) < count:
            assert time.monotonic() < until, f"{len(self.heard)} messages instead of {count}: {self.heard}"
            time.sleep(0.01)
        said = list(self.heard)
        del self.heard[: len(said)]
        return said

    def settle(self, seconds: float = 1.2) -> list[str]:
        """Waits until the bot says nothing more, and gives all since the last call."""
        before = -1
        while len(self.heard) != before:
            before = len(self.heard)
            time.sleep(seconds)
        return self.hear(0)


class Channel(ABC):
    """A channel of a running bot.

    Attributes:
        name: The channel's name.
        prefix: What its conversations' ids begin with.
        kinds: Kinds of input with words besides plain messages.
        limit: The longest message, in UTF-16 units.
        kept: Whether what is written while the bot is down waits for it.
        commands: Whether it has a notice for new contacts, and commands, of its own.
    """

    name: ClassVar[str]
    prefix: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ()
    limit: ClassVar[int] = 1_000_000
    kept: ClassVar[bool] = True
    commands: ClassVar[bool] = True

    @abstractmethod
    def person(self) -> Person:
        """Gives somebody new."""


class RestPerson(Person):
    def __init__(self, bot: LiveBot) -> None:
        self._bot, self._sender, self.heard = bot, uuid.uuid4().hex, []
        self.conversation = f"rest-{self._sender}"
        self._buttons: dict[str, str] = {}

    def say(self, text: str) -> None:
        body = json.dumps({"sender": self._sender, "message": text}).encode()
        request = urllib.request.Request(f"{self._bot.url}/webhooks/rest/webhook", body)
        with urllib.request.urlopen(request, timeout=60) as answer:
            messages = json.load(answer)
        self._buttons = {b["title"]: b["payload"] for m in messages for b in m.get("buttons") or ()}
        self.heard += [m["text"] for m in messages if m.get("text")]

    def pick(self, title: str) -> None:
        self.say(self._buttons[title])


class Rest(Channel):
    name, prefix, kept, commands = "rest", "rest-", False, False

    def __init__(self, bot: LiveBot) -> None:
        self._bot = bot

    def person(self) -> Person:
        return RestPerson(self._bot)


class TelegramPerson(Person):
    def __init__(self, api: TelegramApi) -> None:
        self._api, self._chat = api, 500_000 + next(_numbers)
        self.conversation = f"tg-{self._chat}"
        self._read = 0

    @property
    def heard(self) -> list[str]:  # type: ignore[override]
        return _Unread(self._api.texts(self._chat)[self._read :], self)

    def say(self, text: str) -> None:
        self._api.say(self._chat, text)

    def send(self, kind: str, text: str) -> None:
        photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
        content: dict[str, Any] = {"photo": photo, "caption": text} if kind == "caption" else {"text": text}
        update = "edited_message" if kind == "edit" else "message"
        self._api.push(**{update: self._api.message(self._chat, **content)})

    def pick(self, title: str) -> None:
        asked = next(m for m in reversed(self._api.person(self._chat).sent) if "reply_markup" in m)
        self._api.press(self._chat, asked, title)

    def read(self, count: int) -> None:
        self._read += count


class _Unread(list):
    """Unread messages; deleting them marks them as read."""

    def __init__(self, messages: list[str], person: TelegramPerson) -> None:
        super().__init__(messages)
        self._person = person

    def __delitem__(self, index: Any) -> None:
        self._person.read(len(self[index]))
        super().__delitem__(index)


class Telegram(Channel):
    name, prefix, kinds, limit = "telegram", "tg-", ("caption", "edit"), 4096

    def __init__(self, api: TelegramApi) -> None:
        self._api = api

    def person(self) -> Person:
        return TelegramPerson(self._api)


class SmsPerson(Person):
    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._number = gateway, f"00{next(_numbers)}"
        self.conversation = f"sms-{self._number}"
        self.heard = gateway.replies[self._number]
        self._offered = ""

    def say(self, text: str) -> None:
        self._gateway.say(self._number, text)

    def hear(self, count: int = 1) -> list[str]:
        said = super().hear(count)
        self._offered = "\n".join(said) or self._offered
        return said

    def pick(self, title: str) -> None:
        self.say(number_of(title, self._offered))


class Sms(Channel):
    """The example of docs/adding-a-channel.md."""

    name, prefix, limit = "sms", "sms-", 1530

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def person(self) -> Person:
        return SmsPerson(self._gateway)


def number_of(title: str, text: str) -> str:
    """Gives the number of a choice that was last offered in a text."""
    return re.findall(rf"^(\d+)\. {re.escape(title)}$", text, re.MULTILINE)[-1]


class MatrixPerson(Person):
    """A real matrix-nio client in a room with the bot."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], server: Synapse, client: AsyncClient) -> None:
        self._run, self._client, self._server, self.heard = run, client, server, []
        self.bot = server.bot
        self.room = ""

    def invite(self, others: tuple[str, ...] = (), seconds: float = WAIT_SECONDS, **more: Any) -> None:
        """Makes a room with the bot, and waits until it is there."""
        self.room = self._run(self._client.room_create(is_direct=True, invite=[self.bot, *others], **more)).room_id
        self.conversation = f"mx-{self.room}"
        until = time.monotonic() + seconds
        while self.bot not in {m.user_id for m in self._run(self._client.joined_members(self.room)).members}:
            assert time.monotonic() < until, "the bot did not come"
            time.sleep(0.05)

    def say(self, text: str) -> None:
        self.event("m.room.message", {"msgtype": "m.text", "body": text})

    def event(self, kind: str, content: dict[str, Any]) -> None:
        answer = self._run(self._client.room_send(self.room, kind, content))
        assert isinstance(answer, RoomSendResponse), answer
        self.last = answer.event_id

    def send(self, kind: str, text: str) -> None:
        message = {"msgtype": "m.text", "body": text}
        change = {"m.new_content": message, "m.relates_to": {"rel_type": "m.replace", "event_id": self.last}}
        contents = {
            "caption": {"msgtype": "m.image", "body": text, "filename": "x.jpg", "url": "mxc://localhost/x"},
            "edit": {**message, "body": f"* {text}", **change},
            "emote": {**message, "msgtype": "m.emote"},
            "answer": {**message, "m.relates_to": {"m.in_reply_to": {"event_id": self.last}}},
        }
        self.event("m.room.message", contents[kind])

    def pick(self, title: str) -> None:
        self.say(number_of(title, "\n".join(self.said)))

    def take(self, room: str, text: str) -> None:
        """Hears a message."""
        if room == self.room:
            self.heard.append(text)
            self.said.append(text)

    @property
    def said(self) -> list[str]:
        """All that the bot ever said."""
        return self.__dict__.setdefault("_said", [])


class Matrix(Channel):
    name, prefix, kinds = "matrix", "mx-", ("caption", "edit", "emote", "answer")

    def __init__(self, server: Synapse, run: Callable[[Coroutine[Any, Any, Any]], Any], clients: list[Any]) -> None:
        self.server, self._run, self._clients = server, run, clients

    def person(self) -> MatrixPerson:
        person = self.stranger()
        person.invite()
        return person

    def stranger(self) -> MatrixPerson:
        """Gives somebody who has no room with the bot yet."""
        user = self.server.register(f"person{next(_numbers)}")
        client = AsyncClient(self.server.url, user)
        person = MatrixPerson(self._run, self.server, client)

        def hear(room: Any, event: RoomMessageText) -> None:
            if event.sender != user:
                person.take(room.room_id, event.body)

        async def begin() -> asyncio.Task[None]:
            await client.login(PASSWORD)
            client.add_event_callback(hear, RoomMessageText)
            return asyncio.create_task(client.sync_forever(timeout=30_000))

        self._clients.append((client, self._run(begin())))
        return person


@contextmanager
def matrix(server: Synapse) -> Iterator[Matrix]:
    """Runs the people's clients in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    clients: list[tuple[AsyncClient, asyncio.Task[None]]] = []

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    async def end() -> None:
        for client, task in clients:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()

    try:
        yield Matrix(server, run, clients)
    finally:
        run(end())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
