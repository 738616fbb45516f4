"""The bot under load while its parts are killed: `make chaos` (`python -m bot.evaluation.chaos --help`).

People write at a steady rate, over the widget's socket. At random moments something is killed, made to hang or full
(`harms.py`). Counted is what each person saw within the time that people wait. At the end each is asked something that
only a bot knows which remembers them, and what they saw is compared with what is stored.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bot.chat import healthy
from bot.evaluation import harms, servers, stored
from bot.evaluation.harms import CLOCK, Target, adjustable_clock
from bot.evaluation.live import live_bot
from bot.evaluation.visitors import Sent, Visitor, visitor
from bot.knowledge.loader import load_knowledge
from bot.train import ROOT, current_model

PAGE = ROOT / "docs" / "chaos.md"
PATIENCE_SECONDS = 10.0
WELL_SECONDS = 120.0
# How long a late reply is waited for before the database is looked at.
LATE_SECONDS = 30.0
DISK_MB = {"alone": 24, "cluster": 400}
EMERGENCY = "crushing chest pain and my left arm is numb"
# A place that needs no safety question before it is answered; each person has one, so that mixed-up replies show.
PLACES = ("calf", "foot", "hand", "thigh", "arm")
# The phrase that takes an emergency back, as its button does.
TAKEN_BACK = "button_false_alarm"
# One message in so many is an emergency.
EMERGENCIES = 8
# So many people for one message a second: nobody writes faster than a person does.
PEOPLE_PER_RATE, FEWEST_PEOPLE = 15, 10
ANSWERED, APOLOGY, LATE, UNREACHABLE = "answered", "apology", "late", "unreachable"
# What must never be.
FAULTS = (
    "unscreened", "wrong_person", "lost_conversation",
    stored.NOT_STORED, stored.TWICE, stored.OUT_OF_ORDER, stored.CHANGED,
)  # fmt: skip
CALM, END = "no harm", "asked at the end"
BEGIN_MARK, END_MARK = "<!-- {}: begin -->\n", "<!-- {}: end -->"


@dataclass
class Person:
    """Somebody who talks about one place of the body, and what they saw."""

    place: str
    said: int = 0
    knows: bool = False
    alarmed: bool = False
    told: bool = False

    def next_message(self) -> str:
        """Gives the next thing that they write.

        An alarm stands until they take it back. What was not answered may not have been read: then they say again where
        it hurts.
        """
        self.said += 1
        if self.said % EMERGENCIES == 0:
            self.alarmed, self.told = True, False  # also if the reply comes too late to be seen
            return EMERGENCY
        if self.alarmed:
            return load_knowledge().phrases[TAKEN_BACK]
        return "what causes it?" if self.told else f"my {self.place} cramps after running"

    def judge(self, text: str, reply: Mapping[str, Any], said: str) -> str:
        """Names what a reply was."""
        if apologises(said):
            return APOLOGY
        if text == EMERGENCY:
            return ANSWERED if reply.get("kind") == "emergency" else "unscreened"
        if self.alarmed:  # what is said then may still be about the emergency
            self.alarmed = text != load_knowledge().phrases[TAKEN_BACK]
            return ANSWERED
        about = reply.get("body_part")
        self.told = self.told or self.place in text
        if about and about != self.place:
            return "wrong_person"
        if self.knows and not about and reply.get("kind") in ("answer", "clarify"):
            return "lost_conversation"
        self.knows = self.knows or about == self.place
        return ANSWERED


def apologises(said: str) -> bool:
    """Tells whether a text is one of those that are given when something went wrong."""
    phrases = (load_knowledge().phrases[key] for key in ("failure", "crowded", "web_slow_down"))
    return said.startswith(tuple(phrase.split("{")[0] for phrase in phrases))


@dataclass
class Report:
    """What was seen, by the harm that was done last."""

    harm: str = CALM
    began: float = field(default_factory=time.monotonic)
    seen: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    minutes: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    struck: Counter[str] = field(default_factory=Counter)
    timeline: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, harm: str, verdict: str, seconds: float) -> None:
        """Counts a message."""
        self.seen[harm][verdict] += 1
        self.minutes[int((time.monotonic() - self.began) / 60)][verdict] += 1
        self.seconds[harm].append(seconds)

    def as_dict(self) -> dict[str, Any]:
        """Gives the counts, and times in seconds."""
        everything = sum(self.seen.values(), Counter[str]())
        times = [each for harm in self.seconds.values() for each in harm]
        return {
            **_row(everything, times),
            **dict(sorted(everything.items())),
            "harms": {
                name: {"times": self.struck[name], **_row(seen, self.seconds[name]), **dict(sorted(seen.items()))}
                for name, seen in sorted(self.seen.items())
            },
            "by_minute": {minute: dict(sorted(seen.items())) for minute, seen in sorted(self.minutes.items())},
            "timeline": self.timeline,
            "faults": self.faults,
        }


def _row(seen: Counter[str], seconds: list[float]) -> dict[str, Any]:
    times, messages = sorted(seconds) or [0.0], sum(seen.values())
    return {
        "messages": messages,
        "answered_percent": round(100 * seen[ANSWERED] / max(messages, 1), 2),
        "p50_s": round(times[len(times) // 2], 3),
        "p99_s": round(times[len(times) * 99 // 100], 3),
        "longest_s": round(times[-1], 3),
    }


@dataclass
class Talk:
    """A person at the widget, what they said, and when: by the message's id."""

    person: Person
    visitor: Visitor
    sent: list[Sent] = field(default_factory=list)
    when: dict[str, str] = field(default_factory=dict)

    async def turn(self, report: Report) -> None:
        """Sends one message and notes what the person saw within their patience."""
        harm, started = report.harm, time.monotonic()
        message = self.visitor.say(self.person.next_message())
        self.sent.append(message)
        self.when[message.id] = f"{time.monotonic() - report.began:.0f} s, {harm}"
        await asyncio.wait([message.reply], timeout=PATIENCE_SECONDS)
        verdict = self._verdict(message)
        report.note(harm, verdict, time.monotonic() - started)
        if verdict in FAULTS:
            report.faults.append(f"{verdict}: {self.when[message.id]}")

    def _verdict(self, message: Sent) -> str:
        if not message.reply.done():
            return UNREACHABLE if message.offline else LATE
        reply = message.reply.result()
        return self.person.judge(message.text, reply["metadata"]["custom"], reply["text"])

    def exchanges(self) -> list[stored.Exchange]:
        """Gives what was answered, also late: messages' ids and replies' texts."""
        replies = [(each.id, each.reply.result()["text"]) for each in self.sent if each.reply.done()]
        return [(turn, text) for turn, text in replies if not apologises(text)]


