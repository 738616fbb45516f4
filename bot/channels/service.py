"""What all messaging services share: an event is kept, screened, answered in order, and never twice.

A service's own channel says how to listen, what an event is, and how to send. `docs/adding-a-channel.md` shows one.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import time
from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Dict, List, Optional, Tuple
from weakref import WeakValueDictionary

from rasa.core.channels.channel import InputChannel
from sanic import Blueprint, Sanic, response
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.channels.inbox import Event, Inbox, Part
from bot.channels.replies import Reply, split
from bot.channels.turns import MAX_CHARS, OnNewMessage, erase, failure, take_turn, typed
from bot.core.turn import ERASE
from bot.knowledge.loader import load_knowledge
from bot.knowledge.numbers import numbers
from bot.nlu.safety_screen import SAFETY
from bot.retention import DAY_SECONDS, SESSION_SECONDS
from bot.settings import Settings, read_settings

_log = logging.getLogger(__name__)

# What can be asked of the bot besides talking; each has a description in phrases.yml.
COMMANDS = ("start", "help", "restart", "privacy", "delete", "emergency")
_COMMAND = re.compile(r"[/!](\w+)(?:@\w+)?")
# Turns that run at once. They share one processor, so more would only slow each other down.
TURNS_AT_ONCE = 8
# Beyond so many waiting texts a chat is flooding: they are read together, so that others need not wait for them.
FLOOD = 20
# Beyond so many events in hand the service keeps the rest.
IN_HAND = 2000
LONGEST_WAIT_SECONDS = 60.0
STOP_SECONDS = 5.0
TIDY_SECONDS = 2.0
TIDY_UP_SECONDS = 600.0
# A reply that could not be sent for a day helps nobody any more.
GIVE_UP_SECONDS = 24 * 3600
# The kind of an event in a group: it is told to write alone, and the bot leaves.
ELSEWHERE = "elsewhere"
# Kinds of replies whose first line stands out.
URGENT = frozenset({"emergency", "crisis", "urgent", "safety_check"})

# The messages of a reply, and the payloads of its choices by token; None leaves open choices open.
Planned = Tuple[List[Part], Optional[Dict[str, str]]]


class Undeliverable(Exception):
    """A message that can never be sent: the person blocked the bot, or the chat is gone."""


class Service(InputChannel):
    """A messaging service. Events come by `poll` or a webhook and go to `receive`.

    Attributes:
        prefix: Goes before the ids of this service's conversations, so that no other channel can reach them.
        limit: The longest message, in UTF-16 units.
        numbered: Whether choices are written as numbers; else `send` gets them as `Part.choices`.
        sign: What the help text puts before commands.
    """

    prefix: ClassVar[str]
    limit: ClassVar[int]
    numbered: ClassVar[bool] = True
    sign: ClassVar[str] = "/"

    inbox: Inbox

    def __init__(self, settings: Settings) -> None:
        """Keeps the settings; nothing is opened before the server runs."""
        self.settings = settings
        self._phrases = load_knowledge().phrases
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._turns = asyncio.Semaphore(TURNS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault = ""
        self._polled: float | None = None

    @classmethod
    def from_credentials(cls, credentials: Optional[Dict[str, Any]]) -> InputChannel:
        """Makes the channel; the environment configures it."""
        return cls(read_settings())

    @property
    @abstractmethod
    def on(self) -> bool:
        """Whether the environment switches the channel on."""

    @abstractmethod
    async def connect(self) -> None:
        """Connects to the service; called again until it succeeds."""

    async def poll(self) -> None:
        """Waits for events and gives them to `receive`; called again and again."""
        await asyncio.Event().wait()

    @abstractmethod
    async def send(self, event: Event, number: int, part: Part) -> None:
        """Sends one message of the reply to an event.

        Raises:
            Undeliverable: It can never be sent. After any other error it is tried again.
        """

    async def typing(self, chat: str) -> None:
        """Shows that the bot is at work, where the service can."""

    async def leave(self, chat: str) -> None:
        """Leaves a group, after having said why."""

    async def close(self) -> None:
        """Disconnects."""

    def explain(self, error: Exception) -> str:
        """Says what an error of `connect` or `poll` means; never with a secret or a person's words."""
        return f"{type(error).__name__}; trying again"

    def tokens(self, count: int) -> List[str]:
        """Gives the tokens of a reply's choices."""
        return [str(number) for number in range(1, count + 1)]

    def routes(self, blueprint: Blueprint) -> None:
        """Adds the service's own routes, such as a webhook."""

    def blueprint(self, on_new_message: OnNewMessage) -> Blueprint:
        """Gives the routes and what runs beside them (see parent)."""
        blueprint = Blueprint(f"{self.name()}_service", __name__)
        if not self.on:
            return blueprint
        self._on_new_message = on_new_message
        self.routes(blueprint)

        @blueprint.route("/", methods=["GET"])
        async def status(_: Request) -> HTTPResponse:
            ago = None if self._polled is None else round(time.monotonic() - self._polled, 1)
            return response.json({"status": "ok" if not self._fault else "retrying", "seconds_since_poll": ago})

        @blueprint.listener("after_server_start")
        async def start(app: Sanic, _: Any) -> None:
            self.start(app)

        @blueprint.listener("before_server_stop")
        async def stop(_: Sanic, __: Any) -> None:
            await self.stop()

        return blueprint

    def start(self, app: Any) -> None:
        """Opens the inbox and begins to listen; `app` holds Rasa's agent."""
        self._app = app
        days = self.settings.retention_days
        self.inbox = Inbox(self.settings.state if days else None, self.name())
        self._listener = asyncio.get_running_loop().create_task(self._listen())
        self._tidier = asyncio.get_running_loop().create_task(self._tidy_up(days * DAY_SECONDS or SESSION_SECONDS))

    async def stop(self) -> None:
        """Stops listening, lets replies finish, and leaves the rest in the inbox for the next start."""
        for task in (self._listener, self._tidier):
            task.cancel()
        await asyncio.gather(self._listener, self._tidier, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.close()
        self.inbox.close()

    def receive(self, event: Event) -> None:
        """Takes an event: it is kept before this returns, and answered in its chat's turn."""
        words = event.words.encode("utf-8", "replace").decode()  # half a character cannot be stored
        event = replace(event, words=words)
        if self.inbox.accept(event):
            self._begin(event)

    async def _listen(self) -> None:
        connected = False
        wait = 1.0
        while True:
            try:
                if not connected:
                    await self.connect()
                    connected = True
                    for event in self.inbox.waiting():
                        self._begin(event)
                await self.poll()
                self._polled, self._fault, wait = time.monotonic(), "", 1.0
                while len(self._tasks) > IN_HAND:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            except Exception as error:
                self._tell(self.explain(error))
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    async def _tidy_up(self, keep_seconds: float) -> None:
        while True:
            self.inbox.tidy(keep_seconds)
            await asyncio.sleep(TIDY_UP_SECONDS)

    def _tell(self, fault: str) -> None:
        """Logs a fault once, not at each try."""
        if fault != self._fault:
            _log.warning("%s: %s", self.name(), fault)
        self._fault = fault

    def _begin(self, event: Event) -> None:
        task = asyncio.get_running_loop().create_task(self._process(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, event: Event) -> None:
        # Waiters get the lock in the order they came, so a chat is answered in order.
        async with self._locks.setdefault(event.chat, asyncio.Lock()):
            if self.inbox.is_done(event):
                return
            if self.inbox.unsent(event) is None:
                await self._plan(event)
            try:
                for number, part in self.inbox.unsent(event) or ():
                    await self._deliver(event, number, part)
                    self.inbox.sent(event, number)
            except Undeliverable:
                _log.info("%s: a reply could not be delivered", self.name())
            if event.kind == ELSEWHERE:
                await self.tidy(self.leave(event.chat))
            self.inbox.done(event)

    async def _plan(self, event: Event) -> None:
        together = self._together(event)
        words = "\n".join(each.words for each in together)
        parts, choices = await self._answer(replace(event, words=words))
        first = event.kind != ELSEWHERE and not self.inbox.knows(event.chat)
        notice = Part(self._notice)
        self.inbox.plan(event, [*parts, notice] if first and notice not in parts else parts, choices, first)
        for other in together[1:]:
            self.inbox.done(other)

    def _together(self, event: Event) -> Sequence[Event]:
        """Gives the event, and in a flood the texts right after it."""
        if event.kind != "text":
            return [event]
        waiting = self.inbox.waiting(event.chat)
        run = list(itertools.takewhile(lambda each: each.kind == "text", waiting))
        if len(run) <= FLOOD:
            return [event]
        sizes = itertools.accumulate(len(each.words) + 1 for each in run)
        return run[: max(1, sum(size <= MAX_CHARS for size in sizes))]

    async def _answer(self, event: Event) -> Planned:
        try:
            async with self._turns:
                return await self.answer(event)
        except Exception as error:
            _log.error("%s: an event failed: %s", self.name(), type(error).__name__)
            return self.render(Reply.read(failure(event.chat)))

    async def answer(self, event: Event) -> Planned:
        """Gives the reply to an event; services add kinds of their own."""
        if event.kind == "text":
            return await self._read(event)
        if event.kind == "caption":
            parts, choices = await self.turn(event.chat, event.words)
            return [*parts, Part(self.phrase("only_the_words"))], choices
        if event.kind == "edit":
            return await self._edited(event)
        return [Part(self.phrase(event.kind))], None

    async def _read(self, event: Event) -> Planned:
        words = event.words.strip()
        found = _COMMAND.fullmatch(words)
        if found and found.group(1).lower() in COMMANDS:
            return await self._command(found.group(1).lower(), event.chat)
        chosen = self.inbox.choose(event.chat, words.rstrip(".)")) if self.numbered else None
        return await self.turn(event.chat, chosen or event.words)

    async def _command(self, name: str, chat: str) -> Planned:
        if name in ("start", "restart"):
            return await self.turn(chat, self._phrases[f"payload_{name}"])
        if name == "delete":
            await erase(self._app.ctx.agent, self.prefix + chat)
            self.inbox.forget(chat)
            return [Part(self.phrase("deleted"))], {}
        if name == "privacy":
            return [Part(self._notice)], None
        if name == "emergency":
            return [Part(self.phrase("emergency_call"))], None
        lines = [f"{self.sign}{each}: {self._phrases[f'command_{each}']}" for each in COMMANDS]
        return [Part("\n".join([self.phrase("help"), *lines]))], None

    async def _edited(self, event: Event) -> Planned:
        """Answers a changed message only if it speaks of danger; else asks before answering twice."""
        understood = await self._app.ctx.agent.parse_message(typed(event.words))
        if understood.get(SAFETY):
            return await self.turn(event.chat, event.words)
        button = {"title": self._phrases["button_edited"], "payload": event.words}
        return self.render(Reply(self.phrase("edited"), (button,)))

    async def turn(self, chat: str, words: str) -> Planned:
        """Runs one turn of the conversation."""
        messages, _ = await asyncio.gather(
            take_turn(self._on_new_message, words, self.prefix + chat, self.name()), self.tidy(self.typing(chat))
        )
        reply = Reply.read(messages)
        if reply.custom.get(ERASE):
            self.inbox.forget(chat)
        return self.render(reply)

    async def tidy(self, request: Awaitable[Any]) -> None:
        """Makes a request that does not matter to the reply: it may fail, and is not waited for long."""
        try:
            await asyncio.wait_for(request, TIDY_SECONDS)
        except Exception as error:
            _log.debug("%s: a request beside the reply failed: %s", self.name(), type(error).__name__)

    def render(self, reply: Reply) -> Planned:
        """Makes the messages of a reply; its choices go with the last one."""
        offered = dict(zip(self.tokens(len(reply.buttons)), reply.buttons, strict=True))
        choices = {token: button["payload"] for token, button in offered.items()}
        titles = [(token, button["title"]) for token, button in offered.items()]
        kind = str(reply.custom.get("kind") or "")
        text = reply.plain
        if self.numbered and titles:
            listed = [f"{token}. {title}" for token, title in titles]
            text = "\n".join([text, "", *listed, self.phrase("pick_number")])
            titles = []
        *most, last = split(text, self.limit) or [""]
        return [*(Part(each, (), kind) for each in most), Part(last, titles, kind)], choices

    def phrase(self, key: str) -> str:
        """Gives one of our fixed sentences."""
        number = numbers(self.settings.country).emergency_number
        return self._phrases[key].format(emergency_number=number)

    @property
    def _notice(self) -> str:
        key = f"notice_{self.name()}"
        return self.phrase(key if key in self._phrases else "notice_service")

    async def _deliver(self, event: Event, number: int, part: Part) -> None:
        wait = 1.0
        while True:
            try:
                return await self.send(event, number, part)
            except Undeliverable:
                raise
            except Exception as error:
                if self.inbox.age(event) > GIVE_UP_SECONDS:
                    raise Undeliverable from error
                _log.info("%s: a reply was not sent yet: %s", self.name(), type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
