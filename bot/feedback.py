"""Counts of what is asked, what is not answered and what thumbs say: nobody's words, no ids of people.

Everything is counted by intent, by fact, and by phrases of our own.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.core.turn import UNSERVED

FILE = "feedback.db"
UP, DOWN = "up", "down"
VALUES = frozenset({UP, DOWN})
# Why an answer did not help; the widget has a label for each.
REASONS = frozenset({"", "wrong", "unclear", "not_my_question", "too_long", "worrying"})
# Kinds of what a turn is counted by; what was not answered has the kinds of bot.core.turn besides.
REPLY, INTENT, FACT = "reply", "intent", "fact"
_TABLES = """
create table if not exists feedback (
    kind text not null, id text not null, value text not null, reason text not null, count integer not null,
    primary key (kind, id, value, reason)
) without rowid;
create table if not exists asked (
    kind text not null, id text not null, count integer not null, primary key (kind, id)
) without rowid;
"""
_ADD = """
insert into feedback values (?, ?, ?, ?, max(?, 0))
on conflict do update set count = max(count + ?, 0)
"""
_ADD_ASKED = "insert into asked values (?, ?, 1) on conflict do update set count = count + 1"


@dataclass(frozen=True)
class Vote:
    """One thumb and its reason ("" for none)."""

    value: str
    reason: str = ""

    @property
    def valid(self) -> bool:
        """Whether it is one that we count."""
        return self.value in VALUES and self.reason in REASONS and (self.value == DOWN or not self.reason)


@dataclass(frozen=True)
class Count:
    """How often an intent or a fact got a vote."""

    kind: str
    id: str
    value: str
    reason: str
    count: int


@dataclass(frozen=True)
class Asked:
    """How often a kind of reply, an intent or a fact was given, or something was asked and not answered."""

    kind: str
    id: str
    count: int


def subjects(custom: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Gives what a turn is counted by, from its reply's `custom` object."""
    unserved = custom.get(UNSERVED)
    return [
        (REPLY, str(custom.get("kind"))),
        *((INTENT, str(intent)) for intent in custom.get("intents") or ()),
        *((FACT, str(fact)) for fact in custom.get("facts") or ()),
        *([(str(unserved["why"]), str(unserved["label"]))] if unserved else []),
    ]


class Feedback:
    """The counts, in one SQLite file; safe under several threads and processes.

    One connection is kept: closing the last one makes SQLite write its whole log back, at each turn.
    """

    def __init__(self, path: Path) -> None:
        """Makes the file if there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute("pragma synchronous=normal")
        self._connection.executescript(_TABLES)

    def count(self, intents: Iterable[str], facts: Iterable[str], vote: Vote, instead_of: Vote | None = None) -> None:
        """Counts a vote on a reply for each of its intents and facts, and takes back the one that it replaces."""
        voted = [(INTENT, intent) for intent in intents] + [(FACT, fact) for fact in facts]
        steps = [(vote, 1)] + ([(instead_of, -1)] if instead_of else [])
        rows = [(kind, id_, v.value, v.reason, step, step) for kind, id_ in voted for v, step in steps]
        with self._lock, self._connection:
            self._connection.executemany(_ADD, rows)

    def heard(self, custom: Mapping[str, Any]) -> None:
        """Counts a turn by its reply's `custom` object."""
        with self._lock, self._connection:
            self._connection.executemany(_ADD_ASKED, subjects(custom))

    def counts(self) -> list[Count]:
        """Gives all counts of votes that are not zero."""
        with self._lock:
            rows = self._connection.execute("select * from feedback where count > 0 order by kind, id, value, reason")
            return [Count(*row) for row in rows]

    def asked(self) -> list[Asked]:
        """Gives all counts of turns, the most frequent first."""
        with self._lock:
            return [
                Asked(*row) for row in self._connection.execute("select * from asked order by count desc, kind, id")
            ]
