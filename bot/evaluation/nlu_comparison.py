"""Compares NLU configurations: `make compare-nlu` or `python -m bot.evaluation.nlu_comparison [options]`.

Learning curves on the project's own data (training phrases of data/nlu, tested on evaluation/utterances.jsonl), and
with `--hint3 FOLDER` the in-scope accuracy on HINT3's three public sets. Each run is kept in
results/nlu-comparison.json as soon as it ends, so a long comparison can be stopped and goes on where it was; runs
whose inputs have changed are made anew, and with `--kept` none is made: the document shows what there is. The table and
the plot go to docs/nlu-evaluation.md, or with `--quick` to results/, as its networks are trained for a moment only.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from bot.evaluation.nlu import OURS, read_rows
from bot.evaluation.nlu_configurations import CONFIGURATIONS, Labelled, Options, our_pipeline, ours
from bot.evaluation.safety import wilson
from bot.knowledge.vocabulary import reading_digest
from bot.train import ROOT

PHRASES, HELD_OUT = ROOT / "data" / "nlu", ROOT / "evaluation" / "utterances.jsonl"
RESULTS, DOCS = ROOT / "results", ROOT / "docs"
RUNS, DOCUMENT, PLOT = "nlu-comparison.json", "nlu-evaluation.md", "nlu-learning-curve.svg"
TEMPLATE = Path(__file__).with_name("nlu_evaluation.md")
SHARES, SEEDS = (0.1, 0.25, 0.5, 1.0), (0, 1, 2)
QUICK_SHARES, QUICK_SEEDS = (0.1, 0.25), (0,)
# HINT3 (Arora et al. 2020): the best published in-scope accuracy of five systems, full training sets, threshold 0.1.
HINT3 = {"sofmattress": 0.736, "curekart": 0.841, "powerplay11": 0.665}
NO_INTENT, THRESHOLD = "NO_NODES_DETECTED", 0.1


@dataclass(frozen=True)
class Run:
    """One training and its test.

    Attributes:
        inputs: Digest of all that the run depends on.
        data: The project's own data, or the name of a public set.
        share: The share of the training texts.
        strict: Share of test texts whose label was found; on a public set, of those within its scope.
        lenient: The same with every defensible label, where the data name more than one.
        train_seconds: Processor time, of all threads and processes: other work on the machine hardly changes it.
        message_ms: The same, of one message.
    """

    inputs: str
    configuration: str
    data: str
    share: float
    seed: int
    phrases: int
    tested: int
    strict: float
    lenient: float
    train_seconds: float
    message_ms: float


@dataclass(frozen=True)
class Task:
    """Texts to train on and to test on; of each test text the labels that count, the best one first."""

    data: str
    train: tuple[Labelled, ...]
    test: tuple[tuple[str, tuple[str, ...]], ...]
    threshold: float = 0.0


def own_task() -> Task:
    """Gives the project's own task; messages of danger are the screen's, not a classifier's, and are left out."""
    files = (yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) for path in sorted(PHRASES.iterdir()))
    items = [item for file in files for item in file["nlu"] if "intent" in item]
    lines = ((line.strip().removeprefix("- "), item["intent"]) for item in items for line in _lines(item))
    rows = [row for row in read_rows(HELD_OUT) if row["intent"] != "red_flag"]
    test = tuple((row["text"], (row["intent"], *(row.get("also_ok") or ()))) for row in rows)
    return Task("own", tuple(lines), test)


def hint3_task(folder: Path, name: str) -> Task:
    """Reads one of HINT3's sets: `<name>_train.csv` and `<name>_test.csv` anywhere in the folder.

    Raises:
        SystemExit: A file is missing or has other columns.
    """
    train, test = (_csv(folder, f"{name}_{part}.csv") for part in ("train", "test"))
    return Task(name, tuple(train), tuple((t, (label,)) for t, label in test if label != NO_INTENT), THRESHOLD)


def _csv(folder: Path, name: str) -> list[Labelled]:
    files = sorted(folder.rglob(name))
    if not files:
        raise SystemExit(f"There is no {name} in {folder}. It comes with github.com/hellohaptik/HINT3, folder dataset.")
    # Its `v1` and `v2` are other versions of the same files; the paper's stand higher up.
    with min(files, key=lambda file: len(file.parts)).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"sentence", "label"} <= rows[0].keys():
        raise SystemExit(f"{name} has no columns `sentence` and `label`.")
    return [(row["sentence"].strip(), row["label"]) for row in rows if row["sentence"].strip()]


