"""Low-rank changes (LoRA) to the sentence encoder's weights, and the classes read from its vector.

The method is that of Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021): a layer's weight W
becomes W + AB with thin A and B. Here they are merged into the weights when the model is converted, so a changed
encoder costs no more than the plain one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
_HEAD, _BIAS, _ABOUT = "head", "bias", "about"


@dataclass(frozen=True, eq=False)
class Adapter:
    """What turns the plain encoder into a classifier of sentences.

    Attributes:
        factors: For each changed linear layer its A (inputs, rank) and B (rank, outputs).
        head: Weights of the classes on the mean token vector, shape (dimensions, classes).
        bias: Bias of the classes.
        classes: Names of the classes, in the order of the head.
        about: Where it comes from: digest of the examples, temperature and the like.
    """

    factors: Mapping[str, tuple[Array, Array]]
    head: Array
    bias: Array
    classes: tuple[str, ...]
    about: Mapping[str, Any]

    def merged(self, weights: Mapping[str, Array]) -> dict[str, Array]:
        """Gives the encoder's weights with the changes added."""
        changed = dict(weights)
        for name, (a, b) in self.factors.items():
            changed[f"{name}.weight"] = weights[f"{name}.weight"] + (a @ b).T
        return changed

    def probabilities(self, pooled: Array) -> Array:
        """Gives the calibrated probabilities of the classes for mean token vectors, shape (texts, classes)."""
        logits = (pooled @ self.head + self.bias) / self.about["temperature"]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)

    @property
    def digest(self) -> str:
        """Gives a digest of all numbers."""
        parts = [array.tobytes() for name in sorted(self.factors) for array in self.factors[name]]
        return hashlib.sha256(b"".join([*parts, self.head.tobytes(), self.bias.tobytes()])).hexdigest()

    def save(self, file: Path) -> None:
        """Writes it as 16-bit numbers: half the size, and far finer than the 8-bit weights it is merged into."""
        arrays = {
            f"{name}.{part}": array
            for name, pair in self.factors.items()
            for part, array in zip("AB", pair, strict=True)
        }
        arrays |= {_HEAD: self.head, _BIAS: self.bias}
        about = json.dumps({"classes": self.classes, **self.about})
        small = {name: array.astype(np.float16) for name, array in arrays.items()}
        np.savez_compressed(file, **small, **{_ABOUT: np.array(about)})

    @classmethod
    def load(cls, file: Path) -> Adapter:
        """Reads what `save` wrote."""
        with np.load(file) as stored:
            arrays = {name: stored[name].astype(np.float32) for name in stored.files if name != _ABOUT}
            about = json.loads(str(stored[_ABOUT]))
        head, bias = arrays.pop(_HEAD), arrays.pop(_BIAS)
        names = sorted({name.rpartition(".")[0] for name in arrays})
        factors = {name: (arrays[f"{name}.A"], arrays[f"{name}.B"]) for name in names}
        return cls(factors, head, bias, tuple(about.pop("classes")), about)
