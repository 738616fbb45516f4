"""How long people wait while others flood: `make flood` (`python -m bot.evaluation.flood`).

A few people are in conversation, first alone, then while one address floods, then a thousand; the flood's messages come
as fast as `--rate` says. Addresses are named as a reverse proxy names them, so the limits are those of a real visitor.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from bot.evaluation.live import LiveBot, live_bot
from bot.train import current_model

PEOPLE, PEOPLES_PAUSE = 25, 5.0
QUESTIONS = ("what causes cramps in my calf?", "what helps?", "how do i prevent it?", "when should i see a doctor?")
# What those questions get, sooner or later in a conversation.
ANSWERED = ("answer", "clarify", "safety_check")
# As long as the widget takes.
LONG = "my calf is a little sore after running and it cramps at night. " * 60


async def say(bot: LiveBot, http: aiohttp.ClientSession, address: str, sender: str, text: str) -> str:
    """Sends a message from an address and gives what came of it: the status, or the kind of the reply."""
    headers = {"X-Forwarded-For": address}
    async with http.post(
        f"{bot.url}/webhooks/rest/webhook", json={"sender": sender, "message": text}, headers=headers
    ) as answer:
        if answer.status != HTTPStatus.OK:
            await answer.read()
            return str(answer.status)
        return next((m["custom"]["kind"] for m in await answer.json() if "custom" in m), "no reply")


async def measure(bot: LiveBot, seconds: float, rate: float, addresses: int, text: str) -> dict[str, Any]:
    """Lets people write while `addresses` flood, and gives the times in milliseconds that people had an answer after.

    Who is told to come back hears so at once; such replies are counted (`fallback`) and not timed.
    """
    times: list[float] = []
    answers: Counter[str] = Counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def says(number: int, text: str) -> str:
            return await say(bot, http, f"198.51.100.{number}", f"person-{addresses}-{number}", text)

        async def person(number: int) -> None:
            await asyncio.sleep(PEOPLES_PAUSE * number / PEOPLE)
            for question in itertools.cycle(QUESTIONS):
                if time.monotonic() > ends:
                    return
                started = time.monotonic()
                came = await says(number, question)
                answers[f"people: {came}"] += 1
                if came in ANSWERED:
                    times.append(1000 * (time.monotonic() - started))
                await asyncio.sleep(PEOPLES_PAUSE)

        async def one_of_the_flood(number: int) -> None:
            here = number % addresses
            try:
                answers[
                    f"flood: {await say(bot, http, f'10.1.{here // 250}.{here % 250}', f'flood-{here}', text)}"
                ] += 1
            except aiohttp.ClientError:
                answers["flood: cut"] += 1

        for number in range(PEOPLE):  # their conversations begin before the flood
            await says(number, "my calf cramps")
        ends = time.monotonic() + seconds
        people = [asyncio.ensure_future(person(number)) for number in range(PEOPLE)]
        flood: set[asyncio.Task[None]] = set()
        for number in itertools.count():
            if not addresses or time.monotonic() > ends:
                break
            task = asyncio.ensure_future(one_of_the_flood(number))
            flood.add(task)
            task.add_done_callback(flood.discard)
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*people)
        await asyncio.gather(*flood)
    waited = {"p50_ms": round(median(times)), "p95_ms": round(quantiles(times, n=20)[-1])} if len(times) > 1 else {}
    return {**waited, **dict(sorted(answers.items()))}


async def compare(bot: LiveBot, seconds: float, rate: float) -> dict[str, Any]:
    """Measures without a flood and under each kind."""
    await measure(bot, 5, rate, 0, "")  # the first turns are slower
    return {
        "idle": await measure(bot, seconds, rate, 0, ""),
        "one address": await measure(bot, seconds, rate, 1, "what causes cramps?"),
        "a thousand addresses": await measure(bot, seconds, rate, 1000, "what causes cramps?"),
        "one address, long messages": await measure(bot, seconds, rate, 1, LONG),
    }


def main() -> int:
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(description="How long people wait while others flood")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--rate", type=float, default=150, help="messages of the flood a second")
    chosen = parser.parse_args()
    current_model()
    with tempfile.TemporaryDirectory() as folder, live_bot(Path(folder)) as bot:
        print(json.dumps(asyncio.run(compare(bot, chosen.seconds, chosen.rate)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
