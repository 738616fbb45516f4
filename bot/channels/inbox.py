"""What a messaging channel must know after a restart: one SQLite file in the state folder.

Every event is written down before the service is told that it arrived, and crossed out when its whole reply is
sent. So a stop at any moment loses nothing, and an event that the service sends again is known.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.tracker_store import PRAGMAS

FILE = "channels.db"
# Services send an event again for a day at most.
REMEMBER_SECONDS = 2 * 24 * 3600
# A choice is open as long as the session that it belongs to (domain.yml).
CHOICE_SECONDS = 3600
_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, channel TEXT NOT NULL, id TEXT NOT NULL, received REAL NOT NULL,
    chat TEXT, kind TEXT, words TEXT, data TEXT, reply TEXT, sent INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0, UNIQUE (channel, id));
CREATE INDEX IF NOT EXISTS waiting ON events (channel, done, chat);
CREATE INDEX IF NOT EXISTS received ON events (received);
CREATE TABLE IF NOT EXISTS choices (
    channel TEXT, chat TEXT, token TEXT, payload TEXT NOT NULL, made REAL NOT NULL,
    PRIMARY KEY (channel, chat, token));
CREATE TABLE IF NOT EXISTS contacts (channel TEXT, chat TEXT, PRIMARY KEY (channel, chat));
CREATE TABLE IF NOT EXISTS marks (channel TEXT, name TEXT, value TEXT NOT NULL, PRIMARY KEY (channel, name));
"""


