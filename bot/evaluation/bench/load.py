"""The load: people who write to a running bot over HTTP and over the widget's socket, and what they wait for."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import aiohttp
import numpy as np
import socketio

# The python client asks for a class of a newer aiohttp; the one that Rasa needs takes the bare number.
if not hasattr(aiohttp, "ClientWSTimeout"):
    aiohttp.ClientWSTimeout = lambda ws_close: ws_close
TURNS = 5  # of a conversation, unless its length is what is measured; the web channel lets a person write six at once
TIMEOUT_SECONDS = 60
Send = Callable[[str, str], Awaitable[None]]


@dataclass
class Waits:
    """How long people waited for replies, in milliseconds, and how many got none."""

    times: list[float] = field(default_factory=list)
    failed: int = 0

    async def turn(self, said: Awaitable[None], started: float | None = None) -> None:
        """Waits for a reply and counts it; `started` is when the person wanted to write, if that was before now."""
        began = time.perf_counter() if started is None else started
        try:
            await said
            self.times.append((time.perf_counter() - began) * 1000)
        except (aiohttp.ClientError, asyncio.TimeoutError, ValueError, KeyError):
            self.failed += 1

    def figures(self) -> dict[str, float]:
        """Gives the percentiles."""
        p50, p95, p99 = np.percentile(self.times or [float("nan")], (50, 95, 99))
        return {
            "turns": len(self.times), "failed": self.failed,
            "p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "p99_ms": round(p99, 1),
        }  # fmt: skip


class Http:
    """The REST channel."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        """Keeps the address."""
        self._url, self._session = f"{url}/webhooks/rest/webhook", session

    async def say(self, text: str, sender: str) -> None:
        """Sends a message and waits for its reply, which must have text.

        Raises:
            ValueError: There was no text.
        """
        async with self._session.post(self._url, json={"sender": sender, "message": text}) as answer:
            messages = await answer.json()
        if not any(message.get("text") for message in messages):
            raise ValueError("no reply")


def connections() -> aiohttp.ClientSession:
    """Gives a client that does not limit connections by itself."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    )


async def one_by_one(url: str, texts: Sequence[str]) -> Waits:
    """Writes one message after another over HTTP, in conversations of five turns."""
    waits = Waits()
    async with connections() as session:
        client, sender = Http(url, session), ""
        for number, text in enumerate(texts):
            sender = uuid.uuid4().hex if number % TURNS == 0 else sender
            await waits.turn(client.say(text, sender))
    return waits


async def over_socket(url: str, texts: Sequence[str]) -> Waits:
    """Writes one message after another over the widget's socket, a session for every five turns."""
    waits = Waits()
    client = socketio.AsyncClient()
    replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on("bot_uttered", replies.put)

    async def say(text: str) -> None:
        turn = uuid.uuid4().hex
        await client.call("user_uttered", {"message": text, "id": turn}, timeout=TIMEOUT_SECONDS)
        reply = await asyncio.wait_for(replies.get(), TIMEOUT_SECONDS)
        if reply["metadata"]["turn"] != turn or not reply["text"]:
            raise ValueError("a reply to another message")

    await client.connect(url, transports=["websocket"], headers={"Origin": url})
    try:
        for number, text in enumerate(texts):
            if number % TURNS == 0:
                await client.call("session_request", {}, timeout=TIMEOUT_SECONDS)
            await waits.turn(say(text))
    finally:
        await client.disconnect()
    return waits


async def at_once(url: str, texts: Sequence[str], people: int, seconds: float) -> dict[str, float]:
    """Lets so many people write, each as soon as the last reply came, and counts messages a second."""
    waits, messages = Waits(), itertools.cycle(texts)
    until = time.perf_counter() + seconds

    async def person() -> None:
        sender, said = "", 0
        while time.perf_counter() < until:
            sender = uuid.uuid4().hex if said % TURNS == 0 else sender
            said += 1
            await waits.turn(client.say(next(messages), sender))

    async with connections() as session:
        client, started = Http(url, session), time.perf_counter()
        await asyncio.gather(*(person() for _ in range(people)))
        taken = time.perf_counter() - started
    return {**waits.figures(), "messages_a_second": round(len(waits.times) / taken, 2)}


async def at_rate(url: str, texts: Sequence[str], rate: float, seconds: float) -> dict[str, float]:
    """Lets new people come at random moments (a Poisson process), however slow the replies are."""
    waits, chance = Waits(), random.Random(0)

    async def person(text: str, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        # From the moment that was drawn: a late client must not hide a wait.
        await waits.turn(client.say(text, uuid.uuid4().hex), moment)

    async with connections() as session:
        client, moment = Http(url, session), time.perf_counter()
        arrivals = []
        for text in itertools.islice(itertools.cycle(texts), max(1, round(rate * seconds))):
            moment += chance.expovariate(rate)
            arrivals.append((text, moment))
        await asyncio.gather(*(person(text, when) for text, when in arrivals))
    return {**waits.figures(), "rate": round(rate, 2)}


async def by_length(url: str, texts: Sequence[str], lengths: Sequence[int], conversations: int) -> dict[str, float]:
    """Gives the median wait at given turns of long conversations, each with the two turns before it."""
    at: dict[int, list[float]] = {length: [] for length in lengths}
    async with connections() as session:
        client, messages = Http(url, session), itertools.cycle(texts)
        for _ in range(conversations):
            waits, sender = Waits(), uuid.uuid4().hex
            for _ in range(max(lengths)):
                await waits.turn(client.say(next(messages), sender))
            for length in lengths:
                at[length] += waits.times[max(0, length - 3) : length] if length > 1 else waits.times[:1]
    return {str(length): round(median(times), 1) for length, times in at.items() if times}
