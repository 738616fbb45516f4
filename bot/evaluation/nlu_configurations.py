"""Intent classifiers to compare, each trained on labelled texts: ours, Rasa's default, spaCy's text classifier."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from bot.channels.turns import typed
from bot.environment import quiet_environment
from bot.train import ROOT

Labelled = tuple[str, str]
# Components of config.yml that choose an intent; the others only add to a message, or override the choice for safety,
# which every configuration would need alike.
CHOOSE = ("LanguageReader", "IntentEncoder", "SentenceEmbedder", "QuestionClassifier", "FallbackClassifier")
FALLBACK = "FallbackClassifier"
EPOCHS, QUICK_EPOCHS = 100, 2
# spaCy's text classifier is fitted until its accuracy on a tenth of the phrases has not risen for so many rounds.
TEXTCAT_ROUNDS, TEXTCAT_PATIENCE, TEXTCAT_DROPOUT = 60, 6, 0.2


@dataclass(frozen=True)
class Options:
    """How to train.

    Attributes:
        seed: Makes what is random.
        quick: Trains neural networks for a moment only: to try the command, not to compare.
        fallback: Whether the configuration's own fallback counts doubtful messages as not understood.
    """

    seed: int = 0
    quick: bool = False
    fallback: bool = True


@dataclass(frozen=True)
class Guess:
    """The intent of one text."""

    intent: str
    confidence: float


Predict = Callable[[Sequence[str]], list[Guess]]


@contextmanager
def ours(examples: Sequence[Labelled], options: Options) -> Iterator[Predict]:
    """The components of config.yml that choose an intent."""
    with _rasa(our_pipeline(), examples, options) as predict:
        yield predict


def our_pipeline() -> list[dict[str, Any]]:
    """Gives the components of config.yml that choose an intent, with their options."""
    pipeline = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))["pipeline"]
    return [part for part in pipeline if part["name"].rpartition(".")[2] in CHOOSE]


@contextmanager
def diet(examples: Sequence[Labelled], options: Options) -> Iterator[Predict]:
    """Rasa's default pipeline, DIET's epochs and options as they come."""
    pipeline = default_config(QUICK_EPOCHS if options.quick else EPOCHS)["pipeline"]
    for part in pipeline:
        if part["name"] == "DIETClassifier":
            part["random_seed"] = options.seed
    with _rasa(pipeline, examples, options) as predict:
        yield predict


@contextmanager
def textcat(examples: Sequence[Labelled], options: Options) -> Iterator[Predict]:
    """The text classifier of spaCy as `nlp.add_pipe("textcat")` makes it, on a blank English pipeline."""
    import spacy
    from spacy.training import Example

    spacy.util.fix_random_seed(options.seed)
    shuffle = random.Random(options.seed)
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    labels = sorted({label for _, label in examples})
    rows = [
        Example.from_dict(nlp.make_doc(text), {"cats": {each: float(each == label) for each in labels}})
        for text, label in examples
    ]
    shuffle.shuffle(rows)
    aside, fitted = rows[: len(rows) // 10], rows[len(rows) // 10 :]
    optimizer = nlp.initialize(lambda: rows)
    best, since, kept = -1.0, 0, nlp.to_bytes()
    for _ in range(QUICK_EPOCHS if options.quick else TEXTCAT_ROUNDS):
        shuffle.shuffle(fitted)
        for batch in spacy.util.minibatch(fitted, size=spacy.util.compounding(8, 64, 1.001)):
            nlp.update(batch, sgd=optimizer, drop=TEXTCAT_DROPOUT)
        accuracy = float(nlp.evaluate(aside or fitted)["cats_micro_f"])
        best, since, kept = (accuracy, 0, nlp.to_bytes()) if accuracy > best else (best, since + 1, kept)
        if since >= TEXTCAT_PATIENCE:
            break
    nlp.from_bytes(kept)

    def predict(texts: Sequence[str]) -> list[Guess]:
        found = (max(nlp(text).cats.items(), key=lambda item: item[1]) for text in texts)
        return [Guess(label, float(score)) for label, score in found]

    yield predict


CONFIGURATIONS = {"ours": ours, "DIET (Rasa's default)": diet, "spaCy textcat": textcat}


def default_config(epochs: int = EPOCHS) -> dict[str, Any]:
    """Gives the pipeline and policies that Rasa takes when config.yml names none, as after `rasa init`."""
    text = resources.files("rasa.engine.recipes.config_files").joinpath("default_config.yml").read_text("utf-8")
    config: dict[str, Any] = yaml.safe_load(text)
    for part in (*config["pipeline"], *config["policies"]):
        if "epochs" in part:
            part["epochs"] = epochs
    return config


@contextmanager
def _rasa(pipeline: list[dict[str, Any]], examples: Sequence[Labelled], options: Options) -> Iterator[Predict]:
    """Trains a pipeline by Rasa's command line and loads it."""
    from rasa.core.agent import Agent
    from rasa.utils.log_utils import configure_structlog

    configure_structlog(logging.ERROR)  # below that, Rasa prints each message
    parts = [part for part in pipeline if options.fallback or part["name"] != FALLBACK]
    config = {"recipe": "default.v1", "assistant_id": "comparison", "language": "en", "pipeline": parts}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        # JSON, as Rasa reads YAML examples for marks of entities, which people's texts may contain by chance.
        rows = [{"text": text, "intent": label} for text, label in examples]
        (folder / "nlu.json").write_text(json.dumps({"rasa_nlu_data": {"common_examples": rows}}), encoding="utf-8")
        command = [sys.executable, "-m", "bot.rasa_cli", "train", "nlu", "--config", "config.yml", "--nlu", "nlu.json"]
        # Rasa must not take a component of another run from its cache: training is timed.
        environment = quiet_environment(PYTHONPATH=str(ROOT), RASA_CACHE_DIRECTORY=str(folder / "cache"))
        done = subprocess.run(
            [*command, "--out", "."], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        models = list(folder.glob("*.tar.gz"))
        if done.returncode or not models:
            raise RuntimeError(f"training failed:\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
        agent = Agent.load(str(models[0]))

        def predict(texts: Sequence[str]) -> list[Guess]:
            return asyncio.run(_parse(agent, texts))

        yield predict


async def _parse(agent: Any, texts: Sequence[str]) -> list[Guess]:
    parsed = [await agent.parse_message(typed(text)) for text in texts]
    return [Guess(str(each["intent"]["name"]), float(each["intent"]["confidence"])) for each in parsed]
