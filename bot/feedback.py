"""Counts of what is asked, what is not answered and what thumbs say: nobody's words, no ids of people.

Everything is counted by intent, by fact, and by phrases of our own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, text
from sqlalchemy.sql.elements import TextClause

from bot.core.turn import UNSERVED
from bot.database import make_tables, open_engine

UP, DOWN = "up", "down"
VALUES = frozenset({UP, DOWN})
# Why an answer did not help; the widget has a label for each.
REASONS = frozenset({"", "wrong", "unclear", "not_my_question", "too_long", "worrying"})
# Kinds of what a turn is counted by; what was not answered has the kinds of bot.core.turn besides.
REPLY, INTENT, FACT = "reply", "intent", "fact"
_TABLES = MetaData()
Table(
    "feedback",
    _TABLES,
    *(Column(name, String(100), primary_key=True) for name in ("kind", "id", "value", "reason")),
    Column("count", Integer, nullable=False),
)
_ADD = text(
    "insert into feedback (kind, id, value, reason, count) "
    "values (:kind, :id, :value, :reason, case when :step > 0 then :step else 0 end) "
    "on conflict (kind, id, value, reason) do update set count = "
    "case when feedback.count + :step > 0 then feedback.count + :step else 0 end"
)
# The longest known question of ours is a label here.
Table(
    "asked",
    _TABLES,
    Column("kind", String(100), primary_key=True),
    Column("id", String(500), primary_key=True),
    Column("count", Integer, nullable=False),
)
_ADD_ASKED = text(
    "insert into asked (kind, id, count) values (:kind, :id, :step) "
    "on conflict (kind, id) do update set count = asked.count + :step"
)


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
    """The counts, in an SQLite file or PostgreSQL; safe under several threads and processes."""

    def __init__(self, url: str) -> None:
        """Opens the database and makes the table if there is none."""
        self._engine = open_engine(url)
        make_tables(self._engine, _TABLES)

    def count(self, intents: Iterable[str], facts: Iterable[str], vote: Vote, instead_of: Vote | None = None) -> None:
        """Counts a vote on a reply for each of its intents and facts, and takes back the one that it replaces."""
        self._add(intents, facts, [(vote, 1)] + ([(instead_of, -1)] if instead_of else []))

    def take_back(self, intents: Iterable[str], facts: Iterable[str], vote: Vote) -> None:
        """Takes a vote back, because the person has deleted everything."""
        self._add(intents, facts, [(vote, -1)])

    def heard(self, *customs: Mapping[str, Any]) -> None:
        """Counts turns by their replies' `custom` objects."""
        found = Counter(subject for custom in customs for subject in subjects(custom))
        self._run(_ADD_ASKED, [{"kind": kind, "id": id_, "step": step} for (kind, id_), step in sorted(found.items())])

    def asked(self) -> list[Asked]:
        """Gives all counts of turns, the most frequent first."""
        query = text("select kind, id, count from asked order by count desc, kind, id")
        with self._engine.connect() as connection:
            return [Asked(*row) for row in connection.execute(query)]

    def counts(self) -> list[Count]:
        """Gives all counts that are not zero."""
        query = text("select kind, id, value, reason, count from feedback where count > 0 order by 1, 2, 3, 4")
        with self._engine.connect() as connection:
            return [Count(*row) for row in connection.execute(query)]

    def _add(self, intents: Iterable[str], facts: Iterable[str], steps: list[tuple[Vote, int]]) -> None:
        voted = [(INTENT, intent) for intent in intents] + [(FACT, fact) for fact in facts]
        # In one order for everybody: two transactions that take rows in different orders wait for each other.
        rows = [
            {"kind": kind, "id": id_, "value": vote.value, "reason": vote.reason, "step": step}
            for kind, id_ in sorted(voted)
            for vote, step in steps
        ]
        self._run(_ADD, rows)

    def _run(self, statement: TextClause, rows: list[dict[str, Any]]) -> None:
        if rows:
            with self._engine.begin() as connection:
                connection.execute(statement, rows)
