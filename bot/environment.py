"""The environment that Rasa's processes run in: quiet consoles, no telemetry, one thread a library."""

from __future__ import annotations

import os

QUIET = {
    "RASA_TELEMETRY_ENABLED": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "PYTHONWARNINGS": "ignore",
    "PYTHONUNBUFFERED": "1",
    # Sentences are too short for a second thread to pay; the other core serves the other process.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def quiet_environment(**more: str) -> dict[str, str]:
    """Gives this process's environment with the quiet settings and some more."""
    return {**os.environ, **QUIET, **more}
