"""Matrix: invited to a room, the bot chats there with one person, over matrix-nio.

Encrypted rooms would need a library that cannot share Rasa's environment, so the bot says that it cannot read them.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import logging
import re
import time
from typing import Any, Dict, List, Mapping, Optional

from aiolimiter import AsyncLimiter
from nio import (
    AsyncClient,
    AsyncClientConfig,
    ErrorResponse,
    InviteInfo,
    JoinError,
    LoginError,
    MessageDirection,
    RoomInfo,
    RoomMessagesResponse,
    RoomSendError,
    SyncError,
)

from bot.channels.inbox import Event, Part
from bot.channels.service import ELSEWHERE, URGENT, Service, Undeliverable
from bot.settings import MatrixSettings

POLL_MS = 25_000
# A turn that takes longer shows that the bot is typing.
SLOW_SECONDS = 0.5
TYPING_MS = 5_000
# Messages older than this were written to nobody in particular any more.
OLD_SECONDS = 24 * 3600
# Invitations taken in an hour: from one person, and from all.
INVITES_OF_ONE, INVITES_OF_ALL = 5, 120
# What a sync holds of a room; the rest of a longer absence is fetched in pages of the same size.
PAGE, PAGES = 50, 20
_ATTACHMENTS = frozenset({"m.image", "m.video", "m.audio", "m.file", "m.location"})
# Bots' own messages, which must not be answered, and what clients exchange among themselves.
_NOT_FOR_US = frozenset({"m.notice", "m.key.verification.request"})
_QUOTATION = re.compile(r"\A(?:>.*\n)+\n?")
_GONE = frozenset({"M_FORBIDDEN", "M_NOT_FOUND", "M_TOO_LARGE", "M_UNRECOGNIZED"})

_log = logging.getLogger(__name__)
# The library logs events that it cannot read, with people's words in them.
logging.getLogger("nio").setLevel(logging.CRITICAL)


class Refused(Exception):
    """The home server answered with an error; `code` is its name."""

    def __init__(self, answer: ErrorResponse) -> None:
        """Keeps the code alone; the message might quote somebody."""
        super().__init__(answer.status_code)
        self.code = answer.status_code or "unknown"


class Matrix(Service):
    """Rooms of two; on when MATRIX_HOMESERVER is set."""

    prefix = "mx-"
    limit = 16_000
    sign = "!"

    _client: Optional[AsyncClient] = None

    @classmethod
    def name(cls) -> str:
        """Names the channel."""
        return "matrix"

    @property
    def on(self) -> bool:
        """Whether there is a home server (see parent)."""
        return self.settings.matrix is not None

    @property
    def _matrix(self) -> MatrixSettings:
        assert self.settings.matrix is not None
        return self.settings.matrix

    @property
    def client(self) -> AsyncClient:
        """The library's client; broken connections come back to us at once, and floods it waits out itself."""
        if self._client is None:
            config = AsyncClientConfig(max_timeouts=0)
            self._client = AsyncClient(self._matrix.homeserver, self._matrix.user, config=config)
            self._invites = AsyncLimiter(INVITES_OF_ALL, 3600)
            self._invites_of: Dict[str, AsyncLimiter] = {}
            self._typists: Dict[str, asyncio.Task[None]] = {}
            self._whole = True
        return self._client

    async def connect(self) -> None:
        """Takes up the last session, or logs in; a session of its own makes sending twice harmless (see parent)."""
        if kept := self.inbox.mark(self._key("session")):
            self.client.restore_login(**json.loads(kept))
            return
        answer = await self.client.login(self._matrix.password, device_name="bot")
        if isinstance(answer, LoginError):
            raise Refused(answer)
        session = {"user_id": answer.user_id, "device_id": answer.device_id, "access_token": answer.access_token}
        self.inbox.set_mark(self._key("session"), json.dumps(session))

    def _key(self, name: str) -> str:
        return f"{name} of {self._matrix.user} at {self._matrix.homeserver}"

    async def poll(self) -> None:
        """Waits for news of all rooms (see parent)."""
        since = self.inbox.mark(self._key("since"))
        answer = await self.client.sync(POLL_MS if since else 0, self._news, since, full_state=self._whole)
        if isinstance(answer, SyncError):
            if answer.status_code == "M_UNKNOWN_TOKEN":
                self.inbox.set_mark(self._key("session"), None)
                await self.connect()
            raise Refused(answer)
        self._whole = False
        for room, invite in answer.rooms.invite.items():
            await self._invited(room, invite)
        # What was written before the bot ever read here is not for it.
        for room, news in answer.rooms.join.items() if since else ():
            await self._follow(room, news, str(since))
        self.inbox.set_mark(self._key("since"), answer.next_batch)

    @property
    def _news(self) -> Dict[str, Any]:
        """What a sync is to hold. Without the bot's own messages, a reply costs the home server no sync of ours."""
        none: Dict[str, Any] = {"types": []}
        timeline = {"limit": PAGE, "not_senders": [self.client.user_id]}
        rooms = {"timeline": timeline, "ephemeral": none, "account_data": none}
        return {"room": rooms, "presence": none, "account_data": none}

    async def _invited(self, room: str, invite: InviteInfo) -> None:
        mine = (event for event in invite.invite_state if getattr(event, "state_key", None) == self.client.user_id)
        inviter = next((event.sender for event in mine), "")
        if not await self._may_join(inviter):
            _log.warning("matrix: an invitation was declined: too many in an hour")
            await self.tidy(self.client.room_leave(room))
            return
        answer = await self.client.join(room)
        if isinstance(answer, JoinError):
            await self.tidy(self.client.room_leave(room))

    async def _may_join(self, inviter: str) -> bool:
        limits = (self._invites, self._invites_of.setdefault(inviter, AsyncLimiter(INVITES_OF_ONE, 3600)))
        if not all(limit.has_capacity() for limit in limits):
            return False
        for limit in limits:
            await limit.acquire()
        return True

    async def _follow(self, room: str, news: RoomInfo, since: str) -> None:
        timeline = news.timeline
        missed = await self._missed(room, timeline.prev_batch, since) if timeline.limited else []
        known = self.client.rooms.get(room)
        crowd = known is not None and known.member_count > 2
        for event in [*missed, *timeline.events]:
            try:
                heard = read_event(event.source, room, str(self.client.user_id), time.time() - OLD_SECONDS)
            except (AttributeError, KeyError, TypeError) as error:
                _log.warning("matrix: an event could not be read: %s", type(error).__name__)
                continue
            if heard:
                self.receive(Event(heard.id, room, ELSEWHERE) if crowd else heard)

    async def _missed(self, room: str, start: Optional[str], since: str) -> List[Any]:
        """Gives what a sync left out after a long absence, oldest first."""
        found: List[Any] = []
        for _ in range(PAGES):
            answer = await self.client.room_messages(room, start or "", since, MessageDirection.back, PAGE)
            if not isinstance(answer, RoomMessagesResponse) or not answer.chunk:
                break
            found += answer.chunk
            start = answer.end
            if not start:
                break
        return found[::-1]

    async def send(self, event: Event, number: int, part: Part) -> None:
        """Sends one message; the same one again is the same to the server (see parent)."""
        if typist := self._typists.pop(event.chat, None):
            typist.cancel()
        transaction = hashlib.sha256(f"{event.id} {number}".encode()).hexdigest()[:32]
        # Not m.notice, which is for bots: most phones show nothing when one comes.
        content = {
            "msgtype": "m.text",
            "body": part.text,
            "format": "org.matrix.custom.html",
            "formatted_body": formatted(part),
        }
        answer = await self.client.room_send(event.chat, "m.room.message", content, transaction)
        if isinstance(answer, RoomSendError):
            if answer.status_code in _GONE:
                raise Undeliverable
            raise Refused(answer)

    async def typing(self, chat: str) -> None:
        """Shows that the bot is typing once it takes long; each note costs the server two syncs (see parent)."""
        self._typists[chat] = asyncio.create_task(self._type(chat))

    async def _type(self, chat: str) -> None:
        await asyncio.sleep(SLOW_SECONDS)
        await self.tidy(self.client.room_typing(chat, True, TYPING_MS))

    async def leave(self, chat: str) -> None:
        """Leaves a room (see parent)."""
        await self.client.room_leave(chat)

    async def close(self) -> None:
        """Disconnects (see parent)."""
        if self._client is not None:
            await self._client.close()

    def explain(self, error: Exception) -> str:
        """Says what to do about an error (see parent)."""
        if isinstance(error, Refused) and error.code in ("M_FORBIDDEN", "M_USER_DEACTIVATED"):
            return f"the home server refuses MATRIX_USER and MATRIX_PASSWORD ({error.code}); trying again"
        if isinstance(error, Refused):
            return f"the home server answered {error.code}; trying again"
        return super().explain(error)


