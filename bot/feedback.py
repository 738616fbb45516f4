"""Thumbs: counts for each intent and each fact, and nothing else; nobody's words, no ids of people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

UP, DOWN = "up", "down"
VALUES = frozenset({UP, DOWN})
# Why an answer did not help; the widget has a label for each.
REASONS = frozenset({"", "wrong", "unclear", "not_my_question", "too_long", "worrying"})
_TABLE = """
create table if not exists feedback (
    kind text not null, id text not null, value text not null, reason text not null, count integer not null,
    primary key (kind, id, value, reason)
) without rowid
"""
_ADD = """
insert into feedback values (?, ?, ?, ?, max(?, 0))
on conflict do update set count = max(count + ?, 0)
"""


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


class Feedback:
    """The counts, in one SQLite file; safe under several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Makes the file if there is none."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.execute("pragma journal_mode=wal")
            connection.execute(_TABLE)

    def count(self, intents: Iterable[str], facts: Iterable[str], vote: Vote, instead_of: Vote | None = None) -> None:
        """Counts a vote on a reply for each of its intents and facts, and takes back the one that it replaces."""
        subjects = [("intent", intent) for intent in intents] + [("fact", fact) for fact in facts]
        steps = [(vote, 1)] + ([(instead_of, -1)] if instead_of else [])
        rows = [(kind, id_, v.value, v.reason, step, step) for kind, id_ in subjects for v, step in steps]
        with self._connection() as connection:
            connection.executemany(_ADD, rows)

    def counts(self) -> list[Count]:
        """Gives all counts that are not zero."""
        with self._connection() as connection:
            rows = connection.execute("select * from feedback where count > 0 order by kind, id, value, reason")
            return [Count(*row) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Opens the file for one transaction; votes are rare, so no connection is kept."""
        connection = sqlite3.connect(self._path, timeout=10)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
