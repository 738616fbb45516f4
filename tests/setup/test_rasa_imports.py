"""TensorFlow stays out of the running bot, and is there for whoever asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.environment import quiet_environment
from bot.evaluation.live import LiveBot
from bot.evaluation.processes import tree
from bot.train import ROOT

LATER = """
import pathlib, sys
from bot.rasa_imports import spare_tensorflow
spare_tensorflow()
import spacy, rasa.core.agent
assert "tensorflow" not in sys.modules
from rasa.utils.train_utils import RasaModelCheckpoint
assert "tensorflow" not in sys.modules
from rasa.utils.tensorflow.callback import RasaModelCheckpoint as real
assert isinstance(RasaModelCheckpoint(pathlib.Path("somewhere")), real)
from rasa.nlu.classifiers.diet_classifier import DIETClassifier
"""


@pytest.mark.server
def test_running_bot_has_not_loaded_tensorflow(bot: LiveBot):
    loaded = [Path(f"/proc/{pid}/maps").read_text() for pid in tree(bot.process.pid)]
    assert any("spacy" in libraries for libraries in loaded)
    assert not any("tensorflow" in libraries for libraries in loaded)


def test_tensorflow_comes_when_it_is_needed():
    subprocess.run([sys.executable, "-c", LATER], cwd=ROOT, env=quiet_environment(), check=True, timeout=120)
