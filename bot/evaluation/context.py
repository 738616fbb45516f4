"""Weighs our context engine against others: `python -m bot.evaluation.context [FILE.jsonl]`.

Signs, rules and decision are the project's own throughout; only what judges whether a sign is so, now, for someone in
front of the writer, is exchanged. Rules only: the learned screen takes no part. A message counts as found if any red
flag fires. Intervals are Wilson's at 95 %.

medspaCy and negspaCy are no dependencies of the project. Without them the other engines run; with `INSTALL` put into
a folder of its own, as the script tells, they take part.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import comb
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from bot.core.context import Category, Cue, Direction, Target, judge
from bot.core.screen import Finding, ScreenResult
from bot.evaluation.safety import DEVELOPMENT, wilson
from bot.knowledge.safety import Cues, SafetyData, load_safety
from bot.knowledge.vocabulary import domain_lemmas
from bot.language.patterns import PatternCompiler
from bot.language.pipeline import load_nlp
from bot.language.safety import RedFlagReader

INSTALL = (
    "medspacy==1.3.1 medspacy-quickumls==3.2 medspacy-unqlite==0.9.8 pysimstring==1.3.0 Unidecode==1.4.0 "
    "PyRuSH==1.0.13 PyFastNER==1.0.10 quicksectx==0.4.1 pysbd==0.3.4 loguru==0.7.3 negspacy==1.1.0"
)
HOW = f"""{{}}: not installed (no dependency of the project), so without a row. To weigh it too:
  folder=$(mktemp -d)
  .venv/bin/python -m pip install --no-deps --target "$folder" {INSTALL}
  PYTHONPATH="$folder" .venv/bin/python -m bot.evaluation.context
"""
OURS = "ours"
PASSES = 5  # the fastest counts, for other work slows the machine down
# What each of medspaCy's categories (is_negated, is_family, ...) is called here.
MEDSPACY = {
    "NEGATED_EXISTENCE": Category.NEGATED,
    "FAMILY": Category.OTHER_HISTORY,
    "HISTORICAL": Category.HISTORICAL,
    "HYPOTHETICAL": Category.HYPOTHETICAL,
    "POSSIBLE_EXISTENCE": Category.HYPOTHETICAL,
}
# Chats, unlike clinical notes, name relatives who are ill now; and what is only possible is still dangerous.
CAREFUL = {name: MEDSPACY[name] for name in ("NEGATED_EXISTENCE", "HISTORICAL", "HYPOTHETICAL")}
_GROUP = "medspacy_spans"

Engine = Callable[[Doc, Sequence[Target]], "list[set[Category]]"]


@dataclass(frozen=True)
class Outcome:
    """What one engine makes of a labelled file, message by message, in how many ms of processor time each."""

    fired: tuple[bool, ...]
    milliseconds: float


class ExchangeableReader(RedFlagReader):
    """The project's screen with its context engine exchanged; without another engine, the screen itself."""

    engine: Engine | None = None

    def _findings(self, doc: Doc) -> list[Finding]:
        if self.engine is None:
            return super()._findings(doc)
        targets = self._targets(doc)
        found = self.engine(doc, targets) if targets else []
        return [_finding(target, categories) for target, categories in zip(targets, found, strict=True)]


def _finding(target: Target, categories: set[Category]) -> Finding:
    """Weighs the categories that an engine gives a target as our own engine does: each cue reaches the target."""
    cues = [Cue(name, n, n + 1, Direction.BACKWARD, n) for n, name in enumerate(sorted(categories), 1)]
    (verdict,) = judge([replace(target, start=0, end=1)], cues)
    return Finding(target.name, target.start, target.end, verdict.status)


def no_engine(doc: Doc, targets: Sequence[Target]) -> list[set[Category]]:
    """Takes every sign as here and now."""
    return [set() for _ in targets]


