"""Who is answered first when more people write than can be answered at once: who came first and wrote least of late.

Turns share one processor, so many at once only slow each other down. Somebody who floods waits behind everybody who
does not; without a queue all would wait for all. Where crowds of strangers come at once, those who were in conversation
before go first.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from bisect import insort
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Clock = Callable[[], float]
# Turns are read on two cores while another waits for the action server. Three or four at once answered no more people a
# second than two; with three fewer waited long at half load.
AT_ONCE = 3
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
# So many addresses that wait are a crowd: whoever is answered for the first time meanwhile may be part of it.
CROWD = 20
# Nobody types so much of late as this comes to; who does has no turns before strangers any more.
MOST_TYPED = 20.0


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


@dataclass(frozen=True, order=True)
class _Place:
    """Somebody who waits: strangers later, the lower the rank, the sooner."""

    stranger: bool
    rank: float
    number: int
    sender: str = field(compare=False)
    origin: str = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


class FairQueue:
    """Lets a few turns run at once, of a sender one; who wrote much of late goes in as if they had come later.

    A sender's second turn could not begin anyway before the first has ended; in a place it would only keep others out.
    """

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MAX_WAITING, clock: Clock = time.monotonic) -> None:
        """Starts empty."""
        self._free = at_once
        self._most = most_waiting
        self._clock = clock
        self._senders, self._addresses = Usage(clock), Usage(clock)
        self._numbers = itertools.count()
        self._under_way: set[str] = set()
        # In the order in which they will be let in.
        self._waiting: list[_Place] = []
        # Whoever was answered while there was no crowd; the longest unseen are forgotten.
        self._known: OrderedDict[str, None] = OrderedDict()

    @asynccontextmanager
    async def turn(self, sender: str, address: str | None = None, length: int = 0) -> AsyncIterator[None]:
        """Waits for the turn of a sender; a message of some length counts as several.

        Raises:
            Crowded: Too many wait who wrote less, or were in conversation before the crowd came.
        """
        cost = 1 + length / CHARS_OF_A_TURN
        sent = self._senders.add(sender, cost)
        together = self._addresses.add(address, cost) if address else 0.0
        if length > LONG_CHARS and max(sent, together) > MOST_BEFORE_LONG:
            raise Crowded
        rank = self._clock() + BEHIND_SECONDS * (sent + cost + together / PEOPLE_AT_AN_ADDRESS)
        turn = asyncio.get_running_loop().create_future()
        await self._enter(
            _Place(self._stranger(sender, sent), rank, next(self._numbers), sender, address or sender, turn)
        )
        self._met(sender)
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._free += 1
                self._let_in()

        timer = asyncio.get_running_loop().call_later(WAITS_SECONDS, leave)
        try:
            yield
        finally:
            timer.cancel()
            self._under_way.discard(sender)
            leave()
            self._let_in()

    def _stranger(self, sender: str, sent: float) -> bool:
        """Tells whether a turn must wait for those of known people; nobody's later turn overtakes an earlier one."""
        if any(place.stranger for place in self._waiting if place.sender == sender):
            return True
        return self._crowded() and (sender not in self._known or sent > MOST_TYPED)

    def _crowded(self) -> bool:
        return len({place.origin for place in self._waiting}) >= CROWD

    def _met(self, sender: str) -> None:
        """Remembers somebody who is answered, unless it may be one of a crowd."""
        if sender in self._known:
            self._known.move_to_end(sender)
        elif not self._crowded():
            self._known[sender] = None
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)

    async def _enter(self, place: _Place) -> None:
        insort(self._waiting, place)
        self._let_in()
        if len(self._waiting) > self._most:
            last = self._waiting.pop()
            if not last.turn.done():
                last.turn.set_exception(Crowded())
        try:
            await place.turn
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            elif not place.turn.cancelled() and not place.turn.exception():
                # Its turn came as it was given up.
                self._under_way.discard(place.sender)
                self._free += 1
                self._let_in()
            raise

    def _let_in(self) -> None:
        """Gives free places to the first who wait and have no turn under way."""
        for place in list(self._waiting):
            if not self._free:
                return
            if place.turn.done():  # given up a moment ago
                self._waiting.remove(place)
            elif place.sender not in self._under_way:
                self._waiting.remove(place)
                self._under_way.add(place.sender)
                self._free -= 1
                place.turn.set_result(None)
