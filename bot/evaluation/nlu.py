"""NLU figures: intents (strict and lenient), out of scope, body parts and triggers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUT_OF_SCOPE = frozenset({"out_of_scope", "nlu_fallback"})
# Intents of ours that the contract does not know, and what they count as there.
OURS = {"nlu_fallback": "out_of_scope"}


@dataclass(frozen=True)
class Row:
    """One message of the evaluation set with what the model made of it."""

    text: str
    intent: str
    also_ok: tuple[str, ...]
    body_part: str | None
    trigger: str | None
    found: str
    questions: tuple[str, ...]
    found_parts: tuple[str, ...]
    found_triggers: tuple[str, ...]
    confidence: float

    @property
    def strict(self) -> bool:
        """Whether the best label was found."""
        return self.found == self.intent

    @property
    def lenient(self) -> bool:
        """Whether a defensible label was found."""
        return self.strict or self.found in self.also_ok


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads a file of the schema of shared/eval/dev_utterances.jsonl."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def parse(model: Path, rows: Sequence[dict[str, Any]]) -> list[Row]:
    """Parses every message with the trained model, in process."""
    from rasa.core.agent import Agent
    from rasa.utils.log_utils import configure_structlog

    configure_structlog(logging.ERROR)  # below that, Rasa prints each message
    agent = Agent.load(str(model))
    return asyncio.run(_parse(agent, rows))


async def _parse(agent: Any, rows: Sequence[dict[str, Any]]) -> list[Row]:
    parsed = []
    for row in rows:
        result = await agent.parse_message(row["text"])
        found = result["intent"]["name"]
        parsed.append(
            Row(
                text=row["text"],
                intent=row["intent"],
                also_ok=tuple(row.get("also_ok") or ()),
                body_part=row.get("body_part"),
                trigger=row.get("trigger"),
                found=OURS.get(found, found),
                questions=tuple(result.get("questions") or ()),
                found_parts=_values(result, "body_part"),
                found_triggers=_values(result, "trigger"),
                confidence=float(result["intent"]["confidence"]),
            )
        )
    return parsed


def _values(result: dict[str, Any], kind: str) -> tuple[str, ...]:
    return tuple(entity["value"] for entity in result["entities"] if entity["entity"] == kind)


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Gives the figures of one evaluation set; `red_flag` rows count as intents like the others."""
    outside = [row for row in rows if row.intent == "out_of_scope"]
    inside = [row for row in rows if row.intent != "out_of_scope"]
    parts = [row for row in rows if row.body_part]
    triggers = [row for row in rows if row.trigger]
    return {
        "messages": len(rows),
        "intent_strict": _share(row.strict for row in rows),
        "intent_lenient": _share(row.lenient for row in rows),
        "out_of_scope_recall": _share(row.found in OUT_OF_SCOPE for row in outside),
        "in_scope_sent_away": _share(row.found in OUT_OF_SCOPE for row in inside if "out_of_scope" not in row.also_ok),
        "body_part_recall": _share(row.body_part in row.found_parts for row in parts),
        "body_part_first": _share(row.found_parts[:1] == (row.body_part,) for row in parts),
        "body_part_false": _share(bool(row.found_parts) for row in rows if not row.body_part),
        "trigger_recall": _share(row.trigger in row.found_triggers for row in triggers),
        "trigger_false": _share(bool(row.found_triggers) for row in rows if not row.trigger),
        "per_intent": _per_intent(rows),
    }


def _per_intent(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    true, found, right = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        true[row.intent] += 1
        found[row.found] += 1
        right[row.intent] += row.strict
    return {
        name: {
            "messages": true[name],
            "recall": round(right[name] / true[name], 3),
            "precision": round(right[name] / found[name], 3) if found[name] else 0.0,
        }
        for name in sorted(true)
    }


def confusions(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Gives how often each intent was taken for which."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        table[row.intent][row.found] += 1
    return {name: dict(counts) for name, counts in table.items()}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws the confusion matrix, rows by true intent, shares of each row in colour."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    names = sorted({row.intent for row in rows} | {row.found for row in rows})
    counts = np.array([[confusions(rows).get(a, {}).get(b, 0) for b in names] for a in names], dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(13, 12))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("found")
    axes.set_ylabel("true")
    for i, j in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[i, j] > 0.5 else "black"
        axes.text(j, i, int(counts[i, j]), ha="center", va="center", color=colour, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _share(values: Iterable[bool]) -> float | None:
    counted = list(values)
    return round(sum(counted) / len(counted), 4) if counted else None
