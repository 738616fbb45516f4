"""Rasa's command line with a quiet console (`python -m bot.rasa_cli run …`).

Rasa's dependencies print deprecation warnings by other roads than PYTHONWARNINGS closes.
"""

from __future__ import annotations

import warnings
from typing import Any

from bot.rasa_imports import spare_tensorflow


def _ignore(*_: Any, **__: Any) -> None:
    """Shows no warning."""


def main() -> None:
    """Runs Rasa's command line."""
    warnings.showwarning = _ignore
    spare_tensorflow()
    from rasa.__main__ import main as rasa

    from bot import rasa_patches

    rasa_patches.apply()
    rasa()


if __name__ == "__main__":
    main()
