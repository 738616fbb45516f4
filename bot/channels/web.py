"""The web channel: socket.io for the widget and for other clients of Rasa's protocol, and the widget's files.

A visitor is bound to a session id that the server issued and signed. Typed text can never be an intent, and buttons
carry plain text, so a payload gives no more than typing does: everything passes the safety screen. Every message that
is taken gets exactly one reply, also when the connection drops or the server restarts in between: the client sends it
again under the same id, and the reply comes from memory, else from the stored conversation, else from a new turn.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Dict, Optional, cast
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from rasa.core.channels.channel import InputChannel
from rasa.core.channels.socketio import SocketBlueprint
from rasa.shared.core.events import SlotSet
from sanic import Blueprint
from socketio import AsyncServer

from bot.channels.limits import Sockets, client_address
from bot.channels.sessions import BURST, IDLE_SECONDS, RATE, Session, SessionIds, Sessions, read_key
from bot.channels.turns import OnNewMessage, erase, owes, take_turn
from bot.channels.web_messages import MAX_FRAME, Message, Refused, has_turn, read_message, reply, stored_reply
from bot.channels.web_pages import add_pages
from bot.channels.web_rooms import rooms
from bot.channels.web_texts import about, known_country, number, numbered, sentence, welcome
from bot.core.turn import ERASE
from bot.errors import ConfigError
from bot.feedback import Feedback, Vote
from bot.metrics import count_refusal
from bot.settings import Settings, read_settings
from bot.shared import Shared

_log = logging.getLogger(__name__)

Ack = Dict[str, Any]
MAX_PENDING = 3
RETRY_MS = 2000
# How long a message waits for those before it in its conversation.
PATIENCE_SECONDS = 60.0
# How long a reply that another process made is waited for until that process could store it; how often to look.
OWED_SECONDS, LOOK_SECONDS = 5.0, 0.2
SOCKETS_PER_ADDRESS, REQUESTS_PER_SECOND, REQUESTS_AT_ONCE = 100, 20, 200
# Rasa's own switches that would open the conversations to any web page.
FORBIDDEN_OPTIONS = ("--cors", "--enable-api")


class Web(InputChannel):
    """The channel of `credentials.yml`; its socket is at /socket.io, its pages are under /chat/."""

    @classmethod
    def name(cls) -> str:
        """Names the channel."""
        return "web"

    @classmethod
    def from_credentials(cls, credentials: Optional[Dict[str, Any]]) -> InputChannel:
        """Makes the channel.

        Raises:
            ConfigError: Rasa was started with an option that takes the protection away.
        """
        used = [option for option in FORBIDDEN_OPTIONS if any(word.startswith(option) for word in sys.argv)]
        if used:
            raise ConfigError(
                f"Rasa was started with {used[0]}, which lets any web page in. Leave it out; name the sites that may "
                "embed the widget in WEB_ORIGINS."
            )
        return cls(read_settings())

    def __init__(self, settings: Settings) -> None:
        """Keeps the settings; nothing is opened yet."""
        self._settings = settings

    def url_prefix(self) -> str:
        """Mounts the pages at the root."""
        return "/chat"

    def blueprint(self, on_new_message: OnNewMessage) -> Blueprint:
        """Gives socket and pages (see parent)."""
        sio = AsyncServer(
            async_mode="sanic",
            cors_allowed_origins=lambda origin, environ: self._may_connect(origin, environ),
            max_http_buffer_size=MAX_FRAME,
            client_manager=rooms(self._settings.redis_url),
        )
        blueprint = SocketBlueprint(sio, "/socket.io", "web", __name__)
        add_pages(blueprint)
        _Conversations(sio, self._settings, on_new_message).listen()
        return blueprint

    def _may_connect(self, origin: str | None, environ: Dict[str, Any]) -> bool:
        """Tells whether a page may connect: the bot's own, or one of a listed site."""
        own = {environ.get("HTTP_HOST"), str(environ.get("HTTP_X_FORWARDED_HOST") or "").split(",")[0].strip()}
        return origin in self._settings.web_origins or (bool(origin) and urlsplit(str(origin)).netloc in own - {""})


