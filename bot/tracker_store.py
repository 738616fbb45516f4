"""Rasa's SQL tracker store, set up for a server: few statements a turn, kept connections, an end to keeping data."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy import delete, func, insert, or_
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bot.core.turn import ERASE
from bot.database import MEMORY, make_tables, open_engine, overwrite_log
from bot.retention import INDEX, Sweeper

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
# Attribute of a tracker: how many of its events are stored. The conversation's lock keeps others from adding any.
_STORED = "stored_events"
# A turn is given so many messages before it. What was said earlier stands in the slots, and reading, sending to the
# action server and predicting from all of it would make each turn slower than the one before.
RECENT_MESSAGES = 6


class ConversationStore(SQLTrackerStore):
    """The store of conversations (endpoints.yml): an SQLite file, memory, or PostgreSQL."""

    engine: Engine

    def __init__(
        self,
        domain: Domain | None = None,
        host: str | None = None,
        event_broker: EventBroker | None = None,
        db: str | None = None,
        retention_days: str | int | None = None,
    ) -> None:
        """Opens the store.

        The parent's own start is left out: it waits for ever for a database that does not answer, and keeps no
        connections to SQLite.

        Args:
            domain: The domain.
            host: The database's address; Rasa's name for `url` in endpoints.yml.
            event_broker: Where Rasa sends events to, if anywhere.
            db: Path of an SQLite file, instead of an address.
            retention_days: After how many days events are deleted; 0 keeps them in memory for the length of a
                session; None keeps them.
        """
        self.engine = open_engine(host or (f"sqlite:///{db}" if db else MEMORY))
        make_tables(self.engine, self.Base.metadata, [INDEX])
        self.sessionmaker = sessionmaker(bind=self.engine)
        # PostgreSQL may be slow or away; other people's turns must not wait for that. A file on this machine is
        # quicker than the way to a thread.
        self._aside = self.engine.dialect.name != "sqlite"
        self._sweeper = Sweeper(self.engine, self.SQLEvent, self._delete)
        if retention_days is not None:
            self._sweeper.keep_days(int(retention_days))
        super(SQLTrackerStore, self).__init__(domain, event_broker)

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Stores the events of the turn in one statement (the parent sends one for each).

        A conversation whose last reply says that it is deleted is deleted, whatever the channel. The reply is made and
        does not depend on what fails here: a deletion is then tried again, and the events of the turn are lost. Rasa
        would put them into a memory that nothing ever reads or empties.
        """
        await self.stream_events(tracker)
        try:
            if _erased(tracker):
                return await self.erase(tracker.sender_id)
            await self._run(self._append, tracker)
        except SQLAlchemyError as error:
            _log.error("a turn was not stored: %s", type(error).__name__)
            if _erased(tracker):
                self._sweeper.delete_later(tracker.sender_id)

    async def erase(self, sender_id: str) -> None:
        """Deletes all that is stored of one conversation."""
        await self._run(self._delete, sender_id)

    def _delete(self, sender_id: str, until: float = math.inf) -> None:
        with self.session_scope() as session:
            rows = self.SQLEvent.sender_id == sender_id, self.SQLEvent.timestamp <= until
            session.execute(delete(self.SQLEvent).where(*rows))
            session.commit()
        overwrite_log(self.engine)

    async def _run(self, work: Callable[..., _Result], *args: Any) -> _Result:
        return await asyncio.to_thread(work, *args) if self._aside else work(*args)

    def _append(self, tracker: DialogueStateTracker) -> None:
        with self.session_scope() as session:
            rows = [self._row(tracker.sender_id, event) for event in self._additional_events(session, tracker)]
            if rows:
                session.execute(insert(self.SQLEvent), rows)
                session.commit()
        setattr(tracker, _STORED, len(tracker.events))

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
        """Reads a conversation (see parent) and remembers how many events are stored."""
        events = await self._run(self._events, sender_id, fetch_events_from_all_sessions)
        if not events:
            return None
        tracker = DialogueStateTracker.from_dict(sender_id, events, self.domain.slots)
        setattr(tracker, _STORED, len(tracker.events))
        return tracker

    def _events(self, sender_id: str, fetch_events_from_all_sessions: bool) -> list[dict[str, Any]]:
        """Gives all events, or for a turn the session's last ones, before them the slots as they were then."""
        stored = self.SQLEvent
        with self.session_scope() as session:
            query = self._event_query(session, sender_id, fetch_events_from_all_sessions).with_entities(stored.data)
            if not fetch_events_from_all_sessions and (first := self._first_recent(session, sender_id)):
                earlier = query.filter(stored.id < first, stored.type_name == SlotSet.type_name).order_by(None)
                # What an event of a slot names as its action is the slot.
                latest = earlier.group_by(stored.action_name).with_entities(func.max(stored.id))
                query = query.filter(or_(stored.id >= first, stored.id.in_([id_ for (id_,) in latest])))
            return [json.loads(data) for (data,) in query]

    def _first_recent(self, session: Session, sender_id: str) -> int | None:
        """Gives the id of the first recent message, or None if there are not more than the recent ones."""
        stored = self.SQLEvent
        messages = session.query(stored.id).filter(
            stored.sender_id == sender_id, stored.type_name == UserUttered.type_name
        )
        return messages.order_by(stored.id.desc()).offset(RECENT_MESSAGES - 1).limit(1).scalar()

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
