"""Ours against Rasa's default pipeline: `make bench` or `python -m bot.evaluation.bench [options]`.

Each round starts every bot in turn, so that a slow hour of the machine hits all alike. Figures are written to
docs/performance.md, docs/performance.json and plots beside them; with `--quick` to results/. Models are kept in
results/bench and taken again while their inputs are the same: training the default takes an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bot.evaluation.bench import report
from bot.evaluation.bench.bots import BARE, DEFAULT, OURS, Bot, Change, prepared
from bot.evaluation.bench.growth import more_facts, more_rules
from bot.evaluation.bench.measure import calm_turns, installed_mb, one_round, run_requirements
from bot.evaluation.bench.sizes import FULL, QUICK, Sizes
from bot.evaluation.nlu import read_rows
from bot.train import ROOT

BOTS, FACTS, RULES = "bots", "facts", "rules"
MESSAGES = ROOT / "evaluation" / "utterances.jsonl"


def messages() -> list[str]:
    """Gives the held-out messages, mixed, the same each time."""
    texts = [row["text"] for row in read_rows(MESSAGES)]
    random.Random(0).shuffle(texts)
    return texts


def compare(names: Sequence[str], sizes: Sizes, retrain: bool) -> dict[str, Any]:
    """Trains the bots and measures them in rounds."""
    with tempfile.TemporaryDirectory() as folder:
        bots = [_prepared(name, Path(folder), sizes, retrain) for name in names]
        rounds: dict[str, list[dict[str, Any]]] = {bot.name: [] for bot in bots}
        for number in range(sizes.rounds):
            # Every other round runs backwards: nobody always comes after the same one.
            for bot in bots if number % 2 == 0 else reversed(bots):
                print(f"Round {number + 1} of {sizes.rounds}: {bot.name}", flush=True)
                rounds[bot.name].append(one_round(bot, sizes, messages()))
        return {
            bot.name: {
                "training": asdict(bot.training), "installed_mb": _installed(bot.name), "rounds": rounds[bot.name],
            }
            for bot in bots
        }  # fmt: skip


def grow(what: str, steps: Sequence[int], change: Callable[[int], Change], sizes: Sizes) -> dict[str, Any]:
    """Measures calm turns of projects with more and more of something."""
    found = {}
    for step in steps:
        print(f"Growth: {step} {what}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            bot = _prepared(OURS, Path(folder), sizes, False, change(step))
            turns = calm_turns(bot, sizes, messages())
            found[str(step)] = {**turns, "training_s": bot.training.seconds, "model_mb": bot.training.model_mb}
    return found


def _prepared(name: str, folder: Path, sizes: Sizes, retrain: bool, *changes: Change) -> Bot:
    return prepared(name, folder / name.replace(" ", "-").replace("'", ""), sizes.epochs, retrain, *changes)


def _installed(name: str) -> float:
    # `requirements/overrides.txt` puts the CPU build in TensorFlow's place.
    return installed_mb(
        ["rasa", "tensorflow-cpu"] if name == DEFAULT else run_requirements(ROOT / "requirements" / "run.in")
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(prog="python -m bot.evaluation.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes, to try the command")
    parser.add_argument("--parts", nargs="+", choices=(BOTS, FACTS, RULES), default=[BOTS, FACTS, RULES])
    parser.add_argument("--bots", nargs="+", choices=(OURS, BARE, DEFAULT), default=[OURS, BARE, DEFAULT])
    parser.add_argument("--rounds", type=int, help="how often each bot is measured")
    parser.add_argument("--epochs", type=int, help="of the default's networks; fewer train faster and run no faster")
    parser.add_argument("--facts", type=int, nargs="+", help="numbers of facts")
    parser.add_argument("--retrain", action="store_true", help="train again what is kept in results/bench")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else FULL
    sizes = replace(
        sizes,
        rounds=options.rounds or sizes.rounds,
        facts=tuple(options.facts or sizes.facts),
        epochs=options.epochs or sizes.epochs,
    )
    folder = ROOT / ("results" if options.quick else "docs")
    folder.mkdir(exist_ok=True)
    # What a run leaves out is kept from the run before, so that parts can be measured one at a time.
    result = _before(folder / report.FIGURES)
    result |= {"quick": options.quick, "machine": report.machine(), "date": report.today(), "sizes": asdict(sizes)}
    parts: dict[str, Callable[[], Any]] = {
        BOTS: lambda: compare(options.bots, sizes, options.retrain),
        FACTS: lambda: grow(FACTS, sizes.facts, more_facts, sizes),
        RULES: lambda: grow("times the rules", sizes.rules, more_rules, sizes),
    }
    for part in options.parts:
        result[part] = parts[part]()
        (folder / report.FIGURES).write_text(json.dumps(result, indent=1), encoding="utf-8")
    report.write(result, folder)


def _before(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {BOTS: {}, **found}


if __name__ == "__main__":
    main()
