"""Fits the learned screen: low-rank changes to the sentence encoder, and classes of urgency on top.

`make adapters` fits on `bot/knowledge/screen_examples/` and writes `bot/nlu/screen_adapter_*.npz`.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from bot.knowledge.vocabulary import FOLDER
from bot.language.adapter import Adapter
from bot.nlu.adapters import Labelled, Plan, stored_or_fitted
from bot.nlu.intent_training import phrases

FILES = FOLDER / "screen_examples"
# Two fits that differ in their random start, their order and what they are calibrated on; their verdicts are averaged.
# On evaluation/redflags_dev.jsonl two found more at fewer false alarms than either alone.
SEEDS = (0, 1)
HARMLESS = "harmless"
CLASSES = (HARMLESS, "soon", "urgent", "emergency", "crisis")
# Chosen on evaluation/redflags_dev.jsonl: rank 16 and three rounds; more rounds changed little.
PLAN = Plan(CLASSES)


def read_examples(folder: Path = FILES) -> list[Labelled]:
    """Gives the texts with their class: an urgency, or harmless."""
    groups = [
        group
        for path in sorted(folder.glob("*.yml"))
        for group in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["examples"]
    ]
    return [(text, group.get("urgency", HARMLESS)) for group in groups for text in group["texts"]]


def examples_digest(folder: Path = FILES) -> str:
    """Gives a digest of the examples and of the way they are fitted.

    The intents' training phrases, which are ordinary talk, are fitted on too but are no part of it: a changed phrase is
    no reason to fit anew.
    """
    return PLAN.digest(read_examples(folder))


def current_adapters() -> list[Adapter]:
    """Gives the adapters of the examples as they are."""
    digest = examples_digest()
    return [
        stored_or_fitted(file_name(seed), digest, PLAN, seed, _fitted_on, _notice(number))
        for number, seed in enumerate(SEEDS, 1)
    ]


def file_name(seed: int) -> str:
    """Gives the name of an adapter's file."""
    return f"screen_adapter_{seed}.npz"


def _fitted_on() -> list[Labelled]:
    return [*read_examples(), *((text, HARMLESS) for text, _ in phrases())]


def _notice(number: int) -> str:
    return f"The screen's examples changed: fit {number} of {len(SEEDS)} (about 20 minutes; it is kept)"
