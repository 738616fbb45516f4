"""Rasa's lock store: the messages of a conversation are handled one after another, over all processes.

Rasa's own Redis store reads a lock and writes it back in two steps, so two processes can be served at once, or lose
their tickets; and whoever waits looks once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rasa.core.lock import TicketLock
from rasa.core.lock_store import LOCK_LIFETIME, LockError, LockStore
from rasa.utils.endpoints import EndpointConfig

from bot.shared import Shared


class ConversationLocks(LockStore):
    """The locks of `endpoints.yml`; in Redis if its `url` names one, else in memory."""

    def __init__(self, endpoint_config: EndpointConfig | None = None) -> None:
        """Keeps where the locks are."""
        self._shared = Shared(endpoint_config.url if endpoint_config else None)

    @asynccontextmanager
    async def lock(
        self, conversation_id: str, lock_lifetime: float = LOCK_LIFETIME, wait_time_in_seconds: float = 1
    ) -> AsyncIterator[TicketLock]:
        """Holds a conversation's lock (see parent).

        Raises:
            LockError: It was not free within `lock_lifetime` seconds.
        """
        entered = False
        try:
            async with self._shared.lock(conversation_id, lock_lifetime):
                entered = True
                yield TicketLock(conversation_id)
        except asyncio.TimeoutError as error:
            if entered:
                raise
            raise LockError("A conversation's lock was not free in time.") from error
