"""Speed and memory of the running bot: `python -m bot.evaluation.speed`.

One client, one message after another, over HTTP with the SQLite store and the action server.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bot.evaluation.live import LiveBot, live_bot
from bot.evaluation.nlu import read_rows
from bot.train import ROOT, current_model

MESSAGES = 300
WARM_UP = 20


def measure(bot: LiveBot, texts: list[str]) -> dict[str, Any]:
    """Sends texts in conversations of five turns and gives milliseconds a turn and memory in MB."""
    times = []
    sender = bot.conversation()
    for number, text in enumerate(texts):
        if number % 5 == 0:
            sender = bot.conversation()
        started = time.perf_counter()
        bot.say(text, sender)
        times.append((time.perf_counter() - started) * 1000)
    times = times[WARM_UP:]
    cuts = quantiles(times, n=100)
    return {
        "turns": len(times),
        "p50_ms": round(median(times), 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
        "memory_mb": memory_mb(bot.process.pid),
    }


def memory_mb(pid: int) -> dict[str, int]:
    """Gives the resident memory of the supervisor's children by name, and their sum."""
    found = {name: sum(_resident(child) for child in pids) for name, pids in part_pids(pid).items()}
    return {**found, "together": sum(found.values())}


def part_pids(pid: int) -> dict[str, list[int]]:
    """Gives the processes of the supervisor's parts by name."""
    found: dict[str, list[int]] = {}
    for child in _descendants(pid):
        command = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
        name = "bot" if "rasa_cli" in command else "actions" if "action_server" in command else ""
        if name:
            found.setdefault(name, []).append(child)
    return found


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) // 1024


def _descendants(pid: int) -> list[int]:
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid for child in children for pid in (child, *_descendants(child))]


def main() -> int:
    """Measures and prints one JSON object."""
    current_model()
    rows = read_rows(ROOT / "evaluation" / "utterances.jsonl")
    texts = [row["text"] for row in rows][: MESSAGES + WARM_UP]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, live_bot(Path(folder)) as bot:
        start_up = round(time.perf_counter() - started, 1)
        print(json.dumps({"start_up_s": start_up, **measure(bot, texts)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
