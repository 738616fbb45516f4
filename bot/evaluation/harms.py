"""What `make chaos` does to a running bot. To add a harm, add a function and a line to `ALONE` or `CLUSTER`."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.database import open_engine
from bot.evaluation.live import LiveBot
from bot.evaluation.processes import of_module
from bot.evaluation.servers import Server

HELD_SECONDS = 4.0
# Less than the hour of silence after which a conversation begins anew (domain.yml).
JUMP_MINUTES = 50
CLOCK = "clock"


@dataclass
class Target:
    """What people talk to.

    Attributes:
        url: Where people reach it.
        bots: The bots.
        database: Address of the database of conversations.
        clocks: Files that the bots' clocks follow.
        disk: The small disk that it is on, or None if it is on the machine's own.
        servers: What bots share and what is in front of them, by name.
    """

    url: str
    bots: list[LiveBot]
    database: str
    clocks: list[Path]
    disk: Path | None = None
    servers: dict[str, Server] = field(default_factory=dict)


Harm = Callable[[Target], Awaitable[None]]


def adjustable_clock(folder: Path) -> dict[str, Any]:
    """Gives the variables that make a process's clock follow a file of the folder."""
    (folder / CLOCK).write_text("0")
    path = os.pathsep.join([str(Path(__file__).parent / "clock"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "CLOCK_FILE": str(folder / CLOCK)}


def _signal_part(module: str, number: signal.Signals) -> Harm:
    async def strike(target: Target) -> None:
        # First the one that the last, which serves, was copied from (bot.prefork). To stop that one harms nobody.
        if pids := of_module(_one_bot(target).process.pid, module):
            os.kill(random.choice(pids) if number == signal.SIGKILL else pids[-1], number)

    return strike


def _one_bot(target: Target) -> LiveBot:
    """Gives a bot, but never the last one that listens: without any nobody can answer."""
    down = [bot for bot in target.bots if not _listens(bot)]
    return random.choice(down or target.bots)


def _listens(bot: LiveBot) -> bool:
    """Tells whether a bot takes connections; whether it is well depends on others too."""
    host, port = bot.url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _kill_server(name: str) -> Harm:
    async def strike(target: Target) -> None:
        await asyncio.to_thread(target.servers[name].kill)

    return strike


def _hang_server(name: str) -> Harm:
    async def strike(target: Target) -> None:
        server = target.servers[name]
        server.send_signal(signal.SIGSTOP)
        await asyncio.sleep(HELD_SECONDS)
        server.send_signal(signal.SIGCONT)

    return strike


async def slow_store(target: Target) -> None:
    """Makes the database slow: somebody else holds the table of conversations."""
    hold = _hold_file if target.database.startswith("sqlite") else _hold_table
    with suppress(sqlite3.Error, SQLAlchemyError):  # it may be away at the same time
        await asyncio.to_thread(hold, target.database)


def _hold_file(url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)) as store:
        store.execute("begin immediate")
        time.sleep(HELD_SECONDS)
        store.execute("rollback")


def _hold_table(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("lock table events in access exclusive mode"))
        time.sleep(HELD_SECONDS)
    engine.dispose()


async def fill_disk(target: Target) -> None:
    """Fills the small disk for a while."""
    assert target.disk, "only a disk of its own may be filled"
    ballast = target.disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * 65536):
                pass
    except OSError:
        await asyncio.sleep(HELD_SECONDS)
    finally:
        ballast.unlink(missing_ok=True)


async def jump_clock(target: Target) -> None:
    """Lets one bot's clock jump, and later back."""
    clock = random.choice(target.clocks)
    clock.write_text(f"{random.choice((-60, 60)) * JUMP_MINUTES}")
    await asyncio.sleep(2 * HELD_SECONDS)
    clock.write_text("0")


_EITHER: dict[str, Harm] = {
    "kill-bot": _signal_part("bot.rasa_cli", signal.SIGKILL),
    "kill-actions": _signal_part("bot.action_server", signal.SIGKILL),
    "hang-actions": _signal_part("bot.action_server", signal.SIGSTOP),
    "slow-store": slow_store,
    "full-disk": fill_disk,
    "clock-jump": jump_clock,
}
ALONE: dict[str, Harm] = _EITHER
CLUSTER: dict[str, Harm] = {
    **_EITHER,
    "kill-postgres": _kill_server("postgres"),
    "hang-postgres": _hang_server("postgres"),
    "kill-redis": _kill_server("redis"),
    "hang-redis": _hang_server("redis"),
    "kill-nginx": _kill_server("nginx"),
}
# Two of the others at the same moment.
TOGETHER = "two-together"


def possible(target: Target) -> Iterator[str]:
    """Gives the names of the harms that can be done here."""
    for name in CLUSTER if target.servers else ALONE:
        if name != "full-disk" or target.disk:
            yield name
    yield TOGETHER


async def strike(target: Target, name: str) -> str:
    """Does a harm, and gives what it was."""
    if name == TOGETHER:
        names = random.sample([each for each in possible(target) if each != TOGETHER], 2)
        await asyncio.gather(*(CLUSTER[each](target) for each in names))
        return " and ".join(names)
    await CLUSTER[name](target)
    return name
