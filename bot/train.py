"""Trains the model when its inputs changed, and tells whether a model can be loaded.

`python -m bot.train` trains when needed; `--force` trains anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bot.environment import quiet_environment
from bot.errors import BotError, ModelError
from bot.knowledge.loader import load_knowledge
from bot.knowledge.safety import load_safety
from bot.knowledge.vocabulary import reading_digest
from bot.language.encoder import check_weights

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "models"
STAMP = MODELS / "current.json"
# What a model is made of, besides the words and code of `reading_digest`.
INPUTS = (
    "config.yml",
    "domain.yml",
    "data/**/*.yml",
    "bot/knowledge/questions/*.yml",
    "bot/knowledge/screen_examples/*.yml",
    "bot/nlu/*.py",
    "requirements/run.lock",
)
METADATA = "metadata.json"


def current_model(force: bool = False) -> Path:
    """Gives a model that fits the inputs, trained now if there is none.

    A model that is broken, half-written, or made from other inputs or by other versions is never loaded.

    Raises:
        BotError: The knowledge base has faults, or training failed.
    """
    if chosen := os.environ.get("MODEL"):
        return check_model(Path(chosen))
    inputs = inputs_digest()
    if not force and (model := _stamped(inputs)):
        return model
    return _train(inputs)


def check_model(path: Path) -> Path:
    """Checks a model that was named by hand.

    Raises:
        ModelError: It is missing, damaged or made by another version of Rasa.
    """
    try:
        with tarfile.open(path) as archive:
            member = next(m for m in archive if Path(m.name).name == METADATA)
            stream = archive.extractfile(member)
            made_by = json.load(stream)["rasa_open_source_version"] if stream else "?"
    except (OSError, tarfile.TarError, StopIteration, KeyError, ValueError) as error:
        raise ModelError(
            f"The model {path} cannot be read: it is missing or damaged. Leave MODEL out to use the project's own "
            "model, which is trained when it is needed."
        ) from error
    if made_by != version("rasa"):
        raise ModelError(
            f"The model {path} was made by Rasa {made_by}, but Rasa {version('rasa')} is installed. Leave MODEL out "
            "to train one that fits, or train that model again with this version (`make train`)."
        )
    return path


def inputs_digest() -> str:
    """Gives a digest of everything a model is made of."""
    digest = hashlib.sha256(f"{sys.version_info[:3]} {version('rasa')} {reading_digest()}".encode())
    for path in _input_files():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _input_files() -> Iterator[Path]:
    for pattern in INPUTS:
        yield from sorted(ROOT.glob(pattern))


def _stamped(inputs: str) -> Path | None:
    """Gives the stamped model when it was made from these inputs and is whole."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        model = MODELS / stamp["file"]
        whole = stamp["inputs"] == inputs and stamp["sha256"] == _sha256(model)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return model if whole else None


def _train(inputs: str) -> Path:
    load_knowledge()  # a fault here is clearer than one in the middle of Rasa's training
    load_safety()
    check_weights()
    print("==> Training the model (about half a minute)", flush=True)
    started = time.monotonic()
    name = f"muscle-spasm-{inputs[:12]}"
    command = [
        sys.executable,
        "-m",
        "bot.rasa_cli",
        "train",
        "--fixed-model-name",
        name,
        "--out",
        str(MODELS),
        "--quiet",
    ]
    result = subprocess.run(command, cwd=ROOT, env=quiet_environment(), capture_output=True, text=True, check=False)
    model = MODELS / f"{name}.tar.gz"
    if result.returncode != 0 or not model.exists():
        reason = _reason(result.stdout + "\n" + result.stderr)
        raise ModelError(
            "Training failed. The last lines below name the file or component at fault; "
            f"`make check` says more.\n{reason}"
        )
    STAMP.write_text(json.dumps({"file": model.name, "inputs": inputs, "sha256": _sha256(model)}), encoding="utf-8")
    for old in MODELS.glob("muscle-spasm-*.tar.gz"):
        if old != model:
            old.unlink()
    print(f"==> Trained in {time.monotonic() - started:.0f} s", flush=True)
    return model


def _reason(output: str) -> str:
    """Gives the lines that name the fault: from the last error on, progress bars and warnings left out."""
    lines = [line for line in output.splitlines() if line.strip() and "\r" not in line and "Warning" not in line]
    marks = [number for number, line in enumerate(lines) if re.search(r"Error|Exception|Invalid|ERROR", line)]
    return "\n".join(lines[marks[-1] :][:20] if marks else lines[-10:])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Trains when needed."""
    try:
        model = current_model(force="--force" in sys.argv)
    except BotError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"==> Model ready: {model.relative_to(ROOT) if model.is_relative_to(ROOT) else model}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