def read_event(source: Mapping[str, Any], room: str, me: str, oldest: float) -> Optional[Event]:
    """Reads what a person did; None when there is nothing to answer.

    Args:
        source: The event as it came.
        room: Where it happened.
        me: The bot's user id.
        oldest: Seconds since 1970; what is older is not answered.
    """
    content, kind = source["content"], source["type"]
    if source["sender"] == me or source["origin_server_ts"] < oldest * 1000 or not content:
        return None
    if kind == "m.room.encrypted":
        return Event(source["event_id"], room, "encrypted")
    if kind == "m.sticker" or kind.endswith("poll.start"):
        return Event(source["event_id"], room, "unreadable")
    if kind != "m.room.message" or content.get("msgtype") in _NOT_FOR_US:
        return None
    relation = content.get("m.relates_to") or {}
    if relation.get("rel_type") == "m.replace":
        return Event(source["event_id"], room, "edit", content["m.new_content"]["body"])
    words = content["body"]
    if "m.in_reply_to" in relation:
        words = _QUOTATION.sub("", words)  # what is quoted was said by somebody else
    if content["msgtype"] not in _ATTACHMENTS:
        return Event(source["event_id"], room, "text", words)
    captioned = words != content.get("filename", words)
    return Event(source["event_id"], room, "caption" if captioned else "unreadable", words if captioned else "")


def formatted(part: Part) -> str:
    """Gives a message as HTML, the first line of a warning in bold."""
    first, *others = html.escape(part.text).split("\n")
    if part.kind in URGENT:
        first = f"<strong>{first}</strong>"
    return "<br>".join([first, *others])
