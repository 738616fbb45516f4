"""The sentence encoder in 8-bit integers beside 32-bit floats: `python -m bot.evaluation.encoder`."""

from __future__ import annotations

import sys
import time
from statistics import median

import ctranslate2

from bot.evaluation.nlu import read_rows
from bot.language.encoder import SentenceEncoder, weights_folder
from bot.train import ROOT

ROUNDS = 3
MESSAGES = 100


def main() -> int:
    """Prints milliseconds a message for both, and the lowest and median cosine between them."""
    texts = [row["text"] for row in read_rows(ROOT / "evaluation" / "utterances.jsonl")][:MESSAGES]
    encoders = {kind: SentenceEncoder(weights_folder(), compute_type=kind) for kind in ("int8", "float32")}
    times: dict[str, list[float]] = {kind: [] for kind in encoders}
    for _ in range(ROUNDS):
        for kind, encoder in encoders.items():
            for text in texts:
                started = time.perf_counter()
                encoder.encode([text])
                times[kind].append((time.perf_counter() - started) * 1000)
    for kind, taken in times.items():
        print(f"{kind:8} median {median(taken):.2f} ms a message, one core")
    cosines = sorted((encoders["int8"].encode(texts) * encoders["float32"].encode(texts)).sum(axis=1))
    print(f"cosine   lowest {cosines[0]:.3f}, median {median(cosines):.3f} (CTranslate2 {ctranslate2.__version__})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
