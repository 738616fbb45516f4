"""The benchmark's document: tables, targets and plots."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

from bot.evaluation.bench.bots import DEFAULT, OURS
from bot.train import ROOT

TEMPLATE = Path(__file__).with_name("performance.md")
DOCUMENT, FIGURES = "performance.md", "performance.json"
LATENCY, GROWTH = "performance-latency.svg", "performance-growth.svg"
MISSING = "–"
Values = dict[str, Any]
Pick = Callable[[Values], Any]

ROWS: dict[str, Pick] = {
    "turn over HTTP, p50, ms": lambda r: r["http"]["p50_ms"],
    "turn over HTTP, p95, ms": lambda r: r["http"]["p95_ms"],
    "turn over HTTP, p99, ms": lambda r: r["http"]["p99_ms"],
    "turn over the widget's socket, p50, ms": lambda r: r["socket"]["p50_ms"],
    "turn over the widget's socket, p95, ms": lambda r: r["socket"]["p95_ms"],
    "turn over the widget's socket, p99, ms": lambda r: r["socket"]["p99_ms"],
    "messages a second, 1 conversation": lambda r: r["people"]["1"]["messages_a_second"],
    "messages a second, 10 conversations": lambda r: r["people"]["10"]["messages_a_second"],
    "messages a second, 100 conversations": lambda r: r["people"]["100"]["messages_a_second"],
    "p50 at half of the highest load, ms": lambda r: r["half_load"]["p50_ms"],
    "p99 at half of the highest load, ms": lambda r: r["half_load"]["p99_ms"],
    "processor time a message, ms": lambda r: r["cpu_ms"],
    "memory, MB": lambda r: r["memory_mb"],
    "memory after the load, MB": lambda r: r["memory_after_load_mb"],
    "start-up, s": lambda r: r["start_up_s"],
    "messages without a reply": lambda r: _unanswered(r),
}


def write(result: Values, folder: Path) -> None:
    """Writes the document and its plots."""
    bots = result["bots"]
    values = {
        "note": _note(result),
        "machine": f"{result['machine']}, {result['date']}",
        "rounds": str(result["sizes"]["rounds"]),
        "turns": str(result["sizes"]["turns"]),
        "seconds": f"{result['sizes']['seconds']:g}",
        "epochs": str(result["sizes"]["epochs"]),
        "targets": targets(result),
        "figures": figures(bots),
        "lengths": lengths(bots),
        "facts": growth(result.get("facts") or {}, "facts"),
        "rules": growth(result.get("rules") or {}, "times our rules"),
        "latency_plot": LATENCY,
        "growth_plot": GROWTH,
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    draw(result, folder)
    (folder / DOCUMENT).write_text(text, encoding="utf-8")
    print(f"Written: {(folder / DOCUMENT).relative_to(ROOT)}")


def machine() -> str:
    """Describes the machine without naming it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores = sum(line.startswith("processor") for line in lines)
    total = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{cores} cores ({model}), {total:.0f} GB, Linux, Python {platform.python_version()}"


def today() -> str:
    """Gives the date."""
    return datetime.now(timezone.utc).date().isoformat()


def middle(rounds: Sequence[Values], pick: Pick) -> float | None:
    """Gives the median over the rounds, or None when nothing was measured."""
    found = []
    for each in rounds:
        try:
            found.append(float(pick(each)))
        except (KeyError, TypeError):
            continue
    return median(found) if found else None


def figures(bots: Values) -> str:
    """Gives the medians over the rounds, the lowest and the highest in brackets."""
    rows = [(name, [_cell(bot["rounds"], pick) for bot in bots.values()]) for name, pick in ROWS.items()]
    for name, key in {
        "training, s": "seconds",
        "training, processor s": "cpu_seconds",
        "model, MB": "model_mb",
    }.items():
        rows.append((name, [_number(bot["training"][key]) for bot in bots.values()]))
    rows.append(("packages installed, MB", [_number(bot["installed_mb"]) for bot in bots.values()]))
    return _table(["", *bots], rows)


def targets(result: Values) -> str:
    """Gives what the bot must reach against the default, and what it reached."""
    rows = []
    for name, (found, limit, least) in _ratios(result).items():
        sign = "≥" if least else "≤"
        reached = MISSING if found is None else "yes" if (found >= limit if least else found <= limit) else "no"
        rows.append((name, [f"{sign} {limit} ×", MISSING if found is None else f"{found:.2f} ×", reached]))
    return _table(["", "wanted", "found", "reached"], rows)


