"""Measures the red-flag screen: `make evaluate-safety` or `python -m bot.evaluation.safety [--write] [FILE.jsonl ...]`.

Prints recall by urgency and category, false alarms by family, the share of each layer, every miss and every false
alarm, and draws recall against false alarms over the threshold. Intervals are Wilson's at 95 %. `--write` puts the
figures of the project's own sets into docs/safety-evaluation.md.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from bot.channels.turns import typed
from bot.core.checks import region_of
from bot.core.screen import Urgency
from bot.knowledge.safety import load_safety
from bot.language.safety import load_reader
from bot.train import ROOT, current_model

HELD_OUT, DEVELOPMENT = ROOT / "evaluation" / "redflags.jsonl", ROOT / "evaluation" / "redflags_dev.jsonl"
FRESH, UNSEEN, BLUNT, STORIES = (
    ROOT / "evaluation" / f"redflags_{name}.jsonl" for name in ("fresh", "unseen", "dev_blunt", "dev_stories")
)
ORDINARY = ROOT / "evaluation" / "utterances.jsonl"
RESULTS, DOCUMENT = ROOT / "results", ROOT / "docs" / "safety-evaluation.md"
TEMPLATE = Path(__file__).with_name("safety_evaluation.md")
URGENCIES = ("emergency", "urgent", "soon")
# Thoughts of suicide have an urgency of their own in some files.
COUNTED_AS = {"crisis": "emergency"}
ASK = "safety_check"
IN_TIME = {"emergency": ("emergency", "crisis"), "urgent": ("emergency", "crisis", "urgent")}
_Z = 1.959964


@dataclass(frozen=True)
class Row:
    """One labelled text with what each layer made of it.

    Attributes:
        rule: The rule that fires by itself, if any.
        danger: The learned screen's probability of danger.
        kind: Kind of the reply of both layers together; empty for an ordinary answer.
    """

    text: str
    red_flag: bool
    category: str
    urgency: str
    rule: str
    danger: float
    kind: str

    @property
    def alarmed(self) -> bool:
        """Whether the reply sends to help; a safety question does not count."""
        return bool(self.kind) and self.kind != ASK

    @property
    def in_time(self) -> bool:
        """Whether the reply is at least as urgent as the label."""
        return self.kind in IN_TIME.get(self.urgency, ("emergency", "crisis", "urgent"))


Found = Callable[[Row], bool]


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Gives Wilson's 95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    share, spread = hits / total, _Z * _Z / total
    middle = share + spread / 2
    half = _Z * sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def measure(path: Path) -> list[Row]:
    """Runs a file of labelled texts through the trained model."""
    from rasa.core.agent import Agent
    from rasa.utils.log_utils import configure_structlog

    configure_structlog(logging.ERROR)  # below that, Rasa prints each message
    agent = Agent.load(str(current_model()))
    raw = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return asyncio.run(_rows(agent, raw))


async def _rows(agent: Any, raw: Iterable[dict[str, Any]]) -> list[Row]:
    kinds = {reply.id: reply.kind for reply in load_safety().replies}
    reader, rows = load_reader(), []
    for item in raw:
        parsed = await agent.parse_message(typed(item["text"]))
        reply = (parsed.get("safety") or {}).get("reply", "")
        kind = (ASK if region_of(reply) else kinds.get(reply, "emergency")) if reply else ""
        worst = reader.read(item["text"]).worst
        row = Row(
            text=item["text"],
            red_flag=item.get("red_flag", item.get("intent") == "red_flag"),
            category=item.get("category") or item.get("intent") or "",
            urgency=COUNTED_AS.get(item.get("urgency") or "", item.get("urgency") or ""),
            rule=worst.rule if worst else "",
            danger=float(parsed["danger_probability"]),
            kind=kind,
        )
        rows.append(row)
    return rows


def layers(threshold: float) -> dict[str, Found]:
    """Gives each layer's own alarm, and both together."""
    return {
        "rules alone": lambda row: bool(row.rule),
        f"learned screen alone, from {threshold:g}": lambda row: row.danger >= threshold,
        "both, as built": lambda row: row.alarmed,
        "both, safety questions counted": lambda row: bool(row.kind),
    }


def figures(rows: Sequence[Row], found: Found) -> dict[str, dict[str, Any]]:
    """Gives recall by urgency and the share of false alarms, with intervals."""
    groups = {name: [found(row) for row in rows if row.red_flag and row.urgency == name] for name in URGENCIES}
    groups["false_alarms"] = [found(row) for row in rows if not row.red_flag]
    return {name: _figure(outcomes) for name, outcomes in groups.items() if outcomes}


def evaluate(path: Path) -> dict[str, Any]:
    """Prints the report of a file, draws its curve, and gives the main figures of each layer."""
    rows = measure(path)
    result = {name: figures(rows, found) for name, found in layers(_threshold()).items()}
    print(report(rows, result))
    RESULTS.mkdir(exist_ok=True)
    draw(rows, RESULTS / f"{path.stem}-curve.png")
    return result