def _lines(item: dict[str, Any]) -> list[str]:
    return [line for line in item["examples"].splitlines() if line.strip()]


def part_of(examples: Sequence[Labelled], share: float, seed: int) -> list[Labelled]:
    """Takes a share of each intent's texts, at least two."""
    by_label: dict[str, list[Labelled]] = defaultdict(list)
    for example in examples:
        by_label[example[1]].append(example)
    chosen = random.Random(seed)
    return [
        example
        for label in sorted(by_label)
        for example in chosen.sample(by_label[label], min(len(by_label[label]), max(2, _count(by_label[label], share))))
    ]


def _count(rows: Sequence[Any], share: float) -> int:
    return math.ceil(share * len(rows))


def run(task: Task, name: str, share: float, seed: int, quick: bool, inputs: str) -> Run:
    """Trains a configuration on a share of the texts and tests it."""
    examples = part_of(task.train, share, seed)
    started = _processor_seconds()
    # A public set is judged at its published threshold alone.
    with CONFIGURATIONS[name](examples, Options(seed, quick, fallback=not task.threshold)) as predict:
        predict([task.test[0][0]])  # what is loaded by the first message is no part of the others' time
        trained = _processor_seconds()
        found = predict([text for text, _ in task.test])
        tested = _processor_seconds()
    outcomes = [
        (guess.confidence >= task.threshold and OURS.get(guess.intent, guess.intent), labels)
        for guess, (_, labels) in zip(found, task.test, strict=True)
    ]
    return Run(
        inputs, name, task.data, share, seed, len(examples), len(outcomes),
        strict=_mean(intent == labels[0] for intent, labels in outcomes),
        lenient=_mean(intent in labels for intent, labels in outcomes),
        train_seconds=round(trained - started, 1),
        message_ms=round((tested - trained) / len(outcomes) * 1000, 1),
    )  # fmt: skip


def _processor_seconds() -> float:
    """Gives what this process and those it waited for have used."""
    return sum(os.times()[:4])


def _mean(hits: Iterable[bool]) -> float:
    return round(fmean(hits), 4)


def compare(
    tasks: Sequence[Task],
    names: Sequence[str],
    shares: Sequence[float],
    seeds: Sequence[int],
    quick: bool,
    only_kept: bool = False,
) -> list[Run]:
    """Makes every run that is not kept yet, and gives all of them; public sets are run once, on all their texts."""
    RESULTS.mkdir(exist_ok=True)
    kept = _kept()
    runs = []
    for task in tasks:
        own = not task.threshold
        for share in shares if own else (1.0,):
            for seed in seeds if own else seeds[:1]:
                for name in names:
                    inputs = _digest(task, name, quick)
                    key = (inputs, name, task.data, share, seed)
                    if key not in kept and only_kept:
                        continue
                    if key not in kept:
                        print(f"{task.data}: {name}, {share:.0%}, seed {seed}", flush=True)
                        kept[key] = run(task, name, share, seed, quick, inputs)
                        _keep(kept.values())
                        made = kept[key]
                        scores = f"{made.strict:.3f} strict, {made.lenient:.3f} lenient"
                        print(f"  {scores}, {made.train_seconds:.0f} s of the processor", flush=True)
                    runs.append(kept[key])
    return runs


def _digest(task: Task, name: str, quick: bool) -> str:
    """Gives a digest of all that a run depends on; what reads messages here is nothing to the other configurations."""
    code = Path(__file__).with_name("nlu_configurations.py").read_text(encoding="utf-8")
    reading = (our_pipeline(), reading_digest()) if CONFIGURATIONS[name] is ours else ()
    return hashlib.sha256(repr((task, quick, code, reading)).encode()).hexdigest()[:16]


