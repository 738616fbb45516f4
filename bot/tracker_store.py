"""Rasa's SQL tracker store, set up for a server: few statements a turn, and connections that stay open."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.events import BotUttered, Event
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy import create_engine, delete, event, insert
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import QueuePool

from bot.core.turn import ERASE

# The write-ahead log lets readers and the writer work at once. `normal` leaves out a wait for the disk at each
# turn: after a power cut the last turn may be missing, but nothing is ever half-written. What is deleted is written
# over.
PRAGMAS = ("journal_mode=wal", "synchronous=normal", "busy_timeout=5000", "secure_delete=on")
# Attribute of a tracker: how many of its events are stored. The conversation's lock keeps others from adding any.
_STORED = "stored_events"


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

    engine: Engine

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Opens the store (see parent); SQLite's connections are kept.

        SQLAlchemy opens a file anew for each transaction, and closing the last connection makes SQLite write its
        whole log back: that took longer than all statements of a turn.
        """
        super().__init__(*args, **kwargs)
        if self.engine.dialect.name == "sqlite":
            url = self.engine.url
            self.engine.dispose()
            self.engine = create_engine(url, poolclass=QueuePool, connect_args={"check_same_thread": False})
            self.sessionmaker = sessionmaker(bind=self.engine)
        # Rasa logs the errors of the store, and they would quote the statement's values: people's words.
        self.engine.hide_parameters = True

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Stores the events of the turn in one statement (the parent sends one for each).

        A conversation whose last reply says that it is deleted is deleted, whatever the channel.
        """
        await self.stream_events(tracker)
        if _erased(tracker):
            return await self.erase(tracker.sender_id)
        with self.session_scope() as session:
            rows = [self._row(tracker.sender_id, event) for event in self._additional_events(session, tracker)]
            if rows:
                session.execute(insert(self.SQLEvent), rows)
                session.commit()
        setattr(tracker, _STORED, len(tracker.events))

    async def erase(self, sender_id: str) -> None:
        """Deletes all that is stored of one conversation."""
        with self.session_scope() as session:
            session.execute(delete(self.SQLEvent).where(self.SQLEvent.sender_id == sender_id))
            session.commit()
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:  # the write-ahead log still has the words
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _row(self, sender_id: str, event: Event) -> dict[str, Any]:
        data = event.as_dict()
        return {
            "sender_id": sender_id,
            "type_name": event.type_name,
            "timestamp": data.get("timestamp"),
            "intent_name": data.get("parse_data", {}).get("intent", {}).get("name"),
            "action_name": data.get("name"),
            "data": json.dumps(data),
        }

    async def _retrieve(self, sender_id: str, fetch_events_from_all_sessions: bool) -> DialogueStateTracker | None:
        """Reads a conversation (see parent): the events' column alone, and it remembers how many are stored."""
        with self.session_scope() as session:
            query = self._event_query(session, sender_id, fetch_events_from_all_sessions)
            events = [json.loads(data) for (data,) in query.with_entities(self.SQLEvent.data)]
        if not events:
            return None
        tracker = DialogueStateTracker.from_dict(sender_id, events, self.domain.slots)
        setattr(tracker, _STORED, len(tracker.events))
        return tracker

    def _additional_events(self, session: Session, tracker: DialogueStateTracker) -> Iterator[Event]:
        """Gives the events that are not stored yet; they are counted only if the tracker was made elsewhere."""
        count = getattr(tracker, _STORED, None)
        if count is None:
            stored = self._event_query(session, tracker.sender_id, fetch_events_from_all_sessions=False)
            count = stored.with_entities(self.SQLEvent.id).order_by(None).count()
        return itertools.islice(tracker.events, count, None)


def _erased(tracker: DialogueStateTracker) -> bool:
    said = next((event for event in reversed(tracker.events) if isinstance(event, BotUttered)), None)
    return bool(said and (said.data.get("custom") or {}).get(ERASE))
