"""Whether the database holds what was said: each answered message once, in order, with the reply that was seen."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.database import open_engine
from bot.evaluation.servers import program

NOT_STORED, TWICE, OUT_OF_ORDER, CHANGED = "not_stored", "stored_twice", "out_of_order", "reply_changed"
# A message's id and the text of its reply.
Exchange = tuple[str, str]


def compare(seen: Sequence[Exchange], stored: Sequence[Exchange]) -> Counter[str]:
    """Counts the differences between what a person saw and what is stored; what they never saw may be stored once."""
    counts = Counter(turn for turn, _ in stored)
    replies, answered = dict(stored), [turn for turn, _ in seen]
    order = [turn for turn in counts if turn in set(answered)]
    found = Counter({TWICE: sum(count - 1 for count in counts.values())})
    found[NOT_STORED] = sum(turn not in counts for turn in answered)
    found[OUT_OF_ORDER] = int(order != [turn for turn in answered if turn in counts])
    found[CHANGED] = sum(turn in replies and replies[turn] != said for turn, said in seen)
    return +found


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


def differences(url: str, seen: dict[str, list[Exchange]]) -> Counter[str]:
    """Compares conversations, by the sender, with what is stored."""
    engine, found = open_engine(url), Counter[str]()
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
