"""The bot under load while its parts are killed: `make chaos` (`python -m bot.evaluation.chaos --help`).

People write at a steady rate. At random moments a part is killed or made to hang, the store is locked, the disk fills
up. Counted is what each person saw. Somebody whose client cannot reach the bot is told so by the client (the widget
shows the emergency number then); that counts as `unreachable`, apart from the bot's own sentence (`apology`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot.evaluation.live import LiveBot, live_bot
from bot.evaluation.processes import of_module
from bot.knowledge.loader import load_knowledge
from bot.train import current_model

PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 0.5
HELD_SECONDS = 4.0
DISK_MB = 24
EMERGENCY = "crushing chest pain and my left arm is numb"
# A place that needs no safety question before it is answered; each person has one, so that mixed-up replies show.
PLACES = ("calf", "foot", "hand", "thigh", "arm")
# One message in so many is an emergency.
EMERGENCIES = 8
FAULTS = ("silent", "unscreened", "wrong_person", "lost_conversation")


@dataclass
class Person:
    """Somebody who talks about one place of the body, and what they saw."""

    name: str
    place: str
    said: int = 0
    knows: bool = False

    def next_message(self) -> str:
        """Gives the next thing that they write."""
        self.said += 1
        if self.said % EMERGENCIES == 0:
            return EMERGENCY
        return f"my {self.place} cramps after running" if self.said % EMERGENCIES == 1 else "what causes it?"

    def judge(self, text: str, reply: Mapping[str, Any], said: str) -> str:
        """Names what a reply was."""
        failed = load_knowledge().phrases["failure"].split("{")[0], load_knowledge().phrases["crowded"].split("{")[0]
        if said.startswith(failed):
            return "apology"
        if text == EMERGENCY:
            return "answered" if reply.get("kind") == "emergency" else "unscreened"
        about = reply.get("body_part")
        if about and about != self.place:
            return "wrong_person"
        if self.knows and not about and reply.get("kind") in ("answer", "clarify"):
            return "lost_conversation"
        self.knows = self.knows or about == self.place
        return "answered"


@dataclass
class Report:
    """What was seen."""

    seen: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Gives the counts, and times in seconds."""
        times = sorted(self.seconds) or [0.0]
        total = sum(self.seen.values())
        return {
            "messages": total,
            **dict(sorted(self.seen.items())),
            "answered_percent": round(100 * self.seen["answered"] / max(total, 1), 2),
            "p50_s": round(times[len(times) // 2], 3),
            "p99_s": round(times[len(times) * 99 // 100], 3),
            "longest_s": round(times[-1], 3),
            "struck": dict(sorted(self.struck.items())),
        }


Harm = Callable[[LiveBot], Awaitable[None]]


def _kill(module: str, number: signal.Signals) -> Harm:
    async def strike(bot: LiveBot) -> None:
        for pid in of_module(bot.process.pid, module):
            os.kill(pid, number)

    return strike


async def lock_store(bot: LiveBot) -> None:
    """Makes the store slow: another process holds its file."""
    code = (
        "import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1], timeout=10)\n"
        "c.execute('begin immediate')\ntime.sleep(float(sys.argv[2]))\nc.rollback()"
    )
    path = str(bot.log.parent / "conversations.db")
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", code, path, str(HELD_SECONDS))
    await holder.wait()


async def fill_disk(bot: LiveBot) -> None:
    """Fills the disk for a while; only where `--disk` gave the bot a small one of its own."""
    ballast = bot.log.parent / "ballast"
    if shutil.disk_usage(bot.log.parent).total > DISK_MB * 2 * 1_000_000:
        return
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * 65536):
                pass
    except OSError:
        await asyncio.sleep(HELD_SECONDS)
    finally:
        ballast.unlink(missing_ok=True)


# To add a victim, add a line: what happens to the running bot.
HARMS: dict[str, Harm] = {
    "kill-bot": _kill("bot.rasa_cli", signal.SIGKILL),
    "kill-actions": _kill("bot.action_server", signal.SIGKILL),
    "hang-actions": _kill("bot.action_server", signal.SIGSTOP),
    "slow-store": lock_store,
    "full-disk": fill_disk,
}


async def talk(bot: LiveBot, http: aiohttp.ClientSession, person: Person, report: Report) -> None:
    """Sends one message and notes what the person saw within their patience."""
    text, started = person.next_message(), time.monotonic()
    verdict = "unreachable"
    while time.monotonic() - started < PATIENCE_SECONDS:
        left = PATIENCE_SECONDS - (time.monotonic() - started)
        try:
            body = {"sender": person.name, "message": text}
            timeout = aiohttp.ClientTimeout(total=left)
            async with http.post(f"{bot.url}/webhooks/rest/webhook", json=body, timeout=timeout) as answer:
                messages = await answer.json()
        except asyncio.TimeoutError:
            verdict = "silent"
            break
        except (aiohttp.ClientError, ValueError):
            await asyncio.sleep(RETRY_SECONDS)
            continue
        said = "\n".join(message.get("text", "") for message in messages)
        custom: dict[str, Any] = next((message["custom"] for message in messages if message.get("custom")), {})
        verdict = person.judge(text, custom, said)
        report.seconds.append(time.monotonic() - started)
        break
    report.seen[verdict] += 1


async def run(bot: LiveBot, rate: float, minutes: float, pause: float, harms: list[str]) -> Report:
    """Lets people write for some minutes while parts are struck, then asks each what the bot still knows."""
    report, ends = Report(), time.monotonic() + minutes * 60
    idle = [Person(f"person-{number}", PLACES[number % len(PLACES)]) for number in range(max(10, int(rate * 15)))]
    everybody = list(idle)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def turn(person: Person) -> None:
            await talk(bot, http, person, report)
            idle.append(person)

        async def strike() -> None:
            while harms and time.monotonic() < ends:
                await asyncio.sleep(random.uniform(0.5, 1.5) * pause)
                name = random.choice(harms)
                report.struck[name] += 1
                await HARMS[name](bot)

        striking, turns = asyncio.ensure_future(strike()), set()
        while time.monotonic() < ends:
            if idle:
                turns.add(asyncio.ensure_future(turn(idle.pop(0))))
            await asyncio.sleep(1 / rate)
        await asyncio.gather(striking, *turns)
        await _until_well(bot, http)
        for person in everybody:
            person.said = 1  # so that the next message asks about what was said before
            await talk(bot, http, person, report)
    return report


async def _until_well(bot: LiveBot, http: aiohttp.ClientSession) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            async with http.get(f"{bot.url}/health") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.5)


@contextmanager
def small_disk() -> Iterator[Path]:
    """A small disk in memory; needs the right to mount."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def store_is_sound(folder: Path) -> bool:
    """Tells whether the stored conversations are whole."""
    with closing(sqlite3.connect(folder / "conversations.db")) as store:
        return bool(store.execute("pragma integrity_check").fetchone() == ("ok",))


def main() -> int:
    """Runs and prints a report as JSON; not 0 if anybody saw what nobody should."""
    parser = argparse.ArgumentParser(description="The bot under load while its parts are killed")
    parser.add_argument("--rate", type=float, default=20, help="messages a second")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--pause", type=float, default=20, help="seconds between two harms, on average")
    parser.add_argument("--harms", default=",".join(HARMS), help=f"some of {', '.join(HARMS)}; empty for none")
    parser.add_argument("--disk", action="store_true", help="on a small disk, for full-disk; needs the right to mount")
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    random.seed(chosen.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left running or mounted
    harms = [name for name in chosen.harms.split(",") if name and (chosen.disk or name != "full-disk")]
    current_model()
    with tempfile.TemporaryDirectory() as folder, small_disk() if chosen.disk else nullcontext(Path(folder)) as state:
        with live_bot(state) as bot:
            report = asyncio.run(run(bot, chosen.rate, chosen.minutes, chosen.pause, harms)).as_dict()
        sound = store_is_sound(state)
    print(json.dumps({**report, "store_sound": sound}, indent=1))
    return 0 if sound and not any(report.get(fault) for fault in FAULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
