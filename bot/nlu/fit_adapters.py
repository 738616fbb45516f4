"""Fits the encoder's adapters whose examples changed and writes them to be committed: `make adapters`."""

from __future__ import annotations

from bot.nlu import intent_training, screen_training
from bot.nlu.adapters import SHIPPED


def main() -> None:
    """Fits and writes."""
    intent_training.fitted(intent_training.phrases()).save(SHIPPED / intent_training.FILE)
    for seed, adapter in zip(screen_training.SEEDS, screen_training.current_adapters(), strict=True):
        adapter.save(SHIPPED / screen_training.file_name(seed))
    print("The adapters are those of the examples. Commit them together.")


if __name__ == "__main__":
    main()
