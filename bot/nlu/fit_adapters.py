"""Fits the encoder's adapters whose examples changed and writes them to be committed: `make adapters`."""

from __future__ import annotations

from pathlib import Path

from bot.language.adapter import Adapter
from bot.nlu import intent_training, screen_training
from bot.nlu.adapters import SHIPPED


def main() -> None:
    """Fits and writes."""
    write(intent_training.fitted(intent_training.phrases()), SHIPPED / intent_training.FILE)
    for seed, adapter in zip(screen_training.SEEDS, screen_training.current_adapters(), strict=True):
        write(adapter, SHIPPED / screen_training.file_name(seed))
    print("The adapters are those of the examples. Commit them together.")


def write(adapter: Adapter, file: Path) -> None:
    """Writes an adapter unless the file holds it: the same numbers written again are another file, of megabytes."""
    if not file.is_file() or Adapter.load(file).digest != adapter.digest:
        adapter.save(file)


if __name__ == "__main__":
    main()
