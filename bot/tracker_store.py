"""Rasa's SQL tracker store, set up for a server: few statements a turn, kept connections, an end to keeping data."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy import Table, and_, bindparam, delete, func, insert, or_, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql import Select

from bot.core.turn import ERASE
from bot.database import CONNECTIONS, MEMORY, make_tables, open_engine, overwrite_log
from bot.outbox import MOST, Batch, Outbox, Row
from bot.retention import INDEX, SESSION_SECONDS, Sweeper

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
# What a database raises that is away, slow or full.
AWAY = (SQLAlchemyError, asyncio.TimeoutError)
# People are answered within 10 seconds; up to PATIENCE_SECONDS of them may pass while the database is started again.
# When it stays away, a turn waits no longer than TRY_SECONDS to find it still so.
PATIENCE_SECONDS, TRY_SECONDS, PAUSE_SECONDS = 5.0, 1.0, 0.2
# Attributes of a tracker: how many of its events are stored or about to be, and whether it was made without reading
# what is stored. The conversation's lock keeps others from adding any.
_STORED, _UNREAD = "stored_events", "unread"
# The key of a message's id in its metadata, and of the lock under which processes store turns of one conversation.
_TURN, _STORING = "turn", 4_310_560
# Finds a conversation's latest message, session and slots. Without it PostgreSQL, once it has statistics, looks for
# them among everybody's rows, the newest first: the more people write, the longer a turn takes (a test counts rows).
_OF_SENDER = "create index if not exists events_of_sender on events (sender_id, type_name, id)"
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
        make_tables(self.engine, self.Base.metadata, [INDEX, _OF_SENDER])
        self.sessionmaker = sessionmaker(bind=self.engine)
        # PostgreSQL may be slow or away; other people's turns must not wait for that. A file on this machine is
        # quicker than the way to a thread.
        self._aside = self.engine.dialect.name != "sqlite"
        self._threads = ThreadPoolExecutor(CONNECTIONS, "database")
        # Apart for reading and writing: a full disk can be read.
        self._failing_since: dict[Callable[..., Any], float] = {}
        self._outbox = Outbox(self._insert)
        # What was known of a conversation after its last turn in this process, for when the database cannot be read.
        self._known: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self._reads = _Reads(self.SQLEvent.__table__)
        self._sweeper = Sweeper(self.engine, self.SQLEvent, self._delete)
        if retention_days is not None:
            self._sweeper.keep_days(int(retention_days))
        super(SQLTrackerStore, self).__init__(domain, event_broker)

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Stores the events of the turn in one statement (the parent sends one for each).

        A conversation whose last reply says that it is deleted is deleted, whatever the channel. The reply is made and
        does not depend on what fails here: what the database does not take in time is stored, or deleted, later.
        """
        await self.stream_events(tracker)
        sender_id = tracker.sender_id
        try:
            if _erased(tracker):
                return await self.erase(sender_id)
            if rows := [_row(sender_id, event) for event in _new_events(tracker)]:
                self._outbox.add(sender_id, Batch(rows, getattr(tracker, _UNREAD, False), _turn(tracker)))
                await self._patiently(self._outbox.flush, sender_id)
        except AWAY as error:
            _log.error("a turn is not stored yet: %s", type(error).__name__)
            if _erased(tracker):
                self._sweeper.delete_later(sender_id)
        finally:  # also when the turn is given up meanwhile
            setattr(tracker, _STORED, len(tracker.events))
            self._remember(tracker)
            if self.owes(sender_id):
                self._outbox.try_later()

    def _remember(self, tracker: DialogueStateTracker) -> None:
        now = time.monotonic()
        self._known.pop(tracker.sender_id, None)
        if not _erased(tracker):
            self._known[tracker.sender_id] = now, tracker.current_slot_values()
        while self._known and (len(self._known) > MOST or now - next(iter(self._known.values()))[0] > SESSION_SECONDS):
            self._known.popitem(last=False)

    def owes(self, sender_id: str) -> bool:
        """Tells whether turns of a conversation wait to be stored."""
        return bool(self._outbox.batches(sender_id))

    async def erase(self, sender_id: str) -> None:
        """Deletes all that is stored of one conversation."""
        await self._run(self._delete, sender_id)

    def _delete(self, sender_id: str, until: float = math.inf) -> None:
        self._known.pop(sender_id, None)
        self._outbox.drop(sender_id)
        with self.session_scope() as session:
            rows = self.SQLEvent.sender_id == sender_id, self.SQLEvent.timestamp <= until
            session.execute(delete(self.SQLEvent).where(*rows))
            session.commit()
        overwrite_log(self.engine)

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """Reads a conversation (see parent); if it cannot be read in time, what this process knows has to do."""
        try:
            return await super().retrieve(sender_id)
        except AWAY as error:
            _log.error("a conversation could not be read: %s", type(error).__name__)
        rows = [row["data"] for batch in self._outbox.batches(sender_id) for row in batch.rows]
        tracker = self._tracker(sender_id, [*self._as_known(sender_id), *rows])
        setattr(tracker, _UNREAD, True)
        return tracker

    def _as_known(self, sender_id: str) -> Iterator[str]:
        """Gives the events of a session that begins with what was known after the last turn, if there was one."""
        _, slots = self._known.get(sender_id, (0.0, {}))
        if slots:
            known = (SlotSet(name, value) for name, value in slots.items() if value is not None)
            begin = ActionExecuted(ACTION_SESSION_START_NAME), SessionStarted()
            for event in (*begin, *known, ActionExecuted(ACTION_LISTEN_NAME)):
                yield json.dumps(event.as_dict())

    async def exists(self, conversation_id: str) -> bool:
        """Tells whether a conversation is stored; what the database raises is raised, and at once."""
        return bool(await self._run(self._events, conversation_id, False))

    async def _retrieve(self, sender_id: str, fetch_events_from_all_sessions: bool) -> DialogueStateTracker | None:
        """Reads a conversation (see parent)."""
        events = await self._patiently(self._events, sender_id, fetch_events_from_all_sessions)
        return self._tracker(sender_id, events) if events else None

    def _tracker(self, sender_id: str, events: list[str]) -> DialogueStateTracker:
        """Makes a tracker that remembers how many of its events need not be stored again."""
        tracker = DialogueStateTracker.from_dict(sender_id, [json.loads(event) for event in events], self.domain.slots)
        setattr(tracker, _STORED, len(tracker.events))
        return tracker

    async def _run(self, work: Callable[..., _Result], *args: Any) -> _Result:
        if not self._aside:
            return work(*args)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    async def _patiently(self, work: Callable[..., _Result], *args: Any) -> _Result:
        """Waits for a database that is away, but not longer than people wait, counted from when it went away."""
        while True:
            began = time.monotonic()
            until = min(self._failing_since.values(), default=began) + PATIENCE_SECONDS
            try:
                done = await asyncio.wait_for(self._run(work, *args), max(until - began, TRY_SECONDS))
            except AWAY:
                self._failing_since.setdefault(work, began)
                if time.monotonic() + PAUSE_SECONDS > until:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._failing_since.pop(work, None)
                return done

    def _insert(self, sender_id: str, batches: list[Batch]) -> None:
        """Stores turns, all or none; one that is stored already is left out.

        While Redis is away, or a process still waits to store a turn, another one may answer the same message.
        """
        with self.session_scope() as session:
            if self._aside:
                session.execute(select(func.pg_advisory_xact_lock(_STORING, func.hashtext(sender_id))))
            known = any(batch.unread for batch in batches) and self._knows(session, sender_id)
            rows: list[Row] = []
            for batch in batches:
                fitting = _fitting(batch, known)
                if fitting and not self._holds(session, batch, fitting[0]):
                    rows += fitting
            for batch in batches:
                batch.tried = True
            try:
                if rows:
                    session.execute(insert(self.SQLEvent.__table__), rows)
                    session.commit()
            except (DataError, IntegrityError) as error:
                _log.error("a turn cannot be stored: %s", type(error).__name__)  # and never could

    def _knows(self, session: Session, sender_id: str) -> bool:
        return session.query(self.SQLEvent.id).filter(self.SQLEvent.sender_id == sender_id).first() is not None

    def _holds(self, session: Session, batch: Batch, row: Row) -> bool:
        stored = self.SQLEvent
        mine = stored.sender_id == row["sender_id"]
        same = [stored.data == row["data"]] if batch.tried else []
        if self._aside and batch.turn:
            messages = select(stored.id).where(mine, stored.type_name == UserUttered.type_name)
            recent = messages.order_by(stored.id.desc()).limit(RECENT_MESSAGES)
            said = stored.data.contains(json.dumps({_TURN: batch.turn})[1:-1], autoescape=True)
            same.append(and_(stored.id.in_(recent), said))
        if not same:
            return False
        return session.query(stored.id).filter(mine, or_(*same)).first() is not None

    def _events(self, sender_id: str, fetch_events_from_all_sessions: bool) -> list[str]:
        """Gives all events, or for a turn the session's last ones, before them the slots as they were then."""
        with suppress(*AWAY):
            self._outbox.flush(sender_id)
        owed = self._outbox.batches(sender_id)
        with self.engine.connect() as connection:

            def read(statement: Select, **values: Any) -> list[Any]:
                return list(connection.execute(statement, {"sender": sender_id, **values}).scalars())

            if fetch_events_from_all_sessions:
                events = read(self._reads.everything)
            elif first := read(self._reads.first_recent):
                events = read(self._reads.since, first=first[0])
            else:
                events = read(self._reads.session)
        return events + [row["data"] for batch in owed for row in _fitting(batch, bool(events))]


