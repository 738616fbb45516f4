"""How long a message over Matrix takes to its answer, and how much of that is the home server's.

`PYTHONPATH=. .venv/bin/python tests/support/matrix_speed.py [messages]` starts Synapse, the bot and, in a process of
its own, an echo: the shortest bot that matrix-nio allows. One person writes to both in turn, so that whatever else the
machine does weighs on both alike. The same words over REST show what the turn itself takes.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

from nio import AsyncClient, InviteMemberEvent, RoomMessageText
from synapse import PASSWORD, Synapse, running_synapse

from bot.evaluation.live import LiveBot, live_bot
from bot.train import current_model

MESSAGES, WARM_UP = 100, 10
WAIT_SECONDS = 60


async def client_of(server: Synapse, user: str) -> AsyncClient:
    """Gives a client that is logged in and up to date."""
    client = AsyncClient(server.url, user)
    await client.login(PASSWORD)
    await client.sync(full_state=True)
    return client


def echo(server: Synapse) -> None:
    """Joins where it is invited and repeats each message at once, until it is stopped."""

    async def run() -> None:
        client = await client_of(server, server.bot)

        async def join(room: object, _: object) -> None:
            await client.join(room.room_id)

        async def repeat(room: object, event: RoomMessageText) -> None:
            if event.sender != server.bot:
                await client.room_send(room.room_id, "m.room.message", {"msgtype": "m.text", "body": event.body})

        client.add_event_callback(join, InviteMemberEvent)
        client.add_event_callback(repeat, RoomMessageText)
        await client.sync_forever(timeout=30_000)

    asyncio.run(run())


class Person:
    """Somebody who waits for each answer before writing on."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        client.add_event_callback(self._hear, RoomMessageText)
        self._syncing = asyncio.create_task(client.sync_forever(timeout=30_000))

    async def _hear(self, room: object, event: RoomMessageText) -> None:
        if event.sender != self._client.user_id:
            self._heard.put_nowait((room.room_id, event.body))

    async def invite(self, user: str) -> str:
        """Makes a room with a bot and waits until it is there."""
        room = (await self._client.room_create(is_direct=True, invite=[user])).room_id
        while user not in {member.user_id for member in (await self._client.joined_members(room)).members}:
            await asyncio.sleep(0.1)
        return room

    async def ask(self, room: str, text: str) -> float:
        """Writes a message and gives the seconds until the answer is there."""
        begun = time.perf_counter()
        await self._client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": text})
        where, _ = await asyncio.wait_for(self._heard.get(), WAIT_SECONDS)
        assert where == room
        return time.perf_counter() - begun

    async def greet(self, room: str, messages: int) -> None:
        """Gets over what a newcomer hears."""
        await self._client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": "!privacy"})
        for _ in range(messages):
            await asyncio.wait_for(self._heard.get(), WAIT_SECONDS)

    async def leave(self) -> None:
        self._syncing.cancel()
        await asyncio.gather(self._syncing, return_exceptions=True)
        await self._client.close()


async def measure(server: Synapse, other: Synapse, bot: LiveBot, messages: int) -> dict[str, dict[str, float]]:
    """Writes to both bots in turn, and over REST; gives milliseconds."""
    person = Person(await client_of(server, server.register("person")))
    ours, echos = await person.invite(server.bot), await person.invite(other.bot)
    await person.greet(ours, 1)
    sender = bot.conversation()
    ways: dict[str, Callable[[str], Awaitable[float]]] = {
        "bot": lambda text: person.ask(ours, text),
        "echo": lambda text: person.ask(echos, text),
        "rest": lambda text: asyncio.to_thread(over_rest, bot, text, sender),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(WARM_UP + messages):
        for way, ask in ways.items():
            times[way].append(await ask(f"calf cramp {number}") * 1000)
    await person.leave()
    return {way: summary(took[WARM_UP:]) for way, took in times.items()}


def over_rest(bot: LiveBot, text: str, sender: str) -> float:
    begun = time.perf_counter()
    bot.say(text, sender)
    return time.perf_counter() - begun


def summary(times: list[float]) -> dict[str, float]:
    return {"p50_ms": round(median(times), 1), "p95_ms": round(quantiles(times, n=20)[-1], 1)}


def main(messages: int = MESSAGES) -> None:
    """Measures and prints one JSON object."""
    current_model()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(running_synapse(folder))
        other = server.with_bot("echo")
        process = multiprocessing.Process(target=echo, args=(other,), daemon=True)
        process.start()
        stack.callback(process.terminate)
        bot = stack.enter_context(live_bot(folder, **server.environment))
        print(json.dumps(asyncio.run(measure(server, other, bot, messages)), indent=1))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
