"""Telegram: long polling, or a webhook with a secret, on python-telegram-bot.

The library is used for the Bot API alone. Its own updater confirms updates before they are handled, so a stop would
lose them; and one update that it cannot read would block all that follow.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from datetime import timedelta
from typing import Any, Callable, Coroutine, Dict, List, Mapping, Optional

from aiolimiter import AsyncLimiter
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse
from telegram import (
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MessageEntity,
)
from telegram.constants import (
    ChatAction,
    ChatMemberStatus,
    ChatType,
    MessageAttachmentType,
    MessageLimit,
    MessageType,
)
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, RetryAfter
from telegram.ext import BaseRateLimiter, ExtBot

from bot.channels.inbox import Event, Part
from bot.channels.replies import units
from bot.channels.service import COMMANDS, ELSEWHERE, URGENT, Planned, Service, Undeliverable
from bot.settings import TelegramSettings

POLL_SECONDS = 25
# What Telegram is asked to send; all else a private chat has no use for.
UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
# Telegram allows a message a second in a chat, and short bursts.
BURST = 3
# Telegram allows 30 a second in all; what is sent evenly arrives in bunches.
PER_SECOND = 24
TRIES_AFTER_429 = 5
# Beyond so many, chats that sent nothing of late are dropped from the reckoning.
CHATS = 1000
_ATTACHMENTS = frozenset(str(each) for each in MessageAttachmentType)
# Notes such as "pinned a message". What is neither this nor an attachment is new, and gets an answer.
_SERVICE = frozenset(str(each) for each in MessageType) - _ATTACHMENTS

_log = logging.getLogger(__name__)
# The library's loggers write whole requests and answers, token and words included.
for _name in ("httpx", "httpcore", "telegram"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class Pace(BaseRateLimiter[int]):
    """Keeps to Telegram's limits per chat and overall, and waits as long as a 429 says, in that chat alone."""

    def __init__(self) -> None:
        """Starts with nothing sent."""
        self._overall = AsyncLimiter(BURST, BURST / PER_SECOND)
        self._chats: Dict[Any, AsyncLimiter] = {}

    async def initialize(self) -> None:
        """Does nothing (see parent)."""

    async def shutdown(self) -> None:
        """Does nothing (see parent)."""

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: Dict[str, Any],
        endpoint: str,
        data: Dict[str, Any],
        rate_limit_args: Optional[int],
    ) -> Any:
        """Sends a message when its turn comes; all else at once, since it may fail (see parent)."""
        if endpoint != "sendMessage":
            return await callback(*args, **kwargs)
        for left in reversed(range(TRIES_AFTER_429)):
            await self._of(data["chat_id"]).acquire()
            await self._overall.acquire()
            try:
                return await callback(*args, **kwargs)
            except RetryAfter as error:
                if not left:
                    raise
                wait = error.retry_after
                await asyncio.sleep(wait.total_seconds() if isinstance(wait, timedelta) else wait)
        raise AssertionError("the last try returns or raises")

    def _of(self, chat: Any) -> AsyncLimiter:
        if len(self._chats) > CHATS:
            self._chats = {each: limiter for each, limiter in self._chats.items() if not limiter.has_capacity(BURST)}
        return self._chats.setdefault(chat, AsyncLimiter(BURST, BURST))


