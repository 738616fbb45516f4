"""Rasa's command line with a quiet console (`python -m bot.rasa_cli run …`).

Rasa's dependencies print deprecation warnings by other roads than PYTHONWARNINGS closes.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from bot.discretion import refuse_debugging
from bot.errors import ConfigError
from bot.rasa_imports import spare_tensorflow


def _ignore(*_: Any, **__: Any) -> None:
    """Shows no warning."""


def main() -> None:
    """Runs Rasa's command line; `run` refuses to log debug messages."""
    warnings.showwarning = _ignore
    spare_tensorflow()
    if "run" in sys.argv[1:2]:  # where the bot talks with people
        try:
            refuse_debugging(sys.argv[2:], os.environ)
        except ConfigError as error:
            sys.exit(f"\n{error}")
    from rasa.__main__ import main as rasa
    from rasa.utils import io

    from bot import logs, rasa_patches
    from bot.settings import read_settings

    rasa_patches.apply()
    if read_settings().log_format == "json":
        io.configure_colored_logging = logs.set_up
    rasa()


if __name__ == "__main__":
    main()
