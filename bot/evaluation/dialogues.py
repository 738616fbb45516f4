"""Dialogue figures: conversations over HTTP with a running bot."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.evaluation.live import LiveBot, Reply


@dataclass(frozen=True)
class TurnResult:
    """One turn with what was wrong with the reply; nothing wrong means passed."""

    dialogue: str
    user: str
    reply: str
    faults: tuple[str, ...]


def run(bot: LiveBot, dialogues: Sequence[dict[str, Any]]) -> list[TurnResult]:
    """Has every conversation, each with a sender of its own."""
    results = []
    for dialogue in dialogues:
        sender = bot.conversation()
        for turn in dialogue["turns"]:
            reply = bot.say(turn["user"], sender)
            results.append(TurnResult(dialogue["id"], turn["user"], reply.text, tuple(_faults(reply, turn["expect"]))))
    return results


def _faults(reply: Reply, expect: dict[str, Any]) -> list[str]:
    text = " " + re.sub(r"\s+", " ", reply.text.lower())
    faults = [
        f"mentions none of {group}"
        for group in expect.get("must_mention_any") or []
        if not any(option.lower() in text for option in group)
    ]
    faults += [f"mentions '{word}'" for word in expect.get("must_not_mention") or [] if word.lower() in text]
    kind = expect.get("kind")
    if kind and reply.custom.get("kind") != kind:
        faults.append(f"kind is {reply.custom.get('kind')}, not {kind}")
    return faults


def figures(results: Sequence[TurnResult]) -> dict[str, Any]:
    """Gives the shares of turns and of whole conversations without a fault."""
    failed = {result.dialogue for result in results if result.faults}
    names = {result.dialogue for result in results}
    return {
        "dialogues": len(names),
        "turns": len(results),
        "turns_passed": round(sum(not r.faults for r in results) / len(results), 4),
        "dialogues_passed": round(1 - len(failed) / len(names), 4),
    }


def read_dialogues(path: Path) -> list[dict[str, Any]]:
    """Reads a file of the schema of shared/eval/dev_dialogues.jsonl."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
