"""Rasa's SQL tracker store, with SQLite set up for a server."""

from __future__ import annotations

import sqlite3
from typing import Any

from rasa.core.tracker_store import SQLTrackerStore
from sqlalchemy import event
from sqlalchemy.engine import Engine

# The write-ahead log lets readers and the writer work at once. `normal` leaves out a wait for the disk at each
# turn: after a power cut the last turn may be missing, but nothing is ever half-written.
PRAGMAS = ("journal_mode=wal", "synchronous=normal", "busy_timeout=5000")


@event.listens_for(Engine, "connect")
def set_up_sqlite(connection: Any, _: Any) -> None:
    """Sets the pragmas on each new SQLite connection."""
    if isinstance(connection, sqlite3.Connection):
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


class ConversationStore(SQLTrackerStore):
    """The store of conversations (endpoints.yml)."""