class _Reads:
    """The statements that read a conversation, made once: that takes longer than SQLite takes to answer them.

    Attributes:
        everything: All events.
        session: Those of the latest session, by their order; Rasa goes by their times, which a clock can turn around.
        first_recent: The id of the first recent message; none if there are not more than the recent ones.
        since: The session's events from an id on, before them the slots as they were then.
    """

    def __init__(self, events: Table) -> None:
        """Makes them for the table of events."""
        stored = events.c
        mine = stored.sender_id == bindparam("sender")
        start = select(func.max(stored.id)).where(mine, stored.type_name == SessionStarted.type_name)
        here = mine, stored.id >= func.coalesce(start.scalar_subquery(), 0)
        first = bindparam("first")
        # What an event of a slot names as its action is the slot.
        earlier = select(func.max(stored.id)).where(
            *here, stored.id < first, stored.type_name == SlotSet.type_name
        ).group_by(stored.action_name)  # fmt: skip
        messages = select(stored.id).where(mine, stored.type_name == UserUttered.type_name)
        ordered = select(stored.data).order_by(stored.id)
        self.everything = ordered.where(mine)
        self.session = ordered.where(*here)
        self.first_recent = messages.order_by(stored.id.desc()).offset(RECENT_MESSAGES - 1).limit(1)
        self.since = ordered.where(*here, or_(stored.id >= first, stored.id.in_(earlier)))


