"""Measures the fact retriever: `python -m bot.evaluation.retrieval [FILE.jsonl] [--mix]`.

Rows have `question` and `facts`, the ids of all facts that answer it; none means that the documents do not answer it.
`--mix` compares ways of mixing meaning, words and letters on the training questions alone, each left out in turn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.evaluation.safety import wilson
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.language.encoder import load_encoder
from bot.language.pipeline import plain, read
from bot.language.retrieval import UNANSWERED, WHOLE, Mix, QuestionIndex
from bot.nlu.fact_retriever import FactRetriever, entries, facts_of
from bot.train import ROOT

HELD_OUT = ROOT / "evaluation" / "questions.jsonl"
MIXES = (Mix(1, 0, 0), Mix(0.8, 0.1, 0.1), Mix(0.7, 0.15, 0.15), Mix(0.6, 0.2, 0.2), Mix(0.5, 0.25, 0.25))


@dataclass(frozen=True)
class Asked:
    """One question with what the index gives.

    Attributes:
        right: Leading facts that answer it.
        nearest: The three nearest leading facts, best first.
        told: The facts that the bot would tell, none if it is not sure.
    """

    question: str
    right: frozenset[str]
    nearest: tuple[str, ...]
    told: tuple[str, ...]


def measure(path: Path, index: QuestionIndex, k: Knowledge) -> list[Asked]:
    """Asks every question of a file."""
    retriever = FactRetriever(FactRetriever.get_default_config() | _options(), None, None)
    retriever._index = index
    asked = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = plain(read(row["question"]))
        found = index.compare(text, load_encoder().encode([text])[0]).ranked(5)
        right = frozenset(k.lead(fact) for fact in row["facts"])
        nearest = tuple(key for key, _ in facts_of(found)[:3])
        asked.append(Asked(row["question"], right, nearest, tuple(retriever.told(found))))
    return asked


def _options() -> dict[str, Any]:
    """Gives the retriever's options in config.yml."""
    import yaml

    pipeline = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))["pipeline"]
    return next((part for part in pipeline if part["name"].endswith("FactRetriever")), {})


def figures(asked: Sequence[Asked]) -> dict[str, Any]:
    """Gives recall, precision and the rate of false answers, with counts."""
    known = [a for a in asked if a.right]
    unknown = [a for a in asked if not a.right]
    told = [a for a in known if a.told]
    shares = {
        "recall@1": [a.nearest[0] in a.right for a in known],
        "recall@3": [bool(a.right & set(a.nearest)) for a in known],
        "told": [bool(a.told) for a in known],
        "precision of what is told": [a.told[0] in a.right for a in told],
        "false answers": [bool(a.told) for a in unknown],
    }
    return {name: _share(outcomes) for name, outcomes in shares.items()}


def _share(outcomes: list[bool]) -> dict[str, Any]:
    low, high = wilson(sum(outcomes), len(outcomes))
    share = sum(outcomes) / max(1, len(outcomes))
    return {"share": round(share, 3), "of": len(outcomes), "interval": [round(low, 3), round(high, 3)]}


def compare_mixes() -> None:
    """Prints recall@3 of each mix on the training questions, each question left out in turn."""
    k = load_knowledge()
    known = entries(k)
    rows = {text: key for key, text in known if key not in (UNANSWERED, WHOLE)}
    for mix in MIXES:
        index = QuestionIndex(known, load_encoder(), mix)
        hits = []
        for text, key in rows.items():
            spoken = plain(read(text))
            compared = index.compare(spoken, load_encoder().encode([spoken])[0])
            compared.likeness[compared.likeness > 0.999] = 0  # itself
            hits.append(key in dict(compared.ranked()))
        print(f"{mix}: recall@3 {np.mean(hits):.3f}")


def evaluate(path: Path) -> dict[str, Any]:
    """Prints the figures of a file and its faults."""
    k = load_knowledge()
    asked = measure(path, QuestionIndex(entries(k), load_encoder()), k)
    result = figures(asked)
    for name, row in result.items():
        print(f"{name:28}{row['share']:.3f}  {row['interval']}  of {row['of']}")
    for item in asked:
        if item.told and not item.right:
            print(f"  false: {item.question} -> {item.told[0]}")
        elif item.right and not item.right & set(item.nearest):
            print(f"  missed: {item.question} -> {item.nearest[0]}")
    return result


def main() -> None:
    """Prints the figures of the file that is named, or of the held-out questions."""
    if "--mix" in sys.argv:
        compare_mixes()
    files = [Path(argument) for argument in sys.argv[1:] if argument != "--mix"]
    for path in files or [HELD_OUT]:
        evaluate(path)


if __name__ == "__main__":
    main()