def _kept() -> dict[tuple[Any, ...], Run]:
    path = RESULTS / RUNS
    runs = [Run(**row) for row in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []
    return {(run.inputs, run.configuration, run.data, run.share, run.seed): run for run in runs}


def _keep(runs: Iterable[Run]) -> None:
    (RESULTS / RUNS).write_text(json.dumps([asdict(run) for run in runs], indent=1), encoding="utf-8")


def curve_table(runs: Sequence[Run]) -> str:
    """Gives the learning curves as a Markdown table: means over the seeds, the lowest and the highest in brackets."""
    head = (
        "| configuration | phrases | seeds | strict | lenient | training, processor s | a message, processor ms |\n"
        "| --- | --- | --- | --- | --- | --- | --- |"
    )
    rows = []
    for name, share in dict.fromkeys((run.configuration, run.share) for run in runs):
        group = [run for run in runs if (run.configuration, run.share) == (name, share)]
        rows.append(
            f"| {name} | {group[0].phrases} ({share:.0%}) | {len(group)} | {_spread([r.strict for r in group])} | "
            f"{_spread([r.lenient for r in group])} | {fmean(r.train_seconds for r in group):.0f} | "
            f"{fmean(r.message_ms for r in group):.1f} |"
        )
    return "\n".join([head, *sorted(rows)])


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f} ({min(values):.3f}–{max(values):.3f})"


def hint3_table(runs: Sequence[Run]) -> str:
    """Gives the figures on HINT3's sets as a Markdown table, or a sentence that there are none."""
    if not runs:
        return "Not run: the sets are fetched by whoever runs the command (`HINT3=folder`)."
    head = "| set | configuration | in-scope texts | accuracy | best published |\n| --- | --- | --- | --- | --- |"
    rows = []
    for each in sorted(runs, key=lambda run: run.data):
        low, high = wilson(round(each.strict * each.tested), each.tested)
        rows.append(
            f"| {each.data} | {each.configuration} | {each.tested} | {each.strict:.3f} ({low:.3f}–{high:.3f}) | "
            f"{HINT3[each.data]:.3f} |"
        )
    return "\n".join([head, *rows])


def draw(runs: Sequence[Run], file: Path) -> None:
    """Draws accuracy over the number of training phrases, with the spread over the seeds."""
    import matplotlib

    matplotlib.use("Agg")
    # Without these, each drawing of the same numbers is another file.
    matplotlib.rcParams["svg.hashsalt"] = PLOT
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for name in dict.fromkeys(run.configuration for run in runs):
        by_size: dict[int, list[float]] = defaultdict(list)
        for each in runs:
            if each.configuration == name:
                by_size[each.phrases].append(each.strict)
        sizes = sorted(by_size)
        axes.plot(sizes, [fmean(by_size[size]) for size in sizes], "o-", label=name)
        axes.fill_between(sizes, [min(by_size[s]) for s in sizes], [max(by_size[s]) for s in sizes], alpha=0.2)
    axes.set(xlabel="training phrases", ylabel="intent accuracy, strict")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


def write_document(runs: Sequence[Run], folder: Path, quick: bool) -> None:
    """Writes the document and its plot from the template."""
    own = [run for run in runs if run.data == "own"]
    values = {
        "note": "**Made with `--quick`: networks trained for a moment. Not a comparison.**\n" if quick else "",
        "curve": curve_table(own),
        "tested": str(own[0].tested) if own else "0",
        "plot": PLOT,
        "hint3": hint3_table([run for run in runs if run.data != "own"]),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    draw(own, folder / PLOT)
    (folder / DOCUMENT).write_text(text, encoding="utf-8")
    print(f"Written: {(folder / DOCUMENT).relative_to(ROOT)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares and writes."""
    parser = argparse.ArgumentParser(prog="python -m bot.evaluation.nlu_comparison", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="networks for a moment, small shares, one seed")
    parser.add_argument("--only", choices=sorted(CONFIGURATIONS), action="append", help="a configuration; repeatable")
    parser.add_argument("--seeds", type=int, help="how many seeds")
    parser.add_argument("--shares", type=float, nargs="+", help="shares of the training phrases, such as 0.1 1")
    parser.add_argument("--kept", action="store_true", help="train nothing, write what was run before")
    parser.add_argument("--hint3", type=Path, help="folder with HINT3's CSV files")
    options = parser.parse_args(arguments)
    seeds = tuple(range(options.seeds)) if options.seeds else QUICK_SEEDS if options.quick else SEEDS
    shares = options.shares or (QUICK_SHARES if options.quick else SHARES)
    tasks = [own_task(), *(hint3_task(options.hint3, name) for name in HINT3 if options.hint3)]
    runs = compare(tasks, options.only or list(CONFIGURATIONS), shares, seeds, options.quick, options.kept)
    if not any(run.data == "own" for run in runs):
        raise SystemExit("Nothing of this was run yet on these phrases. Leave --kept out.")
    write_document(runs, RESULTS if options.quick else DOCS, options.quick)


if __name__ == "__main__":
    main()
