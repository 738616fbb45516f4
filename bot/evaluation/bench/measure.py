"""What is measured of a bot: one round of it, and how it grows."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from bot.evaluation.bench import load
from bot.evaluation.bench.bots import Bot
from bot.evaluation.bench.sizes import Sizes
from bot.evaluation.live import LiveBot
from bot.evaluation.processes import cpu_seconds, memory_mb, tree

# So many times as long as a crowd writes, as a p99 hangs on the hundredth part of the turns.
HALF_LOAD = 3


def one_round(bot: Bot, sizes: Sizes, texts: Sequence[str]) -> dict[str, Any]:
    """Starts a bot and measures everything about it that is measured while it runs."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with bot.running(Path(folder)) as running:
            found: dict[str, Any] = {"start_up_s": round(time.perf_counter() - started, 1)}
            return found | asyncio.run(_loads(running, sizes, texts))


async def _loads(bot: LiveBot, sizes: Sizes, texts: Sequence[str]) -> dict[str, Any]:
    pids = tree(bot.process.pid)
    await load.one_by_one(bot.url, texts[: sizes.warm_up])
    # Half of the calm messages before the load and half after it, so that a slow minute of the machine hits both.
    before = cpu_seconds(pids)
    http = await load.one_by_one(bot.url, texts[: sizes.turns])
    cpu_ms = (cpu_seconds(pids) - before) * 1000 / max(1, len(http.times))
    calm_mb = memory_mb(pids)
    socket = await load.over_socket(bot.url, texts[: sizes.turns])
    crowds = {str(n): await load.at_once(bot.url, texts, n, sizes.seconds) for n in sizes.people}
    highest = max(crowd["messages_a_second"] for crowd in crowds.values())
    return {
        "http": http.figures(),
        "socket": socket.figures(),
        "cpu_ms": round(cpu_ms, 1),
        "memory_mb": round(calm_mb),
        "memory_after_load_mb": round(memory_mb(pids)),
        "people": crowds,
        "half_load": await load.at_rate(bot.url, texts, max(0.5, highest / 2), HALF_LOAD * sizes.seconds),
        "turn_in_conversation": await load.by_length(bot.url, texts, sizes.lengths, sizes.conversations),
    }


def calm_turns(bot: Bot, sizes: Sizes, texts: Sequence[str]) -> dict[str, Any]:
    """Measures start-up, memory and calm turns over HTTP only."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with bot.running(Path(folder)) as running:
            start_up = round(time.perf_counter() - started, 1)
            asyncio.run(load.one_by_one(running.url, texts[: sizes.warm_up]))
            waits = asyncio.run(load.one_by_one(running.url, texts[: sizes.turns]))
            return {"start_up_s": start_up, "memory_mb": round(memory_mb(tree(running.process.pid)))} | waits.figures()


def installed_mb(names: Iterable[str]) -> float:
    """Gives the size of installed packages with all that they need."""
    seen: dict[str, Distribution] = {}
    waiting = [(Requirement(name).name, tuple(Requirement(name).extras)) for name in names]
    while waiting:
        name, extras = waiting.pop()
        key = name.lower().replace("_", "-").replace(".", "-")
        if key in seen:
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:  # for another platform, or replaced by requirements/overrides.txt
            continue
        seen[key] = found
        for line in found.requires or ():
            needed = Requirement(line)
            if not needed.marker or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((needed.name, tuple(needed.extras)))
    files = {Path(str(file.locate())) for each in seen.values() for file in each.files or ()}
    return round(sum(path.stat().st_size for path in files if path.is_file()) / 2**20)


def run_requirements(file: Path) -> list[str]:
    """Gives the packages of a requirements file."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("-")]
