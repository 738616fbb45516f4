"""Rooms of the web channel's sockets: all sockets of a visitor, whichever process each is connected to."""

from __future__ import annotations

import asyncio
from typing import Any, Dict

from socketio import AsyncManager, AsyncRedisManager

from bot.shared import TIMEOUT_SECONDS, Outage, outage_of


class _SharedRooms(AsyncRedisManager):
    """Rooms over Redis; the sockets of this process are served first, and Redis is not waited for long."""

    outage: Outage

    async def _publish(self, data: Dict[str, Any]) -> None:
        if self.outage.lasts:
            return
        try:
            await asyncio.wait_for(super()._publish(data), TIMEOUT_SECONDS)
        except asyncio.TimeoutError:
            self.connected = False


def rooms(redis_url: str | None) -> AsyncManager:
    """Gives the rooms: shared if there is a Redis, else of this process."""
    if not redis_url:
        return AsyncManager()
    shared = _SharedRooms(redis_url, channel="web", redis_options={"socket_connect_timeout": TIMEOUT_SECONDS})
    shared.outage = outage_of(redis_url)
    return shared
