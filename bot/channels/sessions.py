"""Web sessions: unguessable signed ids, and the little that the server remembers of a visitor."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, text

from bot.database import make_tables, open_engine
from bot.settings import Settings

PREFIX = "web-"
MAX_SESSIONS = 5000
IDLE_SECONDS = 3600
# Replies that are kept for a visitor whose connection dropped; older ones are read from the tracker store.
KEPT_REPLIES = 8
# A person's typing: six messages at once, then one every two seconds.
BURST, RATE = 6, 0.5
_ID, _MARK = 32, 32
_TABLES = MetaData()
Table("secrets", _TABLES, Column("name", String(20), primary_key=True), Column("value", String(100), nullable=False))


class SessionIds:
    """Issues session ids that nobody can guess, make up or move to another channel's conversation.

    An id is a random number and its keyed digest, so a server that restarted, or another one with the same key,
    knows its own ids again without having stored them.
    """

    def __init__(self, key: str) -> None:
        """Keeps the key."""
        self._key = key.encode()

    def new(self) -> str:
        """Gives a new id."""
        number = secrets.token_hex(_ID // 2)
        return f"{number}.{self._mark(number)}"

    def sender(self, session_id: Any) -> str | None:
        """Gives the sender behind an id of ours, else None."""
        if not isinstance(session_id, str) or len(session_id) != _ID + 1 + _MARK or not session_id.isascii():
            return None
        number, _, mark = session_id.partition(".")
        return PREFIX + number if hmac.compare_digest(mark, self._mark(number)) else None

    def _mark(self, number: str) -> str:
        return hmac.new(self._key, b"web-session:" + number.encode(), hashlib.sha256).hexdigest()[:_MARK]


def read_key(settings: Settings) -> str:
    """Gives the signing key: the configured one, else a random one that is kept with the conversations."""
    if settings.web_secret:
        return settings.web_secret
    if settings.database_url:
        return _key_in_database(settings.database_url)
    return _key_in_file(settings.state)


def _key_in_database(url: str) -> str:
    engine = open_engine(url)
    make_tables(engine, _TABLES)
    with engine.begin() as connection:
        keep = text("insert into secrets (name, value) values ('web', :value) on conflict do nothing")
        connection.execute(keep, {"value": secrets.token_hex(32)})
        key = connection.execute(text("select value from secrets where name = 'web'")).scalar_one()
    engine.dispose()
    return str(key)


def _key_in_file(state: Path) -> str:
    state.mkdir(parents=True, exist_ok=True)
    path = state / "web.key"
    draft = state / f"web.key.{secrets.token_hex(4)}"
    if not path.exists():
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(secrets.token_hex(32), encoding="utf-8")
        try:
            os.link(draft, path)  # of two processes that start at once, the first one's key stays
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8")


@dataclass
class Session:
    """What the server remembers of one visitor; all of it can be lost, the store has the conversation.

    Attributes:
        sender: The conversation's id in the tracker store.
        country: Id of the country that the site or the person named.
        told_country: Whether the conversation knows that country.
        seq: Number of the last reply.
        replies: The last replies, for a visitor who comes back.
        pending: Ids of messages that wait for their reply.
        erased: Mark of the last deletion of the conversation before this session, if there was one lately.
        address: Where the last message came from, if it is known.
    """

    sender: str
    country: str | None = None
    told_country: bool = False
    seq: int = 0
    replies: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_REPLIES))
    pending: set[str] = field(default_factory=set)
    erased: str | None = None
    address: str | None = None

    def keep(self, reply: dict[str, Any]) -> None:
        """Remembers a reply."""
        self.replies.append(reply)

    def reply_to(self, turn: str) -> dict[str, Any] | None:
        """Gives the reply to a message, if it is still remembered."""
        return next((reply for reply in self.replies if reply["metadata"]["turn"] == turn), None)


class Sessions:
    """The sessions in this process's memory: the last used ones, and none for long."""

    def __init__(self) -> None:
        """Remembers nobody."""
        self._sessions: OrderedDict[str, tuple[float, Session]] = OrderedDict()

    def get(self, sender: str) -> Session:
        """Gives the session of a sender, new if it is not remembered."""
        now = time.monotonic()
        _, session = self._sessions.pop(sender, (now, None))
        session = session or Session(sender)
        self._sessions[sender] = (now, session)
        self._forget_old(now)
        return session

    def drop(self, sender: str) -> None:
        """Forgets a session."""
        self._sessions.pop(sender, None)

    def _forget_old(self, now: float) -> None:
        while self._sessions:
            sender, (used, session) = next(iter(self._sessions.items()))
            full = len(self._sessions) > MAX_SESSIONS
            if session.pending or not (full or now - used > IDLE_SECONDS):
                return
            del self._sessions[sender]
