"""Fits the intents' adapter: low-rank changes to the sentence encoder, and the intents on top.

`make adapters` fits on `data/nlu/` and writes `bot/nlu/intent_adapter.npz`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from bot.language.adapter import Adapter
from bot.nlu.adapters import ROOT, Labelled, Plan, stored_or_fitted

PHRASES = ROOT / "data" / "nlu"
FILE = "intent_adapter.npz"
SEED = 0


def phrases(folder: Path = PHRASES) -> list[Labelled]:
    """Gives the training phrases with their intents."""
    files = (
        yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) for path in sorted(folder.glob("*.yml"))
    )
    blocks = (block for file in files for block in file["nlu"] if "intent" in block)
    return [
        (line.strip().removeprefix("- "), block["intent"])
        for block in blocks
        for line in block["examples"].splitlines()
        if line.strip()
    ]


def plan(examples: Iterable[Labelled]) -> Plan:
    """Gives the way to fit: misspelt now and then, since people write so, and rare intents weighing more.

    Six rounds did as well as two fits of three, of which every message would have to be read by both.
    """
    classes = tuple(sorted({intent for _, intent in examples}))
    return Plan(classes, rounds=6, smoothing=0.05, misspelt=0.3, balance=0.5)


def digest(examples: Iterable[Labelled]) -> str:
    """Gives a digest of phrases, in any order, and of the way they are fitted."""
    ordered = sorted(set(examples))
    return plan(ordered).digest(ordered)


def fitted(examples: Iterable[Labelled]) -> Adapter:
    """Gives the adapter of phrases, fitted now if there is none."""
    ordered = sorted(set(examples))
    minutes = f"about {1 + len(ordered) // 1000} minutes"
    notice = f"The training phrases changed: fitting the encoder to {len(ordered)} of them ({minutes}; it is kept)"
    return stored_or_fitted(FILE, digest(ordered), plan(ordered), SEED, lambda: ordered, notice)
