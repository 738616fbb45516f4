"""How many processes, cores and gigabytes a number of people needs: `python -m bot.evaluation.sizing`.

Computed from what was measured (`evaluation/sizing.json`). With --measure that is measured anew, in about a minute,
with a PostgreSQL and a Redis started for it; with --write the table goes into docs/scaling.md.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from bot.database import open_engine
from bot.evaluation import servers
from bot.evaluation.live import LiveBot, live_bot
from bot.evaluation.processes import cpu_seconds, memory_mb, of_module, tree
from bot.train import ROOT

INPUTS = ROOT / "evaluation" / "sizing.json"
MESSAGES = ROOT / "evaluation" / "utterances.jsonl"
WARM_UP, MEASURED, TURNS = 20, 500, 5
PAGE = ROOT / "docs" / "scaling.md"
BEGIN, END = "<!-- sizing: begin -->\n", "<!-- sizing: end -->"
PEOPLE = (10, 100, 1_000, 10_000)
MONTH_HOURS = 730


@dataclass(frozen=True)
class Inputs:
    """What a machine does and costs.

    Attributes:
        source: Where the figures come from.
        bot_cpu_ms: CPU time of the bot's process for one message.
        actions_cpu_ms: CPU time of its action server for one message.
        process_mb: Memory of both together, with what starts them.
        stored_bytes: What one message and its reply take in the database, indexes included.
        messages_per_minute: How fast a person who chats writes.
        load: Share of a core that is planned with; the rest is for peaks.
        core_hour, gb_hour: Price of a core and of a gigabyte of memory for an hour, in the same currency.
    """

    source: str
    bot_cpu_ms: float
    actions_cpu_ms: float
    process_mb: float
    stored_bytes: float
    messages_per_minute: float
    load: float
    core_hour: float
    gb_hour: float


@dataclass(frozen=True)
class Size:
    """What a number of people who chat at the same time needs."""

    people: int
    messages_per_second: float
    processes: int
    cores: float
    memory_gb: float
    cost_per_million: float


def size(people: int, inputs: Inputs) -> Size:
    """Computes the need; a bot's process uses one core at most, its action server runs beside it."""
    rate = people * inputs.messages_per_minute / 60
    processes = max(1, math.ceil(rate * inputs.bot_cpu_ms / 1000 / inputs.load))
    cores = rate * (inputs.bot_cpu_ms + inputs.actions_cpu_ms) / 1000 / inputs.load
    memory = processes * inputs.process_mb / 1024
    hour = max(cores, 1) * inputs.core_hour + memory * inputs.gb_hour
    return Size(people, rate, processes, cores, memory, hour / (rate * 3600) * 1e6)


def table(inputs: Inputs) -> str:
    """Gives the table of docs/scaling.md, with the figures that it rests on."""
    rows = [size(people, inputs) for people in PEOPLE]
    per_core = inputs.load / (inputs.bot_cpu_ms + inputs.actions_cpu_ms) * 1000 / inputs.messages_per_minute * 60
    lines = [
        "| people at once | messages a second | bot processes | cores | memory, GB | cost of a million messages |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {r.people:,} | {r.messages_per_second:.1f} | {r.processes} | {max(r.cores, 0.1):.1f} | "
            f"{r.memory_gb:.1f} | {r.cost_per_million:.2f} |"
            for r in rows
        ),
        "",
        f"One core serves about {per_core:,.0f} people who chat at once. A million messages take about "
        f"{inputs.stored_bytes * 1e6 / 1e9:.1f} GB in the database until they expire.",
        "",
        f"It rests on {inputs.bot_cpu_ms:g} ms of CPU in the bot and {inputs.actions_cpu_ms:g} ms in its action server "
        f"a message, {inputs.process_mb:,.0f} MB for both, {inputs.stored_bytes:,.0f} bytes stored a message "
        f"({inputs.source}). Assumed are {inputs.messages_per_minute:g} messages a minute from each person who chats, "
        f"cores loaded to {inputs.load:.0%}, and prices of {inputs.core_hour:g} for a core and {inputs.gb_hour:g} for "
        "a gigabyte an hour.",
    ]
    return "\n".join(lines) + "\n"


def read(path: Path = INPUTS) -> Inputs:
    """Reads the measured figures."""
    return Inputs(**json.loads(path.read_text(encoding="utf-8")))


def measured(before: Inputs) -> Inputs:
    """Measures a bot over REST with PostgreSQL and Redis; the assumptions stay as they are."""
    texts = [json.loads(line)["text"] for line in MESSAGES.read_text(encoding="utf-8").splitlines()]
    with (
        servers.postgres() as postgres,
        servers.redis() as redis,
        tempfile.TemporaryDirectory() as folder,
        live_bot(Path(folder), DATABASE_URL=postgres.url, REDIS_URL=redis.url) as bot,
    ):
        _talk(bot, texts[:WARM_UP])
        pid, engine = bot.process.pid, open_engine(postgres.url)
        bots, actions = of_module(pid, "bot.rasa_cli"), of_module(pid, "bot.action_server")
        at_first = cpu_seconds(bots), cpu_seconds(actions), _stored(engine)
        _talk(bot, texts[WARM_UP : WARM_UP + MEASURED])
        after = cpu_seconds(bots), cpu_seconds(actions), _stored(engine)
        bot_s, actions_s, stored = ((late - early) / MEASURED for early, late in zip(at_first, after, strict=True))
        return replace(
            before,
            source=f"{MEASURED} messages over REST with PostgreSQL and Redis, `--measure`",
            bot_cpu_ms=round(bot_s * 1000, 1),
            actions_cpu_ms=round(actions_s * 1000, 1),
            process_mb=round(memory_mb(tree(pid))),
            stored_bytes=10 * round(stored / 10),
        )


def _talk(bot: LiveBot, texts: list[str]) -> None:
    """Writes messages in conversations of a few turns."""
    for start in range(0, len(texts), TURNS):
        sender = bot.conversation()
        for text in texts[start : start + TURNS]:
            bot.say(text, sender)


def _stored(engine: sa.engine.Engine) -> int:
    """Gives the bytes that the conversations take, indexes included."""
    with engine.connect() as connection:
        return int(connection.scalar(sa.text("select pg_total_relation_size('events')")))


def filled(page: str, inputs: Inputs) -> str:
    """Gives the page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table(inputs)}{END}{after}"


def main() -> int:
    """Measures if asked to; prints the table, or writes it into the page."""
    if "--measure" in sys.argv:
        INPUTS.write_text(json.dumps(asdict(measured(read())), indent=2) + "\n", encoding="utf-8")
    if "--write" in sys.argv:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), read()), encoding="utf-8")
    else:
        print(table(read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
