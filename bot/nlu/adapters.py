"""Where adapters of the sentence encoder come from: committed, fitted before, or fitted now.

`make adapters` fits what changed and writes it beside this file, to be committed: a fit takes minutes on two cores,
loading a moment. `bot.nlu.fitting` does the arithmetic; it is imported only for a fit, as it takes TensorFlow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.language.adapter import Adapter

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = Path(__file__).parent
CACHE = ROOT / "var" / "adapters"
# The key under which an adapter keeps the digest of what it was fitted on.
EXAMPLES = "examples"
Labelled = tuple[str, str]


@dataclass(frozen=True)
class Plan:
    """How an adapter is fitted.

    Attributes:
        classes: What texts are told apart into.
        rank: Of the change to each linear layer.
        rounds: Passes over all texts.
        max_tokens: Where texts are cut.
        calibrate_every: Every so many texts one is kept out of fitting, to calibrate the probabilities on.
        smoothing: Share of each label that is spread over all classes.
        misspelt: Share of the texts that are misspelt, anew in each round.
        balance: Power of a class's rarity by which its texts weigh more.
    """

    classes: tuple[str, ...]
    rank: int = 16
    rounds: int = 3
    batch: int = 32
    learning_rate: float = 1e-3
    dropout: float = 0.1
    max_tokens: int = 96
    calibrate_every: int = 12
    smoothing: float = 0.0
    misspelt: float = 0.0
    balance: float = 0.0

    def digest(self, examples: Sequence[Labelled]) -> str:
        """Gives a digest of the examples and of the way they are fitted."""
        return hashlib.sha256(repr((self, examples)).encode()).hexdigest()


def stored(name: str, digest: str) -> Adapter | None:
    """Gives the adapter of these examples that was committed or fitted before, or None."""
    for file in (SHIPPED / name, CACHE / digest[:16] / name):
        if file.is_file() and (adapter := Adapter.load(file)).about[EXAMPLES] == digest:
            return adapter
    return None


def stored_or_fitted(
    name: str, digest: str, plan: Plan, seed: int, examples: Callable[[], Sequence[Labelled]], notice: str
) -> Adapter:
    """Gives an adapter, fitted now if there is none of these examples.

    Args:
        name: Of its file.
        digest: Of what it is fitted on.
        plan: How it is fitted.
        seed: Makes what is random.
        examples: Gives the texts with their class.
        notice: What to tell whoever waits.
    """
    if found := stored(name, digest):
        return found
    from bot.nlu.fitting import fit

    print(f"==> {notice}", flush=True)
    adapter = fit(examples(), plan, digest, seed)
    folder = CACHE / digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    adapter.save(folder / name)
    return adapter