class _Conversations:
    """Answers the events of all sockets."""

    def __init__(self, sio: AsyncServer, settings: Settings, on_new_message: OnNewMessage) -> None:
        self._sio = sio
        self._settings = settings
        self._on_new_message = on_new_message
        self._ids = SessionIds(read_key(settings))
        self._sessions = Sessions()
        self._feedback = Feedback(settings.feedback_url)
        self._shared = Shared(settings.redis_url)
        self._sockets = Sockets(SOCKETS_PER_ADDRESS)
        # Sequence numbers begin anew with each process; the epoch tells clients so.
        self._epoch = uuid.uuid4().hex[:8]
        self._agent: Callable[[], Any] = lambda: None
        self._turns: set[asyncio.Task[None]] = set()
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def listen(self) -> None:
        """Registers the events."""
        self._sio.on("connect", self.connect)
        self._sio.on("disconnect", self.disconnect)
        events = (self.session_request, self.user_uttered, self.feedback, self.erase, self.about)
        for event in events:
            self._sio.on(event.__name__, self._guarded(event))

    def _guarded(self, event: Callable[[str, Any], Any]) -> Callable[..., Any]:
        """Wraps an event so that it always acknowledges, and never silently; a socket's events are taken in order."""

        async def guarded(sid: str, data: Any = None, *_: Any) -> Ack:
            try:
                async with self._doors.setdefault(sid, asyncio.Lock()):  # Redis might answer the second one first
                    visitor = await self._sio.get_session(sid)
                    if not await self._may_ask(visitor.get("address")):
                        count_refusal("web_address")
                        raise Refused("web_slow_down")
                    return {"ok": True, **(await event(sid, data) or {})}
            except asyncio.CancelledError:
                raise
            except Exception as error:
                refusal = error if isinstance(error, Refused) else Refused("failure")
                if refusal is not error:
                    _log.error("the event %s failed: %s", event.__name__, type(error).__name__)
                return await self._refuse(sid, refusal, shown=event == self.user_uttered and not has_turn(data))

        return guarded

    async def _may_ask(self, address: str | None) -> bool:
        return address is None or await self._shared.take(f"ip:{address}", REQUESTS_PER_SECOND, REQUESTS_AT_ONCE)

    async def _refuse(self, sid: str, refusal: Refused, shown: bool) -> Ack:
        """Says no politely; as a message too (`shown`) to clients that read no acknowledgements."""
        text = sentence(refusal.phrase, self._settings.country)
        if shown:
            await self._sio.emit("bot_uttered", {"text": text}, to=sid, ignore_queue=True)
        return {"ok": False, "error": refusal.phrase, "text": text, "retry_ms": RETRY_MS}

    async def connect(self, sid: str, environ: Dict[str, Any], auth: Any = None) -> bool:
        """Lets a socket in, unless its address has too many."""
        request = environ["sanic.request"]
        self._agent = lambda: request.app.ctx.agent
        address = client_address(request.ip, request.headers, self._settings.web_proxies)
        if not self._sockets.connect(address):
            count_refusal("web_sockets")
            return False
        await self._sio.save_session(sid, {"address": address})
        return True

    async def disconnect(self, sid: str, *_: Any) -> None:
        """Counts a socket out."""
        self._sockets.disconnect((await self._sio.get_session(sid)).get("address"))

    async def session_request(self, sid: str, data: Any) -> Ack:
        """Binds the socket to a session: the one whose id it shows, else a new one. Then repeats what it missed."""
        fields = data if isinstance(data, dict) else {}
        session_id = fields.get("session_id")
        if not self._ids.sender(session_id):
            session_id = self._ids.new()
        session = await self._bind(sid, cast(str, self._ids.sender(session_id)))
        session.country = session.country or known_country(fields.get("country"))
        await self._sio.emit("session_confirm", session_id, to=sid, ignore_queue=True)
        await self._replay(sid, session, fields)
        return {"session_id": session_id, "epoch": self._epoch, "welcome": welcome(self._country(session))}

    async def _bind(self, sid: str, sender: str) -> Session:
        async with self._sio.session(sid) as visitor:
            if visitor.get("sender") not in (None, sender):
                await self._sio.leave_room(sid, visitor["sender"])
            visitor["sender"] = sender
        await self._sio.enter_room(sid, sender)
        return await self._current(sender)

    async def _current(self, sender: str) -> Session:
        """Gives a sender's session; what was remembered before a deletion, here or in another process, is dropped."""
        erased = await self._shared.noted(_erasure(sender))
        session = self._sessions.get(sender)
        if session.erased != erased:
            self._sessions.drop(sender)
            session = self._sessions.get(sender)
            session.erased = erased
        return session

    async def _replay(self, sid: str, session: Session, fields: Dict[str, Any]) -> None:
        last = fields.get("last_seq")
        if fields.get("epoch") != self._epoch or not isinstance(last, int):
            return  # another process numbered those; the client asks for each message that it misses a reply to
        for made in list(session.replies):
            if made["metadata"]["seq"] > last:
                await self._sio.emit("bot_uttered", made, to=sid, ignore_queue=True)

    async def _session(self, sid: str, data: Any) -> Session:
        """Gives the socket's session; a message may come before `session_request` and then shows the id itself."""
        sender = (await self._sio.get_session(sid)).get("sender")
        if sender:
            return await self._current(sender)
        shown = self._ids.sender(data.get("session_id") if isinstance(data, dict) else None)
        if not shown:
            raise Refused("web_no_session")
        return await self._bind(sid, shown)

    async def user_uttered(self, sid: str, data: Any) -> None:
        """Takes a message; its reply follows as `bot_uttered`."""
        session = await self._session(sid, data)
        session.address = (await self._sio.get_session(sid)).get("address")
        message = read_message(data)
        if message.turn in session.pending:
            return
        known = session.reply_to(message.turn)
        if known:
            await self._sio.emit("bot_uttered", known, to=sid, ignore_queue=True)
            return
        if len(session.pending) >= MAX_PENDING:
            count_refusal("web_visitor")
            raise Refused("web_slow_down")
        session.pending.add(message.turn)
        if not await self._shared.take(session.sender, RATE, BURST):
            session.pending.discard(message.turn)
            count_refusal("web_visitor")
            raise Refused("web_slow_down")
        task = asyncio.ensure_future(self._answer(session, message))
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)

    async def _answer(self, session: Session, message: Message) -> None:
        try:
            async with self._turn(session):
                erased = await self._shared.noted(_erasure(session.sender))
                if erased and erased != session.erased:
                    return  # the conversation that it belonged to was deleted
                await self._sio.emit("bot_typing", {"on": True}, to=session.sender)
                may_be_made = await self._sent_twice(session, message)
                made = await self._made_before(session, message.turn) if may_be_made else None
                await self._deliver(session, made or await self._new_reply(session, message))
        except Exception as error:  # whatever breaks, the visitor hears of it
            _log.error("a reply was not delivered: %s", type(error).__name__)
            await self._sio.emit(
                "bot_uttered", reply([], session.sender, message.turn, message.text), to=session.sender
            )
        finally:
            session.pending.discard(message.turn)
            await self._sio.emit("bot_typing", {"on": bool(session.pending)}, to=session.sender)

    def _turn(self, session: Session) -> AbstractAsyncContextManager[None]:
        """Is held for one turn, so that replies keep the order of the messages and none is answered twice."""
        return self._shared.lock(f"turn:{session.sender}", PATIENCE_SECONDS)

    async def _new_reply(self, session: Session, message: Message) -> Dict[str, Any]:
        if session.country and not session.told_country:
            await self._tell_country(session)
        metadata = {"turn": message.turn}
        messages = await take_turn(
            self._on_new_message, message.text, session.sender, Web.name(), metadata, session.address
        )
        if owes(self._agent(), session.sender):
            await self._shared.note(_owed(session.sender, message.turn), True, PATIENCE_SECONDS)
        return reply(messages, session.sender, message.turn, message.text)

    async def _tell_country(self, session: Session) -> None:
        """Sets the slot `country` of a conversation to the site's, unless the person has named one."""
        agent, sender = self._agent(), session.sender
        async with agent.lock_store.lock(sender):
            tracker = await agent.processor.fetch_tracker_and_update_session(sender)
            if not tracker.get_slot("country"):
                tracker.update(SlotSet("country", session.country))
                await agent.processor.save_tracker(tracker)
        session.told_country = True

    async def _sent_twice(self, session: Session, message: Message) -> bool:
        """Tells whether another process may have answered a message: it was sent again, or overtaken by being so."""
        if message.again:
            await self._shared.note(_again(session.sender, message.turn), True, PATIENCE_SECONDS)
        return message.again or bool(await self._shared.noted(_again(session.sender, message.turn)))

    async def _made_before(self, session: Session, turn: str) -> Dict[str, Any] | None:
        """Gives the reply that was made to a message; another process may have yet to store it."""
        until = time.monotonic() + OWED_SECONDS
        while not (made := await self._stored(session, turn)) and time.monotonic() < until:
            if not await self._shared.noted(_owed(session.sender, turn)):
                return None
            await asyncio.sleep(LOOK_SECONDS)
        return made

    async def _stored(self, session: Session, turn: str) -> Dict[str, Any] | None:
        tracker = await self._agent().tracker_store.retrieve_full_tracker(session.sender)
        return stored_reply(tracker, turn)

    async def _deliver(self, session: Session, made: Dict[str, Any]) -> None:
        custom = made["metadata"]["custom"]
        named = numbered(custom)
        if named:  # the conversation itself has it
            session.country, session.told_country = named, True
        session.seq += 1
        made["metadata"].update(seq=session.seq, epoch=self._epoch, number=number(self._country(session)))
        session.keep(made)
        await self._sio.emit("bot_uttered", made, to=session.sender)
        if custom.get(ERASE):
            await self._forget(session)

    async def feedback(self, sid: str, data: Any) -> None:
        """Counts a thumb for the intents and facts of a reply; the client names the turn, the server knows the rest."""
        session = await self._session(sid, data)
        fields = data if isinstance(data, dict) else {}
        turn, vote = str(fields.get("turn")), Vote(str(fields.get("value")), str(fields.get("reason") or ""))
        made = (session.reply_to(turn) or await self._stored(session, turn)) if vote.valid else None
        if not made:
            raise Refused("web_not_text")
        custom = made["metadata"]["custom"]
        subjects = custom.get("intents") or [], custom.get("facts") or []
        async with self._shared.lock(f"votes:{session.sender}", PATIENCE_SECONDS):
            votes = await self._votes(session)
            before = Vote(*votes[turn][0]) if turn in votes else None
            votes[turn] = [[vote.value, vote.reason], *subjects]
            await self._shared.note(f"votes:{session.sender}", votes, IDLE_SECONDS)
            await asyncio.to_thread(self._feedback.count, *subjects, vote, before)

    async def _votes(self, session: Session) -> Dict[str, Any]:
        """Gives the visitor's thumbs by turn: value and reason, intents, facts."""
        return await self._shared.noted(f"votes:{session.sender}") or {}

    async def erase(self, sid: str, data: Any) -> None:
        """Deletes the conversation, after the turn that is under way."""
        session = await self._session(sid, data)
        await self._forget(session)
        async with self._turn(session):
            await erase(self._agent(), session.sender)
        await self._sio.emit("erased", to=session.sender)

    async def _forget(self, session: Session) -> None:
        """Drops what is remembered, so that messages that wait are not answered, and takes the thumbs back."""
        await self._shared.note(_erasure(session.sender), uuid.uuid4().hex, IDLE_SECONDS)
        self._sessions.drop(session.sender)
        votes = await self._votes(session)
        await self._shared.forget(f"votes:{session.sender}")
        for vote, intents, facts in votes.values():
            await asyncio.to_thread(self._feedback.take_back, intents, facts, Vote(*vote))

    async def about(self, sid: str, data: Any) -> Ack:
        """Gives the intended purpose, word for word."""
        return {"text": about()}

    def _country(self, session: Session) -> str | None:
        return session.country or self._settings.country


def _erasure(sender: str) -> str:
    return f"erased:{sender}"


def _again(sender: str, turn: str) -> str:
    return f"again:{sender}:{turn}"


def _owed(sender: str, turn: str) -> str:
    return f"owed:{sender}:{turn}"
