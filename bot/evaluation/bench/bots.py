"""The bots that are compared: each a project folder of its own, trained there and run there."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.environment import QUIET, quiet_environment
from bot.evaluation.live import LiveBot, free_port, live_bot
from bot.evaluation.nlu_configurations import default_config
from bot.train import ROOT

OURS, BARE, DEFAULT = "ours", "ours without the safety layer", "Rasa's default"
SAFETY_LAYER = ("SafetyScreen", "LearnedScreen", "SafetyGate")
PARTS = ("bot", "actions", "data", "config.yml", "domain.yml", "endpoints.yml", "credentials.yml")
MADE = ("node_modules", "__pycache__")
# The sentence encoder's converted weights: made once, whatever the model.
CONVERTED = ("encoder", "adapters")
MODELS = ROOT / "results" / "bench"
# Loading TensorFlow's networks, or many facts, on a busy machine.
START_SECONDS = 900

Change = Callable[[Path], None]


@dataclass(frozen=True)
class Training:
    """What training took.

    Attributes:
        seconds: From the command to the model's file, Rasa's start included.
        cpu_seconds: Processor time, all threads together.
    """

    seconds: float
    cpu_seconds: float
    model_mb: float


@dataclass(frozen=True)
class Bot:
    """A trained bot that can be run."""

    name: str
    folder: Path
    model: Path
    training: Training

    @contextmanager
    def running(self, state: Path) -> Iterator[LiveBot]:
        """Runs it, its conversations in `state`."""
        if self.name != DEFAULT:
            with live_bot(
                state, self.folder, patience=START_SECONDS, MODEL=str(self.model), PYTHONPATH=str(self.folder)
            ) as running:
                yield running
            return
        port, actions = free_port(), free_port()
        command = f"exec {sys.executable} -m rasa run --model {self.model} --interface 127.0.0.1 --port {port}"
        lines = [f"actions: exec {sys.executable} -m bot.action_server {actions}", f"bot: {command}"]
        (self.folder / "Procfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
        variables = {
            **stock_environment(), "PORT": str(port), "PYTHONPATH": str(self.folder),
            "ACTION_ENDPOINT_URL": f"http://127.0.0.1:{actions}/webhook",
        }  # fmt: skip
        # The same supervisor as ours.
        with live_bot(state, self.folder, ("-m", "honcho", "start"), START_SECONDS, **variables) as running:
            yield running


def stock_environment() -> dict[str, str]:
    """Gives what keeps Rasa quiet and at home, without our limit of threads."""
    return {name: value for name, value in QUIET.items() if "THREADS" not in name}


def project(folder: Path, *changes: Change) -> Path:
    """Copies this project into a folder and changes the copy."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns(*MADE))
        else:
            shutil.copy(source, folder / part)
    (folder / "var").mkdir()
    for part in CONVERTED:
        (ROOT / "var" / part).mkdir(parents=True, exist_ok=True)
        (folder / "var" / part).symlink_to(ROOT / "var" / part)
    for change in changes:
        change(folder)
    return folder


def without_safety(folder: Path) -> None:
    """Takes the safety layer out of a project's pipeline."""
    config = read_yaml(folder / "config.yml")
    config["pipeline"] = [p for p in config["pipeline"] if p["name"].rpartition(".")[2] not in SAFETY_LAYER]
    write_yaml(folder / "config.yml", config)


def with_default(epochs: int) -> Change:
    """Gives a change to Rasa's default pipeline and policies, endpoints as `rasa init` makes them.

    Each rule stands as a story of one turn too: TED, UnexpecTED and the memory learn from stories only, and would
    otherwise stay empty.
    """

    def change(folder: Path) -> None:
        write_yaml(folder / "config.yml", {**default_config(epochs), "assistant_id": "default"})
        write_yaml(folder / "endpoints.yml", {"action_endpoint": {"url": "${ACTION_ENDPOINT_URL}"}})
        rules = [
            rule for path in sorted((folder / "data" / "rules").glob("*.yml")) for rule in read_yaml(path)["rules"]
        ]
        stories = [{"story": rule["rule"], "steps": rule["steps"]} for rule in rules]
        write_yaml(folder / "data" / "stories.yml", {"version": "3.1", "stories": stories})

    return change


def prepared(name: str, folder: Path, epochs: int, retrain: bool = False, *changes: Change) -> Bot:
    """Makes a bot's project and its model; a model of the same inputs that was trained before is taken again."""
    own = {OURS: (), BARE: (without_safety,), DEFAULT: (with_default(epochs),)}[name]
    project(folder, *own, *changes)
    digest = _digest(folder)
    model, record = MODELS / f"{digest}.tar.gz", MODELS / f"{digest}.json"
    if retrain or not (model.is_file() and record.is_file()):
        training = _train(name, folder, model)
        record.write_text(json.dumps(asdict(training)), encoding="utf-8")
    return Bot(name, folder, model, Training(**json.loads(record.read_text(encoding="utf-8"))))


def _train(name: str, folder: Path, model: Path) -> Training:
    print(f"Training: {name}", flush=True)
    MODELS.mkdir(parents=True, exist_ok=True)
    module = "rasa" if name == DEFAULT else "bot.rasa_cli"
    environment = {**os.environ, **stock_environment()} if name == DEFAULT else quiet_environment()
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, "train", "--quiet", "--out", str(MODELS), "--fixed-model-name", model.stem[:-4]],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or not model.is_file():
        raise RuntimeError(f"training of {name} failed:\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Training(round(seconds, 1), round(cpu, 1), round(model.stat().st_size / 2**20, 1))


def _digest(folder: Path) -> str:
    """Gives a digest of what a model is made of."""
    digest = hashlib.sha256()
    files = [folder / "config.yml", folder / "domain.yml", *(folder / "data").rglob("*.yml")]
    files += [*(folder / "bot").rglob("*.yml"), *(folder / "bot" / "nlu").glob("*.py")]
    files += [folder / "bot" / "language" / name for name in ("retrieval.py", "weights.py")]
    for path in sorted(files):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file."""
    data: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return data


def write_yaml(path: Path, data: dict[str, Any]) -> None:
    """Writes a YAML file."""
    path.write_text(yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True), encoding="utf-8")