async def run(target: Target, rate: float, minutes: float, pause: float, names: list[str]) -> dict[str, Any]:
    """Lets people write for some minutes while harm is done, then looks at what the bot still knows."""
    report = Report()
    ends = report.began + minutes * 60
    async with AsyncExitStack() as stack:
        everybody = []
        for number in range(max(FEWEST_PEOPLE, int(rate * PEOPLE_PER_RATE))):
            one = await stack.enter_async_context(visitor(target.url, number + 1))
            everybody.append(Talk(Person(PLACES[number % len(PLACES)]), one))
        idle = list(everybody)

        async def turn(talk: Talk) -> None:
            await talk.turn(report)
            idle.append(talk)

        async def strike() -> None:
            bag: list[str] = []
            while names:
                wait = random.uniform(0.5, 1.5) * pause
                if time.monotonic() + wait > ends:
                    return
                await asyncio.sleep(wait)
                # Each once, in any order, before one comes again.
                bag = bag or random.sample(names, len(names))
                report.harm = bag.pop()
                report.struck[report.harm] += 1
                at = time.monotonic() - report.began
                report.timeline.append(f"{at:.0f} s: {await harms.strike(target, report.harm)}")
                print(report.timeline[-1], file=sys.stderr, flush=True)

        striking, turns = asyncio.ensure_future(strike()), []
        while time.monotonic() < ends:
            if idle:
                turns.append(asyncio.ensure_future(turn(idle.pop(0))))
            await asyncio.sleep(random.expovariate(rate))
        await asyncio.gather(striking, *turns)
        recovered = await _well(target)
        report.harm = END
        for talk in everybody:
            talk.person.said = 0  # so that the next message is no emergency but asks about what was said before
            turns.append(asyncio.ensure_future(talk.turn(report)))
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*turns)
        waiting = [each.reply for talk in everybody for each in talk.sent if not each.reply.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=LATE_SECONDS)
        seen = {str(talk.visitor.conversation): talk.exchanges() for talk in everybody}
        strange = sum(talk.visitor.strange for talk in everybody)
    differences = stored.differences(target.database, seen)
    when = {turn: at for talk in everybody for turn, at in talk.when.items()}
    report.faults += [f"{fault}: {when.get(turn)}{more}" for fault, turn, more in differences]
    found = report.as_dict()
    found["wrong_person"] = found.get("wrong_person", 0) + strange
    differing = Counter(each.fault for each in differences)
    found.update({fault: found.get(fault, 0) + differing[fault] for fault in FAULTS})
    return {**found, "people": len(everybody), "recovered": recovered, "sound": stored.is_sound(target.database)}