def medspacy_engine(context: Any, categories: Mapping[str, Category]) -> Engine:
    """Makes an engine of a medspaCy ConText component.

    Args:
        context: A component that reads the span group `medspacy_spans`. Signs overlap, which `doc.ents` forbids.
        categories: Our names of medspaCy's categories; the others change nothing.
    """

    def engine(doc: Doc, targets: Sequence[Target]) -> list[set[Category]]:
        _group(doc, targets)
        context(doc)
        modifiers = [doc[target.start : target.end]._.modifiers for target in targets]
        return [{categories[m.category] for m in found if m.category in categories} for found in modifiers]

    return engine


def negspacy_engine(negex: Any) -> Engine:
    """Makes an engine of a negspaCy component that reads the same span group."""

    def engine(doc: Doc, targets: Sequence[Target]) -> list[set[Category]]:
        _group(doc, targets)
        negex(doc)
        return [{Category.NEGATED} if doc[t.start : t.end]._.negex else set() for t in targets]

    return engine


def _group(doc: Doc, targets: Sequence[Target]) -> None:
    places = sorted({(target.start, target.end) for target in targets})
    doc.spans[_GROUP] = [Span(doc, start, end, label="SIGN") for start, end in places]


def engines(nlp: Language, data: SafetyData) -> Iterator[tuple[str, Engine | None]]:
    """Yields the engines that can run here by name; says on stderr how to run the others."""
    yield OURS, None
    yield "none", no_engine
    missing = [name for name in ("medspaCy", "negspaCy") if find_spec(name.lower()) is None]
    if missing:
        print(HOW.format(" and ".join(missing)), file=sys.stderr)
    if "medspaCy" not in missing:
        yield from _medspacy_engines(nlp, data)
    if "negspaCy" not in missing:
        yield "negspaCy", negspacy_engine(_negex(nlp))


def _medspacy_engines(nlp: Language, data: SafetyData) -> Iterator[tuple[str, Engine]]:
    from medspacy.context import ConText

    default = ConText(nlp, input_span_type="group", span_group_name=_GROUP)
    yield "medspaCy", medspacy_engine(default, MEDSPACY)
    yield "medspaCy, family and uncertain count", medspacy_engine(default, CAREFUL)
    ours = ConText(nlp, rules=None, span_attrs=None, input_span_type="group", span_group_name=_GROUP)
    ours.add(list(_our_rules(nlp, data)))
    yield "medspaCy with our cues", medspacy_engine(ours, {category.name: category for category in Category})


def _our_rules(nlp: Language, data: SafetyData) -> Iterator[Any]:
    """Yields our cues as medspaCy's rules; its shortest scope is one word, ours none (a cue on the sign itself)."""
    from medspacy.context import ConTextRule

    compiler = PatternCompiler(nlp, data.groups, domain_lemmas(), exact=True)
    for cues in data.cues:
        for phrase in cues.phrases:
            for pattern in compiler.compile(phrase).patterns:
                name, direction, scope = cues.category.name, _direction(cues), max(1, cues.scope)
                yield ConTextRule(phrase, name, pattern, direction=direction, max_scope=scope)


def _direction(cues: Cues) -> str:
    own = {Category.TERMINATE: "TERMINATE", Category.PSEUDO: "PSEUDO"}
    return own.get(cues.category, cues.direction.name)


def _negex(nlp: Language) -> Any:
    from negspacy.negation import Negex
    from negspacy.termsets import termset

    return Negex(nlp, "negex", termset("en_clinical").get_patterns(), span_keys=[_GROUP])


def run(reader: ExchangeableReader, engine: Engine | None, texts: Sequence[str]) -> Outcome:
    """Reads all texts with an engine.

    Raises:
        SystemExit: The screen failed on a text, so that figures would mislead.
    """
    reader.engine = engine
    started = time.process_time()
    results = [reader.read(text) for text in texts]
    spent = time.process_time() - started
    _check(results)
    return Outcome(tuple(bool(result.hits) for result in results), spent * 1000 / max(1, len(texts)))