class Telegram(Service):
    """Private chats with people; on when TELEGRAM_BOT_TOKEN is set."""

    prefix = "tg-"
    limit = MessageLimit.MAX_TEXT_LENGTH
    numbered = False

    _bot: Optional[ExtBot[int]] = None
    _offset: Optional[int] = None

    @classmethod
    def name(cls) -> str:
        """Names the channel."""
        return "telegram"

    @property
    def on(self) -> bool:
        """Whether there is a token (see parent)."""
        return self.settings.telegram is not None

    @property
    def _telegram(self) -> TelegramSettings:
        assert self.settings.telegram is not None
        return self.settings.telegram

    @property
    def bot(self) -> ExtBot[int]:
        """The library's bot."""
        if self._bot is None:
            self._bot = ExtBot(self._telegram.token, f"{self._telegram.api_url}/bot", rate_limiter=Pace())
        return self._bot

    async def connect(self) -> None:
        """Registers commands and the way in (see parent)."""
        await self.bot.initialize()
        await self.bot.set_my_commands([BotCommand(name, self._phrases[f"command_{name}"]) for name in COMMANDS])
        if self._telegram.webhook_url:
            await self.bot.set_webhook(self._telegram.webhook_url, allowed_updates=UPDATES, secret_token=self._secret)
        else:
            await self.bot.delete_webhook()

    async def poll(self) -> None:
        """Waits for updates (see parent)."""
        if self._telegram.webhook_url:
            return await super().poll()
        # The offset only confirms the last batch. It is not kept: after a quiet week ids start again at random, and
        # an old offset would skip them. The inbox knows the ids it has had.
        asked = {"timeout": POLL_SECONDS, "allowed_updates": UPDATES, "offset": self._offset}
        updates = await self.bot.do_api_request("getUpdates", asked, read_timeout=POLL_SECONDS + 10)
        for update in updates:
            self._take(update)
        self._offset = updates[-1]["update_id"] + 1 if updates else None

    def routes(self, blueprint: Blueprint) -> None:
        """Adds the webhook when there is an address for it (see parent)."""
        if not self._telegram.webhook_url:
            return

        @blueprint.route("/webhook", methods=["POST"])
        async def webhook(request: Request) -> HTTPResponse:
            if not hmac.compare_digest(request.headers.get(SECRET_HEADER, "").encode(), self._secret.encode()):
                return response.empty(403)
            self._take(request.json)
            return response.empty(200)

    @property
    def _secret(self) -> str:
        """Proves that a request comes from Telegram; made from the bot's token, which only Telegram has too."""
        return hashlib.sha256(b"webhook " + self._telegram.token.encode()).hexdigest()

    def _take(self, raw: Any) -> None:
        try:
            event = read_update(raw)
        except (AttributeError, KeyError, TypeError) as error:  # no update at all; the next ones are read
            _log.warning("telegram: an update could not be read: %s", type(error).__name__)
            return
        if event:
            self.receive(event)

    def tokens(self, count: int) -> List[str]:
        """Gives short random tokens, since a button holds 64 bytes and its payload may not (see parent)."""
        return [secrets.token_urlsafe(9) for _ in range(count)]

    async def answer(self, event: Event) -> Planned:
        """Answers presses too (see parent)."""
        return await self._pressed(event) if event.kind == "press" else await super().answer(event)

    async def _pressed(self, event: Event) -> Planned:
        await self.tidy(self.bot.answer_callback_query(event.data["query"]))
        if event.data["message"]:
            await self.tidy(self.bot.edit_message_reply_markup(int(event.chat), event.data["message"]))
        words = self.inbox.choose(event.chat, event.words)
        return await self.turn(event.chat, words) if words else ([Part(self.phrase("stale"))], None)

    async def send(self, event: Event, number: int, part: Part) -> None:
        """Sends one message; without formatting and buttons if Telegram refuses those (see parent)."""
        rows = [[InlineKeyboardButton(title, callback_data=token)] for token, title in part.choices]
        extras: Dict[str, Any] = {
            "entities": entities(part, self._phrases["sources"]),
            "reply_markup": InlineKeyboardMarkup(rows) if rows else None,
            "link_preview_options": LinkPreviewOptions(is_disabled=True),
        }
        try:
            try:
                await self.bot.send_message(int(event.chat), part.text, **extras)
            except BadRequest:
                await self.bot.send_message(int(event.chat), part.text)
        except (BadRequest, Forbidden) as error:
            raise Undeliverable from error

    async def typing(self, chat: str) -> None:
        """Shows that the bot is typing (see parent)."""
        await self.bot.send_chat_action(int(chat), ChatAction.TYPING)

    async def leave(self, chat: str) -> None:
        """Leaves a group (see parent)."""
        await self.bot.leave_chat(int(chat))

    async def close(self) -> None:
        """Disconnects (see parent)."""
        if self._bot is not None:
            await self._bot.shutdown()

    def explain(self, error: Exception) -> str:
        """Says what to do about an error (see parent)."""
        if isinstance(error, Conflict):
            return (
                "another program polls with the same TELEGRAM_BOT_TOKEN, and Telegram serves only one. Stop the other, "
                "or give this bot a token of its own. Trying again"
            )
        if isinstance(error, InvalidToken):
            return "Telegram refuses TELEGRAM_BOT_TOKEN. Set the token that BotFather gave, and start again"
        return super().explain(error)


def read_update(raw: Mapping[str, Any]) -> Optional[Event]:
    """Reads what a person did; None when there is nothing to answer.

    Not answered: channels, other bots, notes of the service ("pinned a message") and what was not asked for. The update
    is read as it comes: the library's own reader refuses a whole message when one field of it is new.
    """
    id = str(raw["update_id"])
    if query := raw.get("callback_query"):
        return _press(id, query)
    message = raw.get("message") or raw.get("edited_message")
    happened = message or raw.get("my_chat_member") or {}
    if not happened.get("from") or happened["from"].get("is_bot"):
        return None
    where = str(happened["chat"]["id"])
    if happened["chat"]["type"] != ChatType.PRIVATE:
        return Event(id, where, ELSEWHERE) if message or _added(happened) else None
    if not message:
        return None
    words = _words(message)
    if raw.get("edited_message"):
        return Event(id, where, "edit", words) if words else None
    if not words and _SERVICE & message.keys() and not _ATTACHMENTS & message.keys():
        return None
    kind = "text" if message.get("text") else "caption" if words else "unreadable"
    return Event(id, where, kind, words)


def _press(id: str, query: Mapping[str, Any]) -> Optional[Event]:
    """Reads a press; in a private chat, the chat's id is the person's."""
    message = query.get("message") or {}
    if message.get("chat", {}).get("type", ChatType.PRIVATE) != ChatType.PRIVATE:
        return None
    data = {"query": query["id"], "message": message.get("message_id")}
    return Event(id, str(query["from"]["id"]), "press", query.get("data", ""), data)


def _words(message: Mapping[str, Any]) -> str:
    """Gives all that a person wrote into a message, which may be a picture's caption or a poll."""
    poll = message.get("poll") or {"question": "", "options": ()}
    options = (option["text"] for option in poll["options"])
    return "\n".join(filter(None, [message.get("text"), message.get("caption"), poll["question"], *options]))


def _added(change: Mapping[str, Any]) -> bool:
    """Tells whether the bot was just added to a group."""
    return change["new_chat_member"]["status"] in (ChatMemberStatus.MEMBER, ChatMemberStatus.ADMINISTRATOR)


def entities(part: Part, sources: str) -> List[MessageEntity]:
    """Formats a message without markup, so that no text can break it.

    The first line of a warning is bold; the sources are a quotation that opens at a touch.
    """
    found = []
    if part.kind in URGENT:
        found.append(MessageEntity(MessageEntity.BOLD, 0, units(part.text.split("\n", 1)[0])))
    start = part.text.rfind(f"\n{sources}") + 1
    if start:
        found.append(
            MessageEntity(MessageEntity.EXPANDABLE_BLOCKQUOTE, units(part.text[:start]), units(part.text[start:]))
        )
    return found
