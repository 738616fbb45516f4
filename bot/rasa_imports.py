"""Keeps TensorFlow out of a process until something uses it: several seconds and nearly 400 MB.

Rasa imports it for three classes that only training with neural networks calls, and thinc, under spaCy, to take its
arrays. No component of config.yml uses it. A component that does, such as DIETClassifier, still gets all of it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

TENSORFLOW = "tensorflow"
# Modules of Rasa that import TensorFlow, and the classes that `rasa.utils.train_utils` takes from them at import.
LATER = {
    "rasa.utils.tensorflow.callback": ("RasaTrainingLogger", "RasaModelCheckpoint"),
    "rasa.utils.tensorflow.data_generator": ("RasaBatchDataGenerator",),
}


def spare_tensorflow() -> None:
    """Imports thinc and Rasa's training helpers without TensorFlow, which stays importable afterwards."""
    if TENSORFLOW in sys.modules:
        return
    stand_ins = {name: _stand_in(name, classes) for name, classes in LATER.items()}
    sys.modules.update(stand_ins)
    sys.modules[TENSORFLOW] = None  # type: ignore[assignment]  # an import of it now raises ImportError
    try:
        importlib.import_module("thinc.compat")
        importlib.import_module("rasa.utils.train_utils")
    finally:
        for name in (TENSORFLOW, *stand_ins):
            del sys.modules[name]


def _stand_in(name: str, classes: Iterable[str]) -> ModuleType:
    """Gives a module whose classes are imported when they are called."""
    module = ModuleType(name)
    for each in classes:
        setattr(module, each, _later(name, each))
    return module


def _later(module: str, name: str) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    return make
