"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """The extent of a benchmark.

    Attributes:
        rounds: How often each bot is started and measured, the bots in turn.
        warm_up: Messages before anything is timed.
        turns: Messages one after another, over HTTP and over the socket.
        seconds: How long each crowd writes.
        people: How many write at once.
        lengths: Turns of a long conversation at which it is timed.
        conversations: How many long conversations.
        facts: How many facts there are.
        rules: How many times as many rules as ours.
        epochs: Of the default's neural networks.
    """

    rounds: int = 3
    warm_up: int = 20
    turns: int = 300
    seconds: float = 30
    people: tuple[int, ...] = (1, 10, 100)
    lengths: tuple[int, ...] = (1, 10, 50, 200)
    conversations: int = 3
    facts: tuple[int, ...] = (302, 3_000, 30_000)
    rules: tuple[int, ...] = (1, 3, 10)
    epochs: int = 100


FULL = Sizes()
QUICK = Sizes(1, 5, 40, 6, (1, 10, 100), (1, 10, 50), 1, (302, 3_000), (1, 3), 1)