def run_all(
    reader: ExchangeableReader, by_name: Mapping[str, Engine | None], texts: Sequence[str]
) -> dict[str, Outcome]:
    """Reads all texts with all engines in turn, a few times over; the fastest time of each counts."""
    passes = [{name: run(reader, engine, texts) for name, engine in by_name.items()} for _ in range(PASSES)]
    return {name: min((one[name] for one in passes), key=lambda outcome: outcome.milliseconds) for name in by_name}


def _check(results: Sequence[ScreenResult]) -> None:
    failed = sum(result.failed for result in results)
    if failed:
        raise SystemExit(f"The engine failed on {failed} message(s); the error's type is logged above.")


def table(rows: Sequence[Mapping[str, Any]], outcomes: Mapping[str, Outcome]) -> str:
    """Gives the figures of all engines as a Markdown table."""
    lines = [
        "| engine | emergencies found | urgent found | false alarms | ms per message |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, outcome in outcomes.items():
        cells = [_share(group) for group in _groups(rows, outcome.fired)]
        lines.append(f"| {name} | {' | '.join(cells)} | {outcome.milliseconds:.1f} |")
    return "\n".join(lines)


def _groups(rows: Sequence[Mapping[str, Any]], fired: Sequence[bool]) -> tuple[list[bool], list[bool], list[bool]]:
    """Gives the outcomes of emergencies, of urgent messages and of harmless ones."""
    pairs = list(zip(rows, fired, strict=True))
    emergency, urgent = ([f for r, f in pairs if r["red_flag"] and r["urgency"] == u] for u in ("emergency", "urgent"))
    return emergency, urgent, [f for r, f in pairs if not r["red_flag"]]


def _share(outcomes: Sequence[bool]) -> str:
    hits, total = sum(outcomes), len(outcomes)
    low, high = wilson(hits, total)
    return f"{hits}/{total} = {hits / max(1, total):.2f} ({low:.2f}–{high:.2f})"


def paired(rows: Sequence[Mapping[str, Any]], outcomes: Mapping[str, Outcome]) -> str:
    """Gives, message by message, where each engine differs from ours, as a Markdown table."""
    lines = [
        "| engine | dangers only it : only ours finds | p | false alarms only it : only ours raises | p |",
        "| --- | --- | --- | --- | --- |",
    ]
    ours = outcomes[OURS].fired
    for name, outcome in outcomes.items():
        if name != OURS:
            both = [(row["red_flag"], it, our) for row, it, our in zip(rows, outcome.fired, ours, strict=True)]
            pairs = [(both.count((danger, True, False)), both.count((danger, False, True))) for danger in (True, False)]
            cells = [f"{it} : {our} | {_chance(sign_test(it, our))}" for it, our in pairs]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def sign_test(one: int, other: int) -> float:
    """Gives the exact two-sided probability of a split at least so uneven if neither were likelier (McNemar)."""
    total = one + other
    tail = sum(comb(total, n) for n in range(min(one, other) + 1)) / 2**total
    return min(1.0, 2 * tail)


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def families(rows: Sequence[Mapping[str, Any]], outcomes: Mapping[str, Outcome]) -> str:
    """Gives the false alarms of each family of harmless messages, as a Markdown table."""
    names = sorted({row["category"] for row in rows if not row["red_flag"]})
    lines = [f"| family | messages | {' | '.join(outcomes)} |", "| --- | --- |" + " --- |" * len(outcomes)]
    for name in names:
        places = [n for n, row in enumerate(rows) if not row["red_flag"] and row["category"] == name]
        counts = [str(sum(outcome.fired[n] for n in places)) for outcome in outcomes.values()]
        lines.append(f"| {name} | {len(places)} | {' | '.join(counts)} |")
    return "\n".join(lines)


def main() -> None:
    """Prints the tables of a labelled file, by default of the development set."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEVELOPMENT
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    nlp, data = load_nlp(), load_safety()
    reader = ExchangeableReader(nlp, data)
    texts = [row["text"] for row in rows]
    outcomes = run_all(reader, dict(engines(nlp, data)), texts)
    for part in (table, paired, families):
        print(part(rows, outcomes), end="\n\n")


if __name__ == "__main__":
    main()
