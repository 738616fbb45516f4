"""Lets a process's clock jump: with this folder on PYTHONPATH, time.time() is ahead by the seconds in a file.

Python imports a module of this name at its start. Only the machine's owner can set the real clock, for everybody.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

LOOK_SECONDS = 0.2
_file = Path(os.environ["CLOCK_FILE"])
_real = time.time
_looked, _ahead = 0.0, 0.0


def _time() -> float:
    global _looked, _ahead
    now = time.monotonic()
    if now - _looked > LOOK_SECONDS:
        _looked, _ahead = now, float(_file.read_text() or 0)
    return _real() + _ahead


time.time = _time
