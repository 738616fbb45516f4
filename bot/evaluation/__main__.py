"""`make evaluate`: NLU, safety and dialogue figures as a table, a JSON file and plots.

Without an argument the project's own held-out data are used; with a file, that file, its schema being told by
its fields.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.evaluation import dialogues, nlu, retrieval, safety
from bot.evaluation.live import live_bot
from bot.train import ROOT, current_model

HELD_OUT = ROOT / "evaluation"
RESULTS = ROOT / "results"


def main() -> int:
    """Evaluates and prints; everything is written to results/ too."""
    RESULTS.mkdir(exist_ok=True)
    files = [Path(argument) for argument in sys.argv[1:]] or sorted(HELD_OUT.glob("*.jsonl"))
    ways = {path: way(path) for path in files}
    report = {}
    for path, evaluate in ways.items():
        print(f"\n== {path.name}", flush=True)
        report[path.name] = evaluate(path)
    (RESULTS / "evaluation.json").write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    print("\nWritten: results/evaluation.json and pictures beside it.")
    return 0


def way(path: Path) -> Callable[[Path], dict[str, Any]]:
    """Gives what evaluates a file, by its schema.

    Raises:
        SystemExit: The file is missing or of no known schema.
    """
    if not path.is_file():
        raise SystemExit(f"There is no file {path}. Give a .jsonl file of one of the schemas of evaluation/.")
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    for field, evaluate in _WAYS.items():
        if field in first:
            return evaluate
    raise SystemExit(f"{path} is of no known schema: its rows need one of {', '.join(_WAYS)}.")


def _nlu(path: Path) -> dict[str, Any]:
    rows = nlu.parse(current_model(), nlu.read_rows(path))
    result = nlu.figures(rows)
    _table({name: value for name, value in result.items() if name != "per_intent"})
    print(f"\n{'intent':34}{'messages':>9}{'recall':>8}{'precision':>11}")
    for name, row in result["per_intent"].items():
        print(f"{name:34}{row['messages']:>9}{row['recall']:>8.2f}{row['precision']:>11.2f}")
    wrong = [row for row in rows if not row.lenient]
    print(f"\nWrong even by the lenient rule: {len(wrong)}")
    for row in wrong:
        print(f"  {row.intent} -> {row.found} ({row.confidence:.2f}): {row.text[:100]}")
    for row in rows:
        if row.body_part and row.body_part not in row.found_parts:
            print(f"  body part {row.body_part} not in {row.found_parts}: {row.text[:100]}")
    nlu.draw(rows, RESULTS / f"{path.stem}-confusion.png")
    return {**result, "confusions": nlu.confusions(rows)}


def _dialogues(path: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, live_bot(Path(folder)) as bot:
        results = dialogues.run(bot, dialogues.read_dialogues(path))
    figures = dialogues.figures(results)
    _table(figures)
    for result in results:
        if result.faults:
            print(f"  {result.dialogue}: {result.user[:90]!r}: {'; '.join(result.faults)}")
    return figures


# By a field of the schema's rows.
_WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "turns": _dialogues,
    "red_flag": safety.evaluate,
    "intent": _nlu,
    "question": retrieval.evaluate,
}


def _table(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        print(f"{name:34}{value}")


if __name__ == "__main__":
    sys.exit(main())
