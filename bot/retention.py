"""Deletes in the background: conversations that have expired, and what could not be deleted when it was asked for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.database import overwrite_log

_log = logging.getLogger(__name__)

DAY_SECONDS = 24 * 3600
# Without a file, a conversation is kept for the length of a session (domain.yml).
SESSION_SECONDS = 3600
# Between two looks. Failed deletions are due soon; what expires can wait for the hour.
LOOK_SECONDS, SWEEP_SECONDS = 30.0, 3600.0
# Rows deleted at once, and the pause after: a turn never waits for more than one such step.
BATCH, PAUSE_SECONDS = 500, 0.05
# Finds what has expired without reading everything.
INDEX = "create index if not exists events_timestamp on events (timestamp)"


def _ahead() -> float:
    """Gives how far the clock is ahead of the time since the machine's start, sleep included where that is known."""
    return time.time() - time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Sweeper:
    """A thread of its own, so that no turn waits; it starts when there is something to do."""

    def __init__(self, engine: Engine, events: Any, delete_one: Callable[[str, float], None]) -> None:
        """Keeps where conversations are and how one is deleted."""
        self._engine, self._events, self._delete_one = engine, events, delete_one
        self._keep_seconds: float | None = None
        self._owed: dict[str, float] = {}
        self._ahead = _ahead()
        self._thread: threading.Thread | None = None

    def keep_days(self, days: int) -> None:
        """Deletes events once they are so many days old; 0 means the length of a session."""
        self._keep_seconds = days * DAY_SECONDS or SESSION_SECONDS
        self._start()

    def delete_later(self, sender_id: str) -> None:
        """Deletes what a conversation is until now, as soon as the database lets us."""
        self._owed[sender_id] = time.time()
        self._start()

    def sweep(self) -> int:
        """Deletes what has expired, step by step, and gives the number of events.

        If the clock was put forward since the start, everything may look expired: then nothing is deleted until the
        next start, when whoever runs the bot has seen it in the log.
        """
        if self._keep_seconds is None:
            return 0
        if _ahead() - self._ahead > SWEEP_SECONDS:
            _log.error("the clock was put forward: nothing that expires is deleted until the next start")
            return 0
        old = select(self._events.id).where(self._events.timestamp < time.time() - self._keep_seconds).limit(BATCH)
        # Other processes sweep too: each takes rows that no other has.
        step = delete(self._events).where(self._events.id.in_(old.with_for_update(skip_locked=True)))
        total, last = 0, BATCH
        while last == BATCH:
            with self._engine.begin() as connection:
                last = connection.execute(step.execution_options(synchronize_session=False)).rowcount
            total += last
            time.sleep(PAUSE_SECONDS if last else 0)
        if total:
            overwrite_log(self._engine)
        return total

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            try:
                for sender_id, until in list(self._owed.items()):
                    self._delete_one(sender_id, until)
                    self._owed.pop(sender_id)
                if time.monotonic() >= due:
                    self.sweep()
                    due = time.monotonic() + SWEEP_SECONDS
            except SQLAlchemyError as error:
                _log.warning("old conversations could not be deleted yet: %s", type(error).__name__)
            time.sleep(LOOK_SECONDS)