def _ratios(result: Values) -> dict[str, tuple[float | None, float, bool]]:
    bots = result["bots"]

    def against(pick: Pick) -> float | None:
        ours, default = (middle((bots.get(name) or {}).get("rounds") or [], pick) for name in (OURS, DEFAULT))
        return ours / default if ours and default else None

    training = [(bots.get(name) or {}).get("training", {}).get("seconds") for name in (OURS, DEFAULT)]
    own = (bots.get(OURS) or {}).get("rounds") or []
    p50, p99 = (middle(own, ROWS[f"{name} at half of the highest load, ms"]) for name in ("p50", "p99"))
    facts = result.get("facts") or {}
    few, many = facts.get("302"), facts.get("30000")
    return {
        "median turn over HTTP, to the default's": (against(ROWS["turn over HTTP, p50, ms"]), 0.5, False),
        "messages a second (the highest of all), to the default's": (against(_highest), 2.5, True),
        "memory, to the default's": (against(ROWS["memory, MB"]), 0.6, False),
        "training, to the default's": (training[0] / training[1] if all(training) else None, 0.3, False),
        "start-up, to the default's": (against(ROWS["start-up, s"]), 0.5, False),
        "p99 to p50 at half of the highest load": (p99 / p50 if p50 and p99 else None, 3, False),
        "median turn with 30,000 facts, to that with 302": (
            many["p50_ms"] / few["p50_ms"] if few and many else None, 1.5, False,
        ),
    }  # fmt: skip


def _highest(found: Values) -> float:
    return max(float(crowd["messages_a_second"]) for crowd in found["people"].values())


def _unanswered(found: Values) -> int:
    parts = (found["http"], found["socket"], found["half_load"], *found["people"].values())
    return sum(int(part["failed"]) for part in parts)


def lengths(bots: Values) -> str:
    """Gives the median wait by the turn of a conversation."""
    turns = list(dict.fromkeys(t for bot in bots.values() for r in bot["rounds"] for t in r["turn_in_conversation"]))
    rows = [
        (
            f"turn {turn}",
            [_cell(bot["rounds"], _at(turn)) for bot in bots.values()],
        )
        for turn in turns
    ]
    return _table(["p50, ms", *bots], rows)


def _at(turn: str) -> Pick:
    return lambda found: found["turn_in_conversation"][turn]


def _percentile(part: str, name: str) -> Pick:
    return lambda found: found[part][f"{name}_ms"]


def growth(found: Values, what: str) -> str:
    """Gives how turns, memory, start-up and training grow."""
    if not found:
        return "Not measured in this run."
    keys = {"p50_ms": "p50, ms", "p95_ms": "p95, ms", "memory_mb": "memory, MB", "start_up_s": "start-up, s",
            "training_s": "training, s"}  # fmt: skip
    rows = [(f"{int(size):,}", [_number(values[key]) for key in keys]) for size, values in found.items()]
    return _table([what, *keys.values()], rows)


def _cell(rounds: Sequence[Values], pick: Pick) -> str:
    found = [value for value in (middle([each], pick) for each in rounds) if value is not None]
    if not found:
        return MISSING
    spread = f" ({_number(min(found))}–{_number(max(found))})" if len(found) > 1 else ""
    return f"{_number(median(found))}{spread}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _table(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)])


def _note(result: Values) -> str:
    if not result["quick"]:
        return ""
    return "**Made with `QUICK=1`: few messages, one round, hardly trained networks. Not a benchmark.**\n"


def draw(result: Values, folder: Path) -> None:
    """Draws latencies side by side, and what grows."""
    import matplotlib

    matplotlib.use("Agg")
    # Without these, each drawing of the same numbers is another file.
    matplotlib.rcParams["svg.hashsalt"] = FIGURES
    from matplotlib import pyplot

    bots = result["bots"]
    figure, axes = pyplot.subplots(figsize=(7, 4))
    names = [f"{part} {p}" for part in ("http", "socket") for p in ("p50", "p95", "p99")]
    for number, (name, bot) in enumerate(bots.items()):
        heights = [middle(bot["rounds"], _percentile(*each.split())) or 0 for each in names]
        axes.bar([place + number * 0.27 for place in range(len(names))], heights, 0.25, label=name)
    axes.set_xticks([place + 0.27 for place in range(len(names))], names)
    axes.set(ylabel="turn, ms")
    axes.legend()
    figure.savefig(folder / LATENCY, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.5))
    facts = result.get("facts") or {}
    left.plot([int(n) for n in facts], [values["p50_ms"] for values in facts.values()], "o-")
    left.set(xlabel="facts", ylabel="median turn, ms", xscale="log", ylim=(0, None))
    for name, bot in bots.items():
        turns = list(dict.fromkeys(t for r in bot["rounds"] for t in r["turn_in_conversation"]))
        heights = [middle(bot["rounds"], _at(t)) or 0 for t in turns]
        right.plot([int(turn) for turn in turns], heights, "o-", label=name)
    right.set(xlabel="turn of a conversation", ylim=(0, None))
    right.legend()
    figure.savefig(folder / GROWTH, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
