"""A strict emulator of Telegram's Bot API: its limits and errors, two clients at once, floods and faults.

It is our own idea of Telegram, from its documentation; two independent client libraries accept it
(test_telegram_api.py).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

TOKEN = "123456:a-token-of-the-emulator"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
TEXT_LIMIT = 4096
DATA_LIMIT = 64
BUTTONS_IN_ROW, BUTTONS = 8, 100
PER_SECOND = 30
BURST_IN_CHAT = 4
QUERY_SECONDS = 15
ENTITIES = {
    *"mention hashtag cashtag bot_command url email phone_number bold italic underline strikethrough".split(),
    *"spoiler blockquote expandable_blockquote code pre text_link text_mention custom_emoji".split(),
}
BOT = {"id": 123456, "is_bot": True, "first_name": "Bot", "username": "SpasmBot"}


class ApiError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        self.code = code
        self.body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
        if retry_after is not None:
            self.body["parameters"] = {"retry_after": retry_after}


# A request that never arrived: the connection breaks.
LOST = ApiError(599, "lost")


def bad(reason: str) -> ApiError:
    return ApiError(400, f"Bad Request: {reason}")


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@dataclass
class Chat:
    """A chat, with what the bot sent to it."""

    id: int
    type: str = "private"
    sent: list[dict[str, Any]] = field(default_factory=list)
    blocked: bool = False
    tokens: float = BURST_IN_CHAT
    at: float = 0.0

    def json(self) -> dict[str, Any]:
        name = {"first_name": "Person"} if self.type == "private" else {"title": "Group"}
        return {"id": self.id, "type": self.type, **name}


class TelegramApi:
    """The emulator; runs in a thread of its own. Methods without an underscore may be called from any thread."""

    def __init__(self) -> None:
        self.chats: dict[int, Chat] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.violations: list[str] = []
        self.delivered: Counter[int] = Counter()
        self.commands: list[dict[str, str]] = []
        self.webhook: dict[str, Any] = {}
        self.flooded: list[str] = []
        self.chaos: Callable[[str], ApiError | None] = lambda method: None
        self._faults: dict[str, deque[ApiError]] = defaultdict(deque)
        self._updates: list[dict[str, Any]] = []
        self._ids = itertools.count(870_000_001)
        self._message_ids = itertools.count(1)
        self._queries: dict[str, float] = {}
        self._allowed: set[str] | None = None
        self._poller: asyncio.Future[None] | None = None
        self._times: deque[float] = deque()
        self._changed = threading.Condition()
        self._frozen: threading.Event | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What makes a bot use this server."""
        return {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": self.url}

    # What tests do

    def person(self, chat: int) -> Chat:
        """Gives a person's private chat; made at the first call."""
        return self.chats.setdefault(chat, Chat(chat))

    def group(self, chat: int) -> Chat:
        return self.chats.setdefault(chat, Chat(chat, "supergroup"))

    def push(self, **update: Any) -> int:
        """Lets something happen; gives the update's id."""
        number = next(self._ids)
        self._on_loop(lambda: self._add({"update_id": number, **update}))
        return number

    def again(self, update: Mapping[str, Any]) -> None:
        """Sends an update once more, as Telegram does after a lost answer."""
        self._on_loop(lambda: self._add(dict(update)))

    def say(self, chat: int, text: str, **more: Any) -> int:
        """A person writes a message."""
        return self.push(message=self.message(chat, text=text, **more))

    def message(self, chat: int, **content: Any) -> dict[str, Any]:
        """Gives a person's message."""
        room = self.chats.get(chat) or self.person(chat)
        sender = {"id": abs(chat), "is_bot": False, "first_name": "Person", "language_code": "en"}
        return {
            "message_id": next(self._message_ids), "date": int(time.time()), "chat": room.json(), "from": sender,
            **content,
        }  # fmt: skip

    def press(self, chat: int, message: Mapping[str, Any], title: str) -> int:
        """A person presses a button of a message."""
        rows = message["reply_markup"]["inline_keyboard"]
        button = next(button for row in rows for button in row if button["text"] == title)
        return self.press_data(chat, message, button["callback_data"])

    def press_data(self, chat: int, message: Mapping[str, Any] | None, data: str) -> int:
        query = {
            "id": str(next(self._message_ids)), "chat_instance": "1", "data": data,
            "from": {"id": chat, "is_bot": False, "first_name": "Person"},
        }  # fmt: skip
        if message is not None:
            query["message"] = dict(message)
        self._queries[query["id"]] = time.monotonic()
        return self.push(callback_query=query)

    def fail(self, method: str, *errors: ApiError) -> None:
        """Answers the next calls of a method with these errors."""
        self._on_loop(lambda: self._faults[method].extend(errors))

    def freeze(self) -> None:
        """Holds all messages of the bot back, before they count as sent."""
        self.held = 0
        self._frozen = threading.Event()

    def thaw(self) -> None:
        """Goes on; what was held back for a client that is gone was never sent."""
        assert self._frozen is not None
        self._frozen.set()
        self._frozen = None

    def wait(self, condition: Callable[[], Any], seconds: float = 60) -> Any:
        """Waits until something is so, and gives it."""
        with self._changed:
            if not self._changed.wait_for(condition, seconds):
                raise AssertionError("the bot did not do it in time")
            return condition()

    def texts(self, chat: int) -> list[str]:
        return [message["text"] for message in self.person(chat).sent]

    def called(self, method: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.calls if name == method]

    def settle(self, seconds: float = 1.0) -> None:
        """Waits until the bot has taken everything and done nothing for a while."""
        self.wait(lambda: not self._updates, 60)
        while True:
            before = len(self.calls)
            time.sleep(seconds)
            if len([1 for name, _ in self.calls[before:] if name != "getUpdates"]) == 0:
                return

    # Running

    @contextmanager
    def running(self) -> Iterator[TelegramApi]:
        """Serves on a free port of loopback."""
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        application = web.Application()
        application.router.add_route("*", "/bot{token}/{method}", self._serve)
        runner = web.AppRunner(application)

        async def start() -> None:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._delivery = self._loop.create_task(self._deliver())

        asyncio.run_coroutine_threadsafe(start(), self._loop).result(10)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._stop(runner), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)

    async def _stop(self, runner: web.AppRunner) -> None:
        self._delivery.cancel()
        self._release()
        await asyncio.sleep(0.05)
        await runner.cleanup()

    def _on_loop(self, action: Callable[[], Any]) -> None:
        self._loop.call_soon_threadsafe(action)

    def _release(self) -> None:
        if self._poller and not self._poller.done():
            self._poller.set_result(None)

    def _add(self, update: dict[str, Any]) -> None:
        self._updates.append(update)
        self._updates.sort(key=lambda each: each["update_id"])

    async def _serve(self, request: web.Request) -> web.Response:
        parameters = await _parameters(request)
        method = request.match_info["method"]
        try:
            if request.match_info["token"] != TOKEN:
                raise ApiError(401, "Unauthorized")
            handler = getattr(self, f"_do_{_snake(method)}", None)
            if handler is None:
                raise ApiError(404, "Not Found: method not found")
            self.calls.append((method, parameters))
            if method == "sendMessage":
                await self._hold(request)
            fault = self._faults[method].popleft() if self._faults[method] else self.chaos(method)
            if fault is LOST:
                _hang_up(request)
            if fault:
                raise fault
            result = handler(parameters)
            body = {"ok": True, "result": await result if asyncio.iscoroutine(result) else result}
            return web.json_response(body)
        except ApiError as error:
            return web.json_response(error.body, status=error.code)
        finally:
            with self._changed:
                self._changed.notify_all()

    async def _hold(self, request: web.Request) -> None:
        frozen = self._frozen
        if frozen is None:
            return
        self.held += 1
        with self._changed:
            self._changed.notify_all()
        gone = False
        while not (gone or frozen.is_set()):
            await asyncio.sleep(0.02)
            gone = request.transport is None or request.transport.is_closing()
        self.held -= 1
        if gone:
            raise LOST

    # Methods of the Bot API

    def _do_get_me(self, _: dict[str, Any]) -> dict[str, Any]:
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    async def _do_get_updates(self, p: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhook.get("url"):
            text = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            raise ApiError(409, f"Conflict: {text}")
        if "allowed_updates" in p:
            self._allowed = set(p["allowed_updates"])
        self._release()
        mine = self._poller = asyncio.get_running_loop().create_future()
        if offset := int(p.get("offset") or 0):
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
        until = time.monotonic() + int(p.get("timeout") or 0)
        while not (found := self._asked()[: int(p.get("limit") or 100)]) and time.monotonic() < until:
            if mine.done():
                break
            await asyncio.sleep(0.005)
        if mine.done():
            text = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise ApiError(409, f"Conflict: {text}")
        mine.set_result(None)
        self.delivered.update(update["update_id"] for update in found)
        return found

    def _asked(self) -> list[dict[str, Any]]:
        def wanted(update: dict[str, Any]) -> bool:
            return self._allowed is None or any(name in self._allowed for name in update if name != "update_id")

        self._updates = [update for update in self._updates if wanted(update)]
        return self._updates

    def _do_set_webhook(self, p: dict[str, Any]) -> bool:
        if not re.fullmatch(r"[\w-]{1,256}", p.get("secret_token", "x")):
            raise bad("secret token contains unallowed characters")
        self.webhook = p
        self._allowed = set(p["allowed_updates"]) if "allowed_updates" in p else None
        return True

    def _do_delete_webhook(self, _: dict[str, Any]) -> bool:
        self.webhook = {}
        return True

    def _do_get_webhook_info(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.webhook.get("url", ""), "has_custom_certificate": False, "pending_update_count": 0}

    def _do_set_my_commands(self, p: dict[str, Any]) -> bool:
        for command in p["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
                raise bad("BOT_COMMAND_INVALID")
            if not 1 <= len(command["description"]) <= 256:
                raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands = p["commands"]
        return True

    def _do_send_message(self, p: dict[str, Any]) -> dict[str, Any]:
        chat = self._chat(p)
        text = str(p.get("text", ""))
        if not text.strip():
            raise bad("message text is empty")
        if utf16(text) > TEXT_LIMIT:
            raise bad("message is too long")
        self._check_markup(p)
        _check_keyboard(p.get("reply_markup"))
        self._check_entities(text, p.get("entities") or [])
        self._limit(chat)
        message = {
            "message_id": next(self._message_ids), "date": int(time.time()), "chat": chat.json(), "from": BOT,
            "text": text,
        }  # fmt: skip
        message.update({name: p[name] for name in ("entities", "reply_markup") if p.get(name)})
        chat.sent.append(message)
        return message

    def _do_edit_message_reply_markup(self, p: dict[str, Any]) -> dict[str, Any]:
        chat = self._chat(p)
        message = next((m for m in chat.sent if m["message_id"] == int(p.get("message_id") or 0)), None)
        if message is None:
            raise bad("message to edit not found")
        _check_keyboard(p.get("reply_markup"))
        if p.get("reply_markup") == message.get("reply_markup"):
            raise bad("message is not modified")
        message.pop("reply_markup", None)
        if p.get("reply_markup"):
            message["reply_markup"] = p["reply_markup"]
        return message

    def _do_answer_callback_query(self, p: dict[str, Any]) -> bool:
        asked = self._queries.pop(str(p.get("callback_query_id")), None)
        if asked is None or time.monotonic() - asked > QUERY_SECONDS:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        return True

    def _do_send_chat_action(self, p: dict[str, Any]) -> bool:
        self._chat(p)
        if p.get("action") != "typing":
            raise bad("wrong parameter action in request")
        return True

    def _do_leave_chat(self, p: dict[str, Any]) -> bool:
        chat = self._chat(p)
        if chat.type == "private":
            raise bad("chat member status can't be changed in private chats")
        chat.blocked = True
        return True

    # What the real service checks

    def _chat(self, p: dict[str, Any]) -> Chat:
        chat = self.chats.get(int(p.get("chat_id") or 0))
        if chat is None:
            raise bad("chat not found")
        if chat.blocked:
            who = "bot was blocked by the user" if chat.type == "private" else "bot was kicked from the supergroup chat"
            raise ApiError(403, f"Forbidden: {who}")
        return chat

    def _check_markup(self, p: dict[str, Any]) -> None:
        if p.get("parse_mode") == "HTML" and re.search(r"<(?!/?[bisua]\b)|&(?!(lt|gt|amp|quot);)", p["text"]):
            raise bad("can't parse entities: unsupported start tag")
        if p.get("parse_mode") not in (None, "HTML"):
            self.violations.append(f"parse_mode {p['parse_mode']}")

    def _check_entities(self, text: str, entities: list[dict[str, Any]]) -> None:
        """Telegram leaves out what does not fit; here that is a fault of the bot."""
        for entity in entities:
            end = entity["offset"] + entity["length"]
            if entity["type"] not in ENTITIES or entity["length"] < 1 or entity["offset"] < 0 or end > utf16(text):
                self.violations.append(f"entity {entity} in a text of {utf16(text)} units")

    def _limit(self, chat: Chat) -> None:
        now = time.monotonic()
        while self._times and self._times[0] < now - 1:
            self._times.popleft()
        chat.tokens, chat.at = min(BURST_IN_CHAT, chat.tokens + now - chat.at), now
        if chat.tokens < 1 or len(self._times) >= PER_SECOND:
            self.flooded.append(f"{chat.id}: {chat.tokens:.2f} left, {len(self._times)} in a second")
            raise ApiError(429, "Too Many Requests: retry after 1", 1)
        chat.tokens -= 1
        self._times.append(now)

    async def _deliver(self) -> None:
        """Calls the webhook, again after anything but success, as Telegram does."""
        async with aiohttp.ClientSession() as session:
            while True:
                await asyncio.sleep(0.01)
                for update in self._asked()[:10] if self.webhook.get("url") else []:
                    headers = {SECRET_HEADER: self.webhook.get("secret_token", "")}
                    try:
                        async with session.post(self.webhook["url"], json=update, headers=headers) as answer:
                            taken = answer.status == 200
                    except aiohttp.ClientError:
                        taken = False
                    if not taken:
                        await asyncio.sleep(0.2)
                        break
                    self.delivered[update["update_id"]] += 1
                    self._updates.remove(update)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _check_keyboard(markup: Any) -> None:
    if not markup:
        return
    rows = markup.get("inline_keyboard")
    if not isinstance(rows, list):
        raise bad("object expected as reply markup")
    if sum(map(len, rows)) > BUTTONS or any(len(row) > BUTTONS_IN_ROW for row in rows):
        raise bad("reply markup is too long")
    for button in itertools.chain.from_iterable(rows):
        if not button.get("text", "").strip():
            raise bad("inline keyboard button text is empty")
        if "url" in button and not button["url"].startswith(("http://", "https://", "tg://")):
            raise bad(f"inline keyboard button URL '{button['url']}' is invalid: unsupported URL protocol")
        if "url" not in button and not 1 <= len(button.get("callback_data", "").encode()) <= DATA_LIMIT:
            raise bad("BUTTON_DATA_INVALID")


async def _parameters(request: web.Request) -> dict[str, Any]:
    """Reads parameters from the address, a form or JSON; nested ones of a form are JSON."""
    given: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        given.update(await request.json())
    elif request.can_read_body:
        given.update(await request.post())
    return {name: json.loads(value) if _nested(name, value) else value for name, value in given.items()}


def _nested(name: str, value: Any) -> bool:
    return name != "text" and isinstance(value, str) and value[:1] in ("[", "{")


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()