def report(rows: Sequence[Row], result: dict[str, Any]) -> str:
    """Gives the figures and every fault as text."""
    flags, others = [row for row in rows if row.red_flag], [row for row in rows if not row.red_flag]
    lines = [layer_table(result), "", "Recall by category", *_by(flags, lambda row: row.alarmed)]
    lines += ["", "False alarms by family", *_by(others, lambda row: row.alarmed)]
    lines += ["", "Misses (ask: a safety question is asked)"]
    missed = [row for row in flags if not row.alarmed]
    lines += [f"  {r.urgency:9} {r.kind and 'ask':3} {r.danger:.2f} {r.category}: {r.text}" for r in missed]
    lines += ["", "Too mild"]
    mild = [row for row in flags if row.alarmed and not row.in_time]
    lines += [f"  {r.urgency:9} {r.kind}: {r.rule or 'learned'}: {r.text}" for r in mild]
    lines += ["", "False alarms"]
    lines += [f"  {r.kind} {r.danger:.2f} {r.rule or 'learned'} {r.category}: {r.text}" for r in others if r.alarmed]
    return "\n".join(lines)


def layer_table(result: dict[str, Any]) -> str:
    """Gives a Markdown table of the layers' figures."""
    head = "| layer | emergencies found | urgent found | soon found | false alarms |\n| --- | --- | --- | --- | --- |"
    cells = [[_cell(row.get(name)) for name in (*URGENCIES, "false_alarms")] for row in result.values()]
    return "\n".join([head, *(f"| {name} | {' | '.join(row)} |" for name, row in zip(result, cells, strict=True))])


def _cell(figure: dict[str, Any] | None) -> str:
    return f"{figure['share']:.2f} ({figure['interval'][0]:.2f}–{figure['interval'][1]:.2f})" if figure else "–"


def _by(rows: Sequence[Row], found: Found) -> list[str]:
    names = sorted({row.category for row in rows})
    outcomes = {name: [found(row) for row in rows if row.category == name] for name in names}
    return [_share(name, hits) for name, hits in outcomes.items()]


def _share(name: str, outcomes: list[bool]) -> str:
    hits, total = sum(outcomes), len(outcomes)
    low, high = wilson(hits, total)
    return f"  {name:22} {hits:4}/{total:<4} {hits / total if total else 0:.3f}  [{low:.3f}, {high:.3f}]"


def _figure(outcomes: list[bool]) -> dict[str, Any]:
    low, high = wilson(sum(outcomes), len(outcomes))
    share = sum(outcomes) / len(outcomes)
    return {"share": round(share, 4), "of": len(outcomes), "interval": [round(low, 3), round(high, 3)]}


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draws recall of emergencies against false alarms over the learned screen's threshold."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    flags = np.array([row.danger for row in rows if row.red_flag and row.urgency == Urgency.EMERGENCY.name.lower()])
    others = np.array([row.danger for row in rows if not row.red_flag])
    if not len(flags) or not len(others):
        return
    thresholds = np.linspace(0, 1, 201)
    figure, axes = pyplot.subplots(figsize=(6, 5))
    curve = np.array([((others >= t).mean(), (flags >= t).mean()) for t in thresholds])
    axes.plot(curve[:, 0], curve[:, 1], label="learned screen")
    for name, found in layers(_threshold()).items():
        point = figures(rows, found)
        axes.plot(point["false_alarms"]["share"], point["emergency"]["share"], "o", label=name)
    axes.set(xlabel="false alarms", ylabel="emergencies found", xlim=(0, 0.4), ylim=(0.5, 1.005), title=file.stem)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=110, bbox_inches="tight")
    pyplot.close(figure)


def write_document() -> None:
    """Writes docs/safety-evaluation.md from its template and fresh figures."""
    values: dict[str, str] = {}
    held_out = {"held_out": HELD_OUT, "fresh": FRESH, "unseen": UNSEEN}
    files = {**held_out, "development": DEVELOPMENT, "blunt": BLUNT, "stories": STORIES}
    for key, path in files.items():
        rows = measure(path)
        values[f"{key}_layers"] = layer_table({n: figures(rows, f) for n, f in layers(_threshold()).items()})
        flags, others = [row for row in rows if row.red_flag], [row for row in rows if not row.red_flag]
        values[f"{key}_categories"] = "\n".join(_by(flags, lambda row: row.alarmed))
        values[f"{key}_families"] = "\n".join(_by(others, lambda row: row.alarmed))
        values[f"{key}_rows"] = str(len(rows))
    ordinary = [row for row in measure(ORDINARY) if not row.red_flag]
    values["ordinary_alarms"] = _share("alarms", [row.alarmed for row in ordinary]).strip()
    values["ordinary_questions"] = _share("safety questions", [row.kind == ASK for row in ordinary]).strip()
    text = TEMPLATE.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"Written: {DOCUMENT.relative_to(ROOT)}")


def _threshold() -> float:
    """Gives the probability from which the learned screen acts by itself."""
    import yaml

    pipeline = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))["pipeline"]
    return float(next(part["sure"] for part in pipeline if part["name"].endswith("LearnedScreen")))


def main() -> None:
    """Prints the report of the files that are named, or of the held-out set."""
    files = [Path(argument) for argument in sys.argv[1:] if argument != "--write"]
    for path in files or [HELD_OUT]:
        print(f"\n== {path.name}")
        evaluate(path)
    if "--write" in sys.argv:
        write_document()


if __name__ == "__main__":
    main()
