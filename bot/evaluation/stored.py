"""Whether the database holds what was said: each answered message once, in order, with the reply that was seen."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.database import open_engine
from bot.evaluation.servers import program

NOT_STORED, TWICE, OUT_OF_ORDER, CHANGED = "not_stored", "stored_twice", "out_of_order", "reply_changed"
# A message's id and the text of its reply.
Exchange = tuple[str, str]


class Difference(NamedTuple):
    """What is wrong, the id of the message with which it is, and more about it."""

    fault: str
    turn: str
    more: str = ""


def compare(seen: Sequence[Exchange], stored: Sequence[Exchange]) -> list[Difference]:
    """Finds what differs between what a person saw and what is stored; what they never saw may be stored once."""
    counts = Counter(turn for turn, _ in stored)
    replies, answered = dict(stored), [turn for turn, _ in seen]
    order = [turn for turn in counts if turn in set(answered)]
    found = [Difference(TWICE, turn) for turn, count in counts.items() for _ in range(count - 1)]
    found += [Difference(NOT_STORED, turn) for turn in answered if turn not in counts]
    wrong = (
        turn for turn, other in zip(order, (turn for turn in answered if turn in counts), strict=True) if turn != other
    )
    found += [Difference(OUT_OF_ORDER, turn) for turn in itertools.islice(wrong, 1)]
    changed = [(turn, said, replies[turn]) for turn, said in seen if replies.get(turn, said) != said]
    return found + [Difference(CHANGED, turn, f", seen {said!r}, stored {kept!r}") for turn, said, kept in changed]


def exchanges(rows: Iterable[tuple[str, str]]) -> list[Exchange]:
    """Reads a conversation's events (type and JSON)."""
    found: list[tuple[str, list[str]]] = []
    for kind, data in rows:
        event: dict[str, Any] = json.loads(data)
        if kind == "user":
            found.append(((event.get("metadata") or {}).get("turn", ""), []))
        elif kind == "bot" and found and event.get("text"):
            found[-1][1].append(event["text"])
    return [(turn, "\n\n".join(texts)) for turn, texts in found]


def conversation(connection: Connection, sender: str) -> list[Exchange]:
    """Reads a conversation from the database."""
    rows = connection.execute(
        text("select type_name, data from events where sender_id = :s order by id"), {"s": sender}
    )
    return exchanges((kind, data) for kind, data in rows)


def differences(url: str, seen: Mapping[str, Sequence[Exchange]]) -> list[Difference]:
    """Compares conversations, by the sender, with what is stored."""
    engine, found = open_engine(url), []
    with engine.connect() as connection:
        for sender, said in seen.items():
            found += compare(said, conversation(connection, sender))
    engine.dispose()
    return found


def is_sound(url: str) -> bool:
    """Tells whether tables and indexes are whole, as the database's own check sees it."""
    if make_url(url).get_backend_name() == "sqlite":
        with suppress(SQLAlchemyError), open_engine(url).connect() as connection:
            return bool(connection.execute(text("pragma integrity_check")).scalar() == "ok")
        return False
    command = [program("pg_amcheck"), "--install-missing", "--heapallindexed", f"--maintenance-db={url}", url]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
