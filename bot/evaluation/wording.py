"""Lint of replies: the rules of plain and careful wording that a program can check (shared/safety/wording.md).

`python -m bot.evaluation.wording` runs it over the replies of the running bot to ordinary messages and prints reading
grades.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median

import yaml

from bot.evaluation.live import LiveBot, live_bot
from bot.evaluation.nlu import read_rows
from bot.knowledge.schema import count_words
from bot.train import ROOT, current_model

MESSAGES = 200
MAX_SENTENCE_WORDS = 25
RULES = Path(__file__).with_name("wording.yml")
_REF = re.compile(r"\[\d+\]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True)
class Checked:
    """One reply with what is wrong with it."""

    message: str
    text: str
    kind: str
    faults: tuple[str, ...]
    grade: float


@lru_cache(maxsize=1)
def forbidden() -> dict[str, re.Pattern[str]]:
    """Gives what a reply must not say, by rule (`wording.yml`)."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["rules"]
    return {rule["rule"]: re.compile(rule["pattern"], re.IGNORECASE) for rule in rules}


def prose(text: str) -> str:
    """Gives a reply without its list of sources, numbers of sources and bullets."""
    body = text.split("\n\nSources:")[0]
    return _REF.sub("", body).replace("•", "").strip()


def sentences(text: str) -> list[str]:
    """Gives the sentences of a reply's prose."""
    return [part.strip() for part in _SENTENCE_END.split(prose(text)) if part.strip()]


def lint(text: str) -> tuple[str, ...]:
    """Gives the broken rules of a reply, with the words that break them."""
    body = prose(text)
    found = ((rule, pattern.search(body)) for rule, pattern in forbidden().items())
    faults = [f"{rule}: “{match.group(0)}”" for rule, match in found if match]
    long = [sentence for sentence in sentences(text) if count_words(sentence) > MAX_SENTENCE_WORDS]
    return (*faults, *(f"PL-2 (over {MAX_SENTENCE_WORDS} words): “{sentence}”" for sentence in long))


def grade(text: str) -> float:
    """Gives the Flesch-Kincaid grade of a reply's prose; each line of a list counts as a sentence."""
    import textstat

    return float(textstat.flesch_kincaid_grade(" ".join(s if s[-1] in ".!?" else f"{s}." for s in sentences(text))))


def check(bot: LiveBot, messages: Sequence[str]) -> list[Checked]:
    """Asks the running bot each message in a conversation of its own and lints the replies."""
    checked = []
    for message in messages:
        reply = bot.say(message, bot.conversation())
        faults = lint(reply.text)
        checked.append(Checked(message, reply.text, reply.custom.get("kind", ""), faults, grade(reply.text)))
    return checked


def ordinary_messages(count: int = MESSAGES) -> list[str]:
    """Gives harmless messages, evenly spread over the project's evaluation set."""
    rows = [r["text"] for r in read_rows(ROOT / "evaluation" / "utterances.jsonl") if r["intent"] != "red_flag"]
    return rows[:: max(1, len(rows) // count)][:count]


def main() -> int:
    """Prints every fault, and reading grades by kind of reply."""
    current_model()
    with tempfile.TemporaryDirectory() as folder, live_bot(Path(folder)) as bot:
        checked = check(bot, ordinary_messages())
    for item in checked:
        for fault in item.faults:
            print(f"{item.message[:60]!r}: {fault}")
    print(f"{len(checked)} replies, {sum(bool(item.faults) for item in checked)} with a fault")
    for name, chosen in (("all", checked), ("answers", [item for item in checked if item.kind == "answer"])):
        print(f"reading grade (Flesch-Kincaid) of {name}: median {median(item.grade for item in chosen):.1f}")
    return int(any(item.faults for item in checked))


if __name__ == "__main__":
    sys.exit(main())