def _new_events(tracker: DialogueStateTracker) -> Iterator[Event]:
    return itertools.islice(tracker.events, getattr(tracker, _STORED, 0), None)


def _turn(tracker: DialogueStateTracker) -> str | None:
    said = (event for event in _new_events(tracker) if isinstance(event, UserUttered))
    return next(((event.metadata or {}).get(_TURN) for event in said), None)


def _row(sender_id: str, event: Event) -> Row:
    data = event.as_dict()
    return {
        "sender_id": sender_id,
        "type_name": event.type_name,
        "timestamp": data.get("timestamp"),
        "intent_name": data.get("parse_data", {}).get("intent", {}).get("name"),
        "action_name": data.get("name"),
        "data": json.dumps(data),
    }


def _fitting(batch: Batch, known: bool) -> list[Row]:
    """Gives the rows of a turn that fit after what is stored.

    A turn that was answered without knowing it would begin the conversation anew, and overwrite its slots.
    """
    if not (batch.unread and known):
        return batch.rows
    said = itertools.dropwhile(lambda row: row["type_name"] != UserUttered.type_name, batch.rows)
    return [row for row in said if row["type_name"] != SlotSet.type_name]


def _erased(tracker: DialogueStateTracker) -> bool:
    said = next((event for event in reversed(tracker.events) if isinstance(event, BotUttered)), None)
    return bool(said and (said.data.get("custom") or {}).get(ERASE))
