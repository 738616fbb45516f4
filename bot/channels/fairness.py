"""Who is answered first when more people write than can be answered at once: who came first and wrote least of late.

Turns share one processor, so many at once only slow each other down. Somebody who floods waits behind everybody who
does not; without a queue all would wait for all.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from bisect import insort
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Clock = Callable[[], float]
# One turn computes while another waits for the action server; more at once would only lengthen each.
AT_ONCE = 2
# A turn that takes longer waits for something else than the processor, and holds up nobody.
WAITS_SECONDS = 0.15
# Beyond so many waiting turns, those who wrote most are told to come back.
MAX_WAITING = 200
# Half of what somebody wrote is forgotten after so long.
HALF_LIFE_SECONDS = 30.0
# Each message of late puts a turn so far behind others, as if it had come so much later. By a strict order of who wrote
# least, people in the middle of a conversation would wait for ever while new ones come.
BEHIND_SECONDS = 0.3
# Many people can share an address (a clinic, a mobile network).
PEOPLE_AT_AN_ADDRESS = 10
# Reading takes time by length; so much costs as much as another message.
CHARS_OF_A_TURN = 200
# Reading a long message slows everybody down, so an address that has written so much of late is refused more of them.
LONG_CHARS, MOST_BEFORE_LONG = 400, 100.0
MAX_REMEMBERED = 20_000


class Crowded(Exception):
    """Too many turns wait, and this one's sender wrote more than the others."""


class Usage:
    """How much each sender or address wrote of late; the longest unseen are forgotten."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Remembers nobody."""
        self._clock = clock
        self._of: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def add(self, key: str, cost: float = 1.0) -> float:
        """Counts a turn and gives how much there was before it."""
        now = self._clock()
        amount, at = self._of.pop(key, (0.0, now))
        amount *= 0.5 ** ((now - at) / HALF_LIFE_SECONDS)
        self._of[key] = (amount + cost, now)
        while len(self._of) > MAX_REMEMBERED:
            self._of.popitem(last=False)
        return amount


class FairQueue:
    """Lets a few turns run at once; who wrote much of late goes in as if they had come later."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MAX_WAITING, clock: Clock = time.monotonic) -> None:
        """Starts empty."""
        self._free = at_once
        self._most = most_waiting
        self._clock = clock
        self._senders, self._addresses = Usage(clock), Usage(clock)
        self._order = itertools.count()
        # In the order in which they will be let in.
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, sender: str, address: str | None = None, length: int = 0) -> AsyncIterator[None]:
        """Waits for the turn of a sender; a message of some length counts as several.

        Raises:
            Crowded: Too many wait who wrote less.
        """
        cost = 1 + length / CHARS_OF_A_TURN
        sent = self._senders.add(sender, cost)
        together = self._addresses.add(address, cost) if address else 0.0
        if length > LONG_CHARS and max(sent, together) > MOST_BEFORE_LONG:
            raise Crowded
        await self._enter(self._clock() + BEHIND_SECONDS * (sent + cost + together / PEOPLE_AT_AN_ADDRESS))
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._leave()

        timer = asyncio.get_running_loop().call_later(WAITS_SECONDS, leave)
        try:
            yield
        finally:
            timer.cancel()
            leave()

    async def _enter(self, rank: float) -> None:
        if self._free:
            self._free -= 1
            return
        place = (rank, next(self._order), asyncio.get_running_loop().create_future())
        insort(self._waiting, place)
        if len(self._waiting) > self._most:
            *_, last = self._waiting.pop()
            if not last.done():
                last.set_exception(Crowded())
        try:
            await place[2]
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            elif not place[2].cancelled() and not place[2].exception():
                self._leave()  # its turn came as it was given up
            raise

    def _leave(self) -> None:
        while self._waiting:
            *_, waiter = self._waiting.pop(0)
            # Whoever was given up a moment ago has not left yet.
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
