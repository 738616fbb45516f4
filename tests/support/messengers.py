"""People on each channel, for the conformance suite: one adapter a channel.

An adapter makes people; a person writes, in any of the channel's kinds of input, and hears.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import queue
import re
import threading
import time
import urllib.error
import urllib.request
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, ClassVar

from gateway import Gateway
from nio import AsyncClient, RoomMemberEvent, RoomMessageText, RoomSendResponse
from socketio.exceptions import SocketIOError
from synapse import Synapse
from telegram_api import TelegramApi

from bot.channels.rest import PREFIX as REST_PREFIX
from bot.channels.sessions import PREFIX as WEB_PREFIX
from bot.channels.turns import MAX_CHARS
from bot.channels.web_messages import MAX_CHARS as WEB_MAX_CHARS
from bot.evaluation.live import LiveBot
from tests.web.harness import Visitor

WAIT_SECONDS = 60
# How soon a client tries again when the bot is away.
RETRY_SECONDS = 0.2
_numbers = itertools.count(1)

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Person(ABC):
    """Somebody on a channel.

    Attributes:
        conversation: The id of the person's conversation in the store.
        heard: What the bot said to the person, in order.
        welcome: What the channel shows before the first message.
    """

    conversation: str
    heard: list[str]
    welcome: str = ""

    @abstractmethod
    def say(self, text: str) -> None:
        """Writes a message; does not wait for an answer."""

    def send(self, kind: str, text: str) -> None:
        """Writes in another kind of input that the channel has, such as a caption."""
        raise NotImplementedError(kind)

    @abstractmethod
    def pick(self, title: str) -> None:
        """Picks a choice of the last message that offered any, as the channel does it."""

    def delete(self) -> None:
        """Deletes the conversation, as the channel does it."""
        raise NotImplementedError

    def hear(self, count: int = 1) -> list[str]:
        """Waits for so many messages, and gives all since the last call."""
        until = time.monotonic() + WAIT_SECONDS
        while len(self.heard) < count:
            assert time.monotonic() < until, f"{len(self.heard)} messages instead of {count}: {self.heard}"
            time.sleep(0.01)
        said = list(self.heard)
        del self.heard[: len(said)]
        return said


class Channel(ABC):
    """A channel of a running bot.

    Attributes:
        name: The channel's name.
        prefix: What its conversations' ids begin with.
        kinds: Kinds of input with words besides plain messages, and how many messages answer each.
        limit: The longest message, in UTF-16 units.
        reads: The longest text that is read; a longer one is refused, or its middle left out.
        commands: Whether it has a notice for new contacts, and commands, of its own.
    """

    name: ClassVar[str]
    prefix: ClassVar[str]
    kinds: ClassVar[Mapping[str, int]] = MappingProxyType({})
    limit: ClassVar[int] = 1_000_000
    reads: ClassVar[int] = MAX_CHARS
    commands: ClassVar[bool] = True

    @abstractmethod
    def person(self) -> Person:
        """Gives somebody new."""


class RestPerson(Person):
    """A program that makes one request after the other, and again if it broke."""

    def __init__(self, url: str) -> None:
        self._address, self._sender, self.heard = f"{url}/webhooks/rest/webhook", uuid.uuid4().hex, []
        self.conversation = f"{REST_PREFIX}{self._sender}"
        self._buttons: dict[str, str] = {}
        self._waiting: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def say(self, text: str) -> None:
        self._waiting.put({"sender": self._sender, "message": text})

    def send(self, kind: str, text: str) -> None:
        assert kind == "nameless"
        self._waiting.put({"message": text})

    def pick(self, title: str) -> None:
        self.say(self._buttons[title])

    def _work(self) -> None:
        while True:
            body = json.dumps(self._waiting.get()).encode()
            while (messages := self._request(body)) is None:
                time.sleep(RETRY_SECONDS)
            self._buttons = {b["title"]: b["payload"] for m in messages for b in m.get("buttons") or ()}
            self.heard += [m["text"] for m in messages if m.get("text")]

    def _request(self, body: bytes) -> list[dict[str, Any]] | None:
        try:
            with urllib.request.urlopen(urllib.request.Request(self._address, body), timeout=WAIT_SECONDS) as answer:
                return json.load(answer)
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return None


class Rest(Channel):
    name, prefix, commands = "rest", REST_PREFIX, False
    kinds: ClassVar = {"nameless": 1}

    def __init__(self, bot: LiveBot) -> None:
        self._bot = bot

    def person(self) -> Person:
        return RestPerson(self._bot.url)


class WebPerson(Person):
    """A visitor whose client does what the widget does (bot/web/src/chat.ts).

    It sends one message after the other, each under an id. Those without a reply are sent again, under their old ids,
    after each reconnection; a reply is told by its turn.
    """

    def __init__(self, run: Run, url: str) -> None:
        self._run, self._url, self.heard = run, url, []
        self._session: str | None = None
        self._buttons: dict[str, str] = {}
        self._waiting: dict[str, str] = {}  # what has no reply, by id
        self._sent: set[str] = set()  # of those, what was sent over this connection
        self._tried: set[str] = set()
        self._turns: set[str] = set()
        run(self._begin())

    def say(self, text: str) -> None:
        self._run(self._add(text))

    def send(self, kind: str, text: str) -> None:
        self._run({"again": self._send_again, "foreign": self._send_foreign, "hasty": self._send_hasty}[kind](text))

    def pick(self, title: str) -> None:
        self.say(self._buttons[title])

    def delete(self) -> None:
        assert self._run(self._visitor.client.call("erase", {}))["ok"]

    async def leave(self) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        await self._visitor.client.disconnect()

    async def _add(self, text: str) -> None:
        self._waiting[uuid.uuid4().hex] = text
        self._news.set()

    async def _send_again(self, text: str) -> None:
        """The client never saw an acknowledgement, though the server knows nothing of the message."""
        id = uuid.uuid4().hex
        self._tried.add(id)
        self._waiting[id] = text
        self._news.set()

    async def _send_foreign(self, text: str) -> None:
        """Another client of Rasa's protocol: no id, and fields of its own."""
        await self._visitor.client.emit("user_uttered", {"message": text, "customData": {}, "session_id": "x"})

    async def _send_hasty(self, text: str) -> None:
        """The message comes before the request for a session."""
        hasty = await Visitor().connect(self._url)
        assert (await hasty.say(text, session_id=self._session))["ok"]
        await hasty.client.disconnect()

    async def _begin(self) -> None:
        self._news = asyncio.Event()
        self._visitor = Visitor()
        self._visitor.client.on("bot_uttered", self._receive)
        self._visitor.client.on("disconnect", lambda *_: self._news.set())
        await self._connect()
        self.conversation = WEB_PREFIX + str(self._session).split(".")[0]
        self._work = asyncio.create_task(self._deliver_all())

    async def _connect(self) -> None:
        await self._visitor.connect(self._url)
        answer = await self._visitor.begin(session_id=self._session)
        self._session, self._sent = answer["session_id"], set()
        self.welcome = answer["welcome"]["text"]

    def _receive(self, said: dict[str, Any]) -> None:
        turn = said.get("metadata", {}).get("turn", uuid.uuid4().hex)
        self._waiting.pop(turn, None)
        if turn not in self._turns:
            self._turns.add(turn)
            self._buttons = {button["title"]: button["payload"] for button in said.get("quick_replies", ())}
            self.heard.append(said["text"])

    async def _deliver_all(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                if not self._visitor.client.connected:
                    await self._connect()
                while unsent := [id for id in self._waiting if id not in self._sent]:
                    await self._deliver(unsent[0])
            except (SocketIOError, asyncio.TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)
                self._news.set()

    async def _deliver(self, id: str) -> None:
        again = id in self._tried
        self._tried.add(id)
        answer = await self._visitor.say(self._waiting[id], id=id, again=again)
        if answer["ok"]:
            self._sent.add(id)
        elif answer["error"] == "web_slow_down":
            await asyncio.sleep(answer["retry_ms"] / 1000)
        else:
            del self._waiting[id]
            self.heard.append(answer["text"])


class Web(Channel):
    name, prefix, reads, commands = "web", WEB_PREFIX, WEB_MAX_CHARS, False
    kinds: ClassVar = {"again": 1, "foreign": 1, "hasty": 1}

    def __init__(self, run: Run, bot: LiveBot) -> None:
        self._run, self._bot = run, bot
        self._people: list[WebPerson] = []

    def person(self) -> WebPerson:
        self._people.append(WebPerson(self._run, self._bot.url))
        return self._people[-1]

    async def leave(self) -> None:
        """Lets everybody go."""
        await asyncio.gather(*(person.leave() for person in self._people))


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

    def delete(self) -> None:
        self.say("/delete")

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
    name, prefix, limit = "telegram", "tg-", 4096
    kinds: ClassVar = {"caption": 2, "edit": 1}

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

    def delete(self) -> None:
        self.say("/delete")


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

    def __init__(self, run: Run, server: Synapse, name: str) -> None:
        self._run, self.bot, self.heard = run, server.bot, []
        self.said: list[str] = []  # all that the bot ever said
        self.room = ""
        self._came: set[str] = set()  # rooms that the bot is in
        account = server.account(name)
        self._client = AsyncClient(server.url)
        self._client.restore_login(account["user_id"], account["device_id"], account["access_token"])
        self._client.add_event_callback(self._hear, RoomMessageText)
        self._client.add_event_callback(self._see, RoomMemberEvent)
        run(self._begin())

    async def _begin(self) -> None:
        self._syncing = asyncio.create_task(self._client.sync_forever(timeout=30_000))

    async def leave(self) -> None:
        self._syncing.cancel()
        await asyncio.gather(self._syncing, return_exceptions=True)
        await self._client.close()

    def _hear(self, room: Any, event: RoomMessageText) -> None:
        if event.sender != self._client.user_id and room.room_id == self.room:
            self.heard.append(event.body)
            self.said.append(event.body)

    def _see(self, room: Any, event: RoomMemberEvent) -> None:
        if event.state_key == self.bot:
            change = self._came.add if event.membership == "join" else self._came.discard
            change(room.room_id)

    def invite(self, others: tuple[str, ...] = (), seconds: float = WAIT_SECONDS, **more: Any) -> None:
        """Makes a room with the bot, and waits until it is there."""
        self.room = self._run(self._client.room_create(is_direct=True, invite=[self.bot, *others], **more)).room_id
        self.conversation = f"mx-{self.room}"
        until = time.monotonic() + seconds
        while not self.met:
            assert time.monotonic() < until, "the bot did not come"
            time.sleep(0.01)

    @property
    def met(self) -> bool:
        """Whether the bot is in the room."""
        return self.room in self._came

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

    def delete(self) -> None:
        self.say("!delete")


class Matrix(Channel):
    name, prefix = "matrix", "mx-"
    kinds: ClassVar = {"caption": 2, "edit": 1, "emote": 1, "answer": 1}

    def __init__(self, run: Run, server: Synapse) -> None:
        self.server, self._run = server, run
        self._people: list[MatrixPerson] = []

    def person(self) -> MatrixPerson:
        person = self.stranger()
        person.invite()
        return person

    def stranger(self) -> MatrixPerson:
        """Gives somebody who has no room with the bot yet."""
        self._people.append(MatrixPerson(self._run, self.server, f"person{next(_numbers)}"))
        return self._people[-1]

    async def leave(self) -> None:
        """Lets everybody go."""
        await asyncio.gather(*(person.leave() for person in self._people))


@contextmanager
def matrix(server: Synapse) -> Iterator[Matrix]:
    """People on Matrix."""
    with _loop() as run:
        people = Matrix(run, server)
        try:
            yield people
        finally:
            run(people.leave())


@contextmanager
def web(bot: LiveBot) -> Iterator[Web]:
    """Visitors of the bot's own page."""
    with _loop() as run:
        people = Web(run, bot)
        try:
            yield people
        finally:
            run(people.leave())


@contextmanager
def _loop() -> Iterator[Run]:
    """Runs clients in a thread, and gives what calls them from the test's."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
