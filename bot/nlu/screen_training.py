"""Fits the learned screen: low-rank changes to the sentence encoder, and classes of urgency on top.

`python -m bot.nlu.screen_training` (`make screen`) fits on `bot/knowledge/screen_examples/` and writes
`bot/nlu/screen_adapter_*.npz`, which are committed: a fit takes a quarter of an hour on two cores, loading a moment.
`bot.nlu.screen_fitting` does the arithmetic; it is imported only for a fit, as it takes TensorFlow.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import yaml

from bot.knowledge.vocabulary import FOLDER
from bot.language.adapter import Adapter

EXAMPLES = FOLDER / "screen_examples"
ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "var" / "screen"
SHIPPED = Path(__file__).parent
# Two fits that differ in their random start, their order and what they are calibrated on; their verdicts are averaged.
# On evaluation/redflags_dev.jsonl two found more at fewer false alarms than either alone.
SEEDS = (0, 1)
HARMLESS = "harmless"
CLASSES = (HARMLESS, "soon", "urgent", "emergency", "crisis")
# Chosen on evaluation/redflags_dev.jsonl: rank 16 and three rounds; more rounds changed little.
RANK, ROUNDS, BATCH, LEARNING_RATE, DROPOUT = 16, 3, 32, 1e-3, 0.1
MAX_TOKENS = 96
# Every so many examples one is kept out of fitting, to calibrate the probabilities on.
CALIBRATE_EVERY = 12


def read_examples(folder: Path = EXAMPLES) -> list[tuple[str, str]]:
    """Gives the texts with their class: an urgency, or harmless."""
    groups = [
        group
        for path in sorted(folder.glob("*.yml"))
        for group in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["examples"]
    ]
    return [(text, group.get("urgency", HARMLESS)) for group in groups for text in group["texts"]]


def harmless_phrases(folder: Path = ROOT / "data" / "nlu") -> list[tuple[str, str]]:
    """Gives the intents' training phrases: ordinary talk.

    They are no part of the examples' digest: a changed phrase is no reason to fit anew.
    """
    files = (
        yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) for path in sorted(folder.glob("*.yml"))
    )
    lines = (line for file in files for item in file["nlu"] for line in item["examples"].splitlines())
    return [(line.strip().removeprefix("- "), HARMLESS) for line in lines]


def examples_digest(folder: Path = EXAMPLES) -> str:
    """Gives a digest of the examples and of the way they are fitted."""
    settings = (CLASSES, RANK, ROUNDS, BATCH, LEARNING_RATE, DROPOUT, MAX_TOKENS, CALIBRATE_EVERY)
    return hashlib.sha256(repr((settings, read_examples(folder))).encode()).hexdigest()


def current_adapters() -> list[Adapter]:
    """Gives the adapters of the examples as they are: the committed ones, ones fitted before, or fitted now."""
    digest = examples_digest()
    return [_stored(digest, seed) or _fitted(digest, seed) for seed in SEEDS]


def file_name(seed: int) -> str:
    """Gives the name of an adapter's file."""
    return f"screen_adapter_{seed}.npz"


def _stored(digest: str, seed: int) -> Adapter | None:
    for file in (SHIPPED / file_name(seed), CACHE / digest[:16] / file_name(seed)):
        if file.is_file() and (adapter := Adapter.load(file)).about["examples"] == digest:
            return adapter
    return None


def _fitted(digest: str, seed: int) -> Adapter:
    examples = [*read_examples(), *harmless_phrases()]
    print(
        f"==> The screen's examples changed: fit {seed + 1} of {len(SEEDS)} on {len(examples)} texts "
        "(about 15 minutes; it is kept)",
        flush=True,
    )
    from bot.nlu.screen_fitting import fit

    adapter = fit(examples, digest, seed)
    folder = CACHE / digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    adapter.save(folder / file_name(seed))
    return adapter


def main() -> int:
    """Fits on the project's examples, if they changed, and writes the adapters."""
    for seed, adapter in zip(SEEDS, current_adapters(), strict=True):
        adapter.save(SHIPPED / file_name(seed))
    print("The adapters are those of the examples. Commit them together.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
