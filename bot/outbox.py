"""Turns that the database has not taken yet: in memory, in order, stored as soon as it answers."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

_log = logging.getLogger(__name__)

Row = dict[str, Any]
# Between two looks whether the database is back.
LOOK_SECONDS = 1.0
# Conversations that wait; beyond that the longest waiting are given up.
MOST = 5_000


@dataclass
class Batch:
    """One turn's events.

    Attributes:
        rows: Rows of the table of events.
        unread: Whether the turn was answered without what is stored.
        turn: Id of the message, if its channel gives any: another process may have answered and stored the same one.
        tried: Whether it may be stored already: a connection can break after the database has done its part.
    """

    rows: list[Row]
    unread: bool
    turn: str | None = None
    tried: bool = False


@dataclass
class _Owed:
    batches: list[Batch] = field(default_factory=list)
    storing: threading.Lock = field(default_factory=threading.Lock)


class Outbox:
    """What is not stored yet, by conversation; a thread of its own tries again, once something had to wait."""

    def __init__(self, store: Callable[[str, list[Batch]], None]) -> None:
        """Keeps how the batches of a conversation are stored, all or none."""
        self._store = store
        self._owed: OrderedDict[str, _Owed] = OrderedDict()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, sender_id: str, batch: Batch) -> None:
        """Takes a turn."""
        with self._guard:
            self._owed.setdefault(sender_id, _Owed()).batches.append(batch)
            if len(self._owed) > MOST:
                self._owed.popitem(last=False)
                _log.error("a turn is given up: the database has been away for too long")

    def batches(self, sender_id: str) -> list[Batch]:
        """Gives what a conversation waits to have stored."""
        with self._guard:
            owed = self._owed.get(sender_id)
            return list(owed.batches) if owed else []

    def flush(self, sender_id: str) -> None:
        """Stores what waits, at once; what the database raises is raised, and all waits on."""
        with self._guard:
            owed = self._owed.get(sender_id)
        if owed is None:
            return
        with owed.storing:
            batches = list(owed.batches)
            if batches:
                self._store(sender_id, batches)
            with self._guard:
                del owed.batches[: len(batches)]
                if not owed.batches and self._owed.get(sender_id) is owed:
                    del self._owed[sender_id]

    def drop(self, sender_id: str) -> None:
        """Forgets what waits; what is being stored is stored afterwards."""
        with self._guard:
            owed = self._owed.pop(sender_id, None)
        if owed:
            with owed.storing:
                owed.batches.clear()

    def try_later(self) -> None:
        """Tries again and again."""
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(LOOK_SECONDS)
            try:
                for sender_id in list(self._owed):
                    self.flush(sender_id)
            except SQLAlchemyError:
                continue  # still away
