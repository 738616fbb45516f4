"""Thumbs: counts for each intent and each fact, and nothing else; nobody's words, no ids of people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Column, Integer, MetaData, String, Table, text

from bot.database import make_tables, open_engine

UP, DOWN = "up", "down"
VALUES = frozenset({UP, DOWN})
# Why an answer did not help; the widget has a label for each.
REASONS = frozenset({"", "wrong", "unclear", "not_my_question", "too_long", "worrying"})
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

    def counts(self) -> list[Count]:
        """Gives all counts that are not zero."""
        query = text("select kind, id, value, reason, count from feedback where count > 0 order by 1, 2, 3, 4")
        with self._engine.connect() as connection:
            return [Count(*row) for row in connection.execute(query)]

    def _add(self, intents: Iterable[str], facts: Iterable[str], steps: list[tuple[Vote, int]]) -> None:
        subjects = [("intent", intent) for intent in intents] + [("fact", fact) for fact in facts]
        # In one order for everybody: two transactions that take rows in different orders wait for each other.
        rows = [
            {"kind": kind, "id": id_, "value": vote.value, "reason": vote.reason, "step": step}
            for kind, id_ in sorted(subjects)
            for vote, step in steps
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(_ADD, rows)