@dataclass(frozen=True)
class Event:
    """One thing that a person did.

    Attributes:
        id: The service's own id; an event that comes twice is taken once.
        chat: The chat that it belongs to, in the service's words.
        kind: What it is; `Service.answers` has an answer for each.
        words: What the person wrote, if anything.
        data: What the service needs besides.
    """

    id: str
    chat: str
    kind: str
    words: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One message of a reply, ready to be sent.

    Attributes:
        text: Plain text.
        choices: Tokens and titles of what can be picked, in order.
        kind: The reply's kind (shared contract).
    """

    text: str
    choices: Sequence[Sequence[str]] = ()
    kind: str = ""


class Inbox:
    """One channel's events, open choices, known contacts and marks."""

    def __init__(self, folder: Path, channel: str) -> None:
        """Opens the file, which only its owner can read."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        path.touch(mode=0o600)
        self._channel = channel
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in PRAGMAS:
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_TABLES)
        self._forgotten: set[str] = set()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def accept(self, event: Event) -> bool:
        """Writes an event down; tells whether it is new."""
        now = time.time()
        self._db.execute("DELETE FROM events WHERE received < ? AND done", (now - REMEMBER_SECONDS,))
        row = (self._channel, event.id, now, event.chat, event.kind, event.words, json.dumps(dict(event.data)))
        return self._change(
            "INSERT OR IGNORE INTO events (channel, id, received, chat, kind, words, data) VALUES (?,?,?,?,?,?,?)", row
        )

    def waiting(self, chat: str | None = None) -> list[Event]:
        """Gives the events whose replies are not planned or not sent yet, in order of arrival."""
        rows = self._db.execute(
            "SELECT id, chat, kind, words, data FROM events WHERE channel = ? AND NOT done AND ? IN (chat, '') "
            "ORDER BY number",
            (self._channel, chat or ""),
        )
        return [Event(id, where, kind, words, json.loads(data)) for id, where, kind, words, data in rows]

    def age(self, event: Event) -> float:
        """Gives the seconds since an event arrived."""
        row = self._db.execute("SELECT received FROM events WHERE channel = ? AND id = ?", (self._channel, event.id))
        return float(time.time() - row.fetchone()[0])

    def is_done(self, event: Event) -> bool:
        """Tells whether the whole reply was sent."""
        row = self._db.execute("SELECT done FROM events WHERE channel = ? AND id = ?", (self._channel, event.id))
        return bool((row.fetchone() or (1,))[0])

    def plan(self, event: Event, reply: Sequence[Part], choices: Mapping[str, str] | None, first: bool) -> None:
        """Keeps the reply to an event, to be sent part by part.

        Args:
            event: The event that is answered.
            reply: The reply's messages.
            choices: Payloads by token, which replace the chat's open choices; None leaves them open.
            first: Whether the reply carries the notice for new contacts.
        """
        with self._transaction():
            parts = json.dumps([[part.text, part.choices, part.kind] for part in reply])
            self._change("UPDATE events SET reply = ? WHERE channel = ? AND id = ?", (parts, self._channel, event.id))
            if choices is not None:
                self._close_choices(event.chat)
                now = time.time()
                rows = [(self._channel, event.chat, token, payload, now) for token, payload in choices.items()]
                self._db.executemany("INSERT INTO choices VALUES (?,?,?,?,?)", rows)
            if first:
                self._change("INSERT OR IGNORE INTO contacts VALUES (?,?)", (self._channel, event.chat))

    def unsent(self, event: Event) -> list[tuple[int, Part]] | None:
        """Gives the parts still to send with their numbers, or None when no reply is planned yet."""
        row = self._db.execute("SELECT reply, sent FROM events WHERE channel = ? AND id = ?", (self._channel, event.id))
        reply, sent = row.fetchone() or (None, 0)
        return None if reply is None else [(n, Part(*part)) for n, part in enumerate(json.loads(reply)) if n >= sent]

    def sent(self, event: Event, number: int) -> None:
        """Notes that a part was sent."""
        row = (number + 1, self._channel, event.id)
        self._change("UPDATE events SET sent = ? WHERE channel = ? AND id = ?", row)

    def done(self, event: Event) -> None:
        """Crosses an event out; only its id is remembered."""
        self._change(
            "UPDATE events SET done = 1, chat = NULL, kind = NULL, words = NULL, data = NULL, reply = NULL "
            "WHERE channel = ? AND id = ?",
            (self._channel, event.id),
        )
        if event.chat in self._forgotten:
            self._forgotten.discard(event.chat)
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log still has the words

    def choose(self, chat: str, token: str) -> str | None:
        """Gives what an open choice says; the reply to it closes the chat's choices (see `plan`)."""
        row = self._db.execute(
            "SELECT payload FROM choices WHERE channel = ? AND chat = ? AND token = ? AND made > ?",
            (self._channel, chat, token, time.time() - CHOICE_SECONDS),
        ).fetchone()
        return str(row[0]) if row else None

    def knows(self, chat: str) -> bool:
        """Tells whether a chat has had the notice for new contacts."""
        where = (self._channel, chat)
        return self._db.execute("SELECT 1 FROM contacts WHERE channel = ? AND chat = ?", where).fetchone() is not None

    def forget(self, chat: str) -> None:
        """Deletes what is kept about a chat; the event that asked for it goes last, once it is answered."""
        self._forgotten.add(chat)
        with self._transaction():
            self._close_choices(chat)
            self._change("DELETE FROM contacts WHERE channel = ? AND chat = ?", (self._channel, chat))

    def mark(self, name: str) -> str | None:
        """Gives a value that the channel keeps, such as where it stopped reading."""
        row = self._db.execute("SELECT value FROM marks WHERE channel = ? AND name = ?", (self._channel, name))
        found = row.fetchone()
        return str(found[0]) if found else None

    def set_mark(self, name: str, value: str | None) -> None:
        """Keeps a value; None drops it."""
        if value is None:
            self._change("DELETE FROM marks WHERE channel = ? AND name = ?", (self._channel, name))
        else:
            self._change("INSERT OR REPLACE INTO marks VALUES (?,?,?)", (self._channel, name, value))

    def _close_choices(self, chat: str) -> None:
        self._change("DELETE FROM choices WHERE channel = ? AND chat = ?", (self._channel, chat))

    def _change(self, statement: str, values: Sequence[Any]) -> bool:
        return self._db.execute(statement, values).rowcount > 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
