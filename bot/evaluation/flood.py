"""How long people wait while others flood: `make flood` (`python -m bot.evaluation.flood`).

A few people write now and then, first alone, then while one address floods, then a thousand; the flood's messages come
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
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from bot.evaluation.live import LiveBot, live_bot
from bot.train import current_model

PEOPLE, PEOPLES_PAUSE = 5, 1.0
QUESTIONS = ("what causes cramps in my calf?", "what helps?", "how do i prevent it?", "when should i see a doctor?")
# As long as the widget takes.
LONG = "my calf is a little sore after running and it cramps at night. " * 60


async def say(bot: LiveBot, http: aiohttp.ClientSession, address: str, sender: str, text: str) -> int:
    """Sends a message from an address and gives the status."""
    headers = {"X-Forwarded-For": address}
    async with http.post(
        f"{bot.url}/webhooks/rest/webhook", json={"sender": sender, "message": text}, headers=headers
    ) as answer:
        await answer.read()
        return answer.status


async def measure(bot: LiveBot, seconds: float, rate: float, addresses: int, text: str) -> dict[str, Any]:
    """Lets people write while `addresses` flood, and gives their times in milliseconds."""
    times: list[float] = []
    answers: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def person(number: int) -> None:
            await asyncio.sleep(PEOPLES_PAUSE * number / PEOPLE)
            for question in itertools.cycle(QUESTIONS):
                if time.monotonic() > ends:
                    return
                started = time.monotonic()
                status = await say(bot, http, f"198.51.100.{number}", f"person-{addresses}-{number}", question)
                times.append(1000 * (time.monotonic() - started))
                answers[f"people: {status}"] += 1
                await asyncio.sleep(PEOPLES_PAUSE)

        async def one_of_the_flood(number: int) -> None:
            here = number % addresses
            try:
                answers[
                    f"flood: {await say(bot, http, f'10.1.{here // 250}.{here % 250}', f'flood-{here}', text)}"
                ] += 1
            except aiohttp.ClientError:
                answers["flood: cut"] += 1

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
    return {"p50_ms": round(median(times)), "p95_ms": round(quantiles(times, n=20)[-1]), **dict(answers)}


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
