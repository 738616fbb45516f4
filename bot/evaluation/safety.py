"""Measures the red-flag screen: `python -m bot.evaluation.safety [FILE.jsonl]`.

Prints recall by urgency and category, the false-alarm rate by family, every miss and every false
alarm. Intervals are Wilson's at 95 %.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any, Optional

from bot.core.screen import Hit, Urgency
from bot.language.safety import load_reader

DEFAULT = Path("evaluation/redflags.jsonl")
_Z = 1.959964


@dataclass(frozen=True)
class Row:
    """One labelled text with what the screen said of it."""

    text: str
    red_flag: bool
    category: str
    urgency: str
    hit: Optional[Hit]

    @property
    def right(self) -> bool:
        """Tells whether the screen fired exactly if it had to."""
        return (self.hit is not None) == self.red_flag

    @property
    def in_time(self) -> bool:
        """Tells whether the screen fired at least as urgently as the label asks."""
        return self.hit is not None and self.hit.urgency <= max(Urgency[self.urgency.upper()], Urgency.CRISIS)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Gives Wilson's 95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    share, spread = hits / total, _Z * _Z / total
    middle = share + spread / 2
    half = _Z * sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def measure(path: Path) -> list[Row]:
    """Runs the screen over a file of labelled texts."""
    reader = load_reader()
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            raw = json.loads(line)
            hit = reader.read(raw["text"]).worst
            rows.append(Row(raw["text"], raw["red_flag"], raw["category"], raw.get("urgency") or "", hit))
    return rows


def report(rows: Iterable[Row]) -> str:
    """Gives the figures as text."""
    flags, others = [r for r in rows if r.red_flag], [r for r in rows if not r.red_flag]
    lines = ["Recall: fired (fired at least as urgently as labelled)"]
    lines += _table(flags, lambda row: row.urgency) + _table(flags, lambda row: row.category)
    lines += ["", "False alarms by family"]
    lines += [_share("all", [not r.right for r in others])]
    lines += [
        _share(family, [not r.right for r in others if r.category == family])
        for family in sorted({r.category for r in others})
    ]
    lines += ["", "Misses"] + [f"  {r.urgency:9} {r.category}: {r.text}" for r in flags if not r.right]
    lines += ["", "Too mild"]
    lines += [f"  {r.urgency:9} {r.hit.rule}: {r.text}" for r in flags if r.hit and not r.in_time]
    lines += ["", "False alarms"] + [f"  {r.category}: {r.hit.rule}: {r.text}" for r in others if r.hit]
    return "\n".join(lines)


def _table(rows: list[Row], key: Callable[[Row], str]) -> list[str]:
    lines = []
    for name in sorted({key(row) for row in rows}):
        group = [row for row in rows if key(row) == name]
        timely = sum(row.in_time for row in group)
        lines.append(f"{_share(name, [row.right for row in group])}   ({timely} in time)")
    return lines


def _share(name: str, outcomes: list[bool]) -> str:
    hits, total = sum(outcomes), len(outcomes)
    low, high = wilson(hits, total)
    return f"  {name:22} {hits:4}/{total:<4} {hits / total if total else 0:.3f}  [{low:.3f}, {high:.3f}]"


def add_learned(rows: list[Row]) -> list[Row]:
    """Adds what the trained model's learned screen finds where the rules found nothing."""
    from bot.evaluation.nlu import parse
    from bot.train import current_model

    parsed = parse(current_model(), [{"text": row.text, "intent": ""} for row in rows])
    learned = Hit("learned-screen", Urgency.EMERGENCY, "emergency-now", ())
    return [
        replace(row, hit=learned) if row.hit is None and found.found == "red_flag" else row
        for row, found in zip(rows, parsed, strict=True)
    ]


def evaluate(path: Path) -> dict[str, Any]:
    """Prints the report of a file and gives the main figures of each layer with 95 % intervals."""
    rules = measure(path)
    both = add_learned(rules)
    print(report(both))
    figures = {"rules alone": _figures(rules), "rules and learned screen": _figures(both)}
    print()
    for layer, groups in figures.items():
        for name, row in groups.items():
            print(f"{layer:26}{name:14}{row['share']:.3f}  {row['interval']}  of {row['of']}")
    return figures


def _figures(rows: list[Row]) -> dict[str, dict[str, Any]]:
    urgencies = ("emergency", "urgent", "soon")
    groups = {name: [row.right for row in rows if row.red_flag and row.urgency == name] for name in urgencies}
    groups["false_alarms"] = [not row.right for row in rows if not row.red_flag]
    return {name: _figure(outcomes) for name, outcomes in groups.items() if outcomes}


def _figure(outcomes: list[bool]) -> dict[str, Any]:
    low, high = wilson(sum(outcomes), len(outcomes))
    share = sum(outcomes) / len(outcomes)
    return {"share": round(share, 4), "of": len(outcomes), "interval": [round(low, 3), round(high, 3)]}


def main() -> None:
    """Prints the report of the file that is named, or of the project's own set."""
    evaluate(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)


if __name__ == "__main__":
    main()