async def _well(target: Target) -> bool:
    until = time.monotonic() + WELL_SECONDS
    while time.monotonic() < until:
        if all(await asyncio.gather(*(asyncio.to_thread(healthy, bot.url) for bot in target.bots))):
            return True
        await asyncio.sleep(0.5)
    return False


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A small disk in memory; needs the right to mount."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def one_bot(folder: Path, disk: Path | None) -> Iterator[Target]:
    """One bot with a file as its database."""
    state = disk or folder
    with live_bot(state, **adjustable_clock(folder)) as bot:
        yield Target(bot.url, [bot], f"sqlite:///{state}/conversations.db", [folder / CLOCK], disk)


@contextmanager
def cluster(folder: Path, disk: Path | None) -> Iterator[Target]:
    """Two bots behind nginx with one PostgreSQL and one Redis, each started again when it dies."""
    with ExitStack() as stack:
        small = ("max_wal_size=64MB",) if disk else ()
        postgres = stack.enter_context(servers.postgres(*small, within=disk))
        redis = stack.enter_context(servers.redis())
        # Visitors have addresses of this machine, so only the proxy's own counts as a proxy.
        running = stack.enter_context(
            servers.cluster(folder, postgres, redis, own=adjustable_clock, WEB_PROXIES="127.0.0.1/32")
        )
        stack.enter_context(servers.kept_running(postgres, redis, running.proxy))
        parts = {"postgres": postgres, "redis": redis, "nginx": running.proxy}
        clocks = [bot.log.parent / CLOCK for bot in running.bots]
        yield Target(running.url, running.bots, postgres.url, clocks, disk, parts)


def is_clean(found: Mapping[str, Any]) -> bool:
    """Tells whether nothing was seen that must never be."""
    return bool(found["recovered"] and found["sound"] and not any(found[fault] for fault in FAULTS))


def table(found: Mapping[str, Any]) -> str:
    """Gives a report as Markdown."""
    rows = [("all", {"times": "", **found}), *found["harms"].items()]
    lines = [
        "| last harm | times | messages | answered | apology | late | unreachable | half within | longest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {row['times'] or ''} | {row['messages']:,} | {row['answered_percent']:.2f} % | "
            f"{row.get(APOLOGY, 0)} | {row.get(LATE, 0)} | {row.get(UNREACHABLE, 0)} | {row['p50_s']:.2f} s | "
            f"{row['longest_s']:.1f} s |"
            for name, row in rows
        ),
        "",
        f"{found['setting']}: {found['people']} people, {found['rate']:g} messages a second, "
        f"{found['minutes']:g} minutes, {found['when']}, {found['machine']}. "
        + ", ".join(f"{fault.replace('_', ' ')}: {found[fault]}" for fault in FAULTS)
        + f". All recovered by itself: {_yes(found['recovered'])}. Database whole: {_yes(found['sound'])}.",
    ]
    return "\n".join(lines) + "\n"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def filled(page: str, name: str, text: str) -> str:
    """Gives a page with a text between the marks of a name."""
    begin, end = BEGIN_MARK.format(name), END_MARK.format(name)
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{text}{end}{after}"


def machine() -> str:
    """Describes this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB"


def main() -> int:
    """Runs and prints a report; not 0 if anybody saw what nobody should."""
    parser = argparse.ArgumentParser(description="The bot under load while its parts are killed")
    parser.add_argument("--cluster", action="store_true", help="two bots behind nginx with PostgreSQL and Redis")
    parser.add_argument("--rate", type=float, default=20, help="messages a second")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--pause", type=float, default=20, help="seconds between two harms, on average")
    parser.add_argument("--harms", default=None, help="some of those that are possible, with commas; empty for none")
    parser.add_argument("--disk", action="store_true", help="on a small disk, for full-disk; needs the right to mount")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--write", action="store_true", help="put the table into docs/chaos.md")
    chosen = parser.parse_args()
    random.seed(chosen.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left running or mounted
    current_model()
    name, setting = ("cluster", cluster) if chosen.cluster else ("alone", one_bot)
    when = datetime.now(timezone.utc)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disk = stack.enter_context(small_disk(DISK_MB[name])) if chosen.disk else None
        target = stack.enter_context(setting(folder, disk))
        can = list(harms.possible(target))
        wanted = can if chosen.harms is None else [each for each in chosen.harms.split(",") if each]
        for missing in set(wanted) - set(can):
            parser.error(f"{missing} is not possible here; these are: {', '.join(can)}")
        found = asyncio.run(run(target, chosen.rate, chosen.minutes, chosen.pause, wanted))
    found |= {"setting": name, "rate": chosen.rate, "minutes": chosen.minutes, "machine": machine()}
    found["when"] = f"{when:%Y-%m-%d %H:%M} UTC"
    print(json.dumps(found, indent=1), table(found), sep="\n\n")
    if chosen.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), name, table(found)), encoding="utf-8")
    return 0 if is_clean(found) else 1


if __name__ == "__main__":
    sys.exit(main())
