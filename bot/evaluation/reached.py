"""Writes docs/facts-reached.md: for each fact a conversation that brings it up (`make facts-reached`).

The conversations are had with the running bot. The questions are those of `bot/knowledge/questions/`.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from bot.evaluation.live import LiveBot, Reply, live_bot
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.knowledge.schema import Fact
from bot.train import ROOT, current_model

REPORT = ROOT / "docs" / "facts-reached.md"
NEXT = " → "
# A fact that fewer of its questions bring than this share is listed as hard to ask for.
WEAK = 0.5
WARNINGS = frozenset({"emergency", "urgent", "crisis", "safety_check"})
_ROW = re.compile(r"^\| `([\w-]+)` \| ([^|]+) \|", re.MULTILINE)

Conversation = tuple[str, ...]


@dataclass(frozen=True)
class Reached:
    """How a fact is reached.

    Attributes:
        fact: Its id.
        conversation: What the person types, message by message; None if nothing brought it up.
        direct: How many of its questions bring it at once.
        asked: How many questions it has.
        warned: Its questions that got a warning or a safety question instead of an answer.
    """

    fact: str
    conversation: Conversation | None
    direct: int
    asked: int
    warned: tuple[str, ...] = ()


def reach(fact: str, bot: LiveBot, k: Knowledge) -> Reached:
    """Asks a fact's questions and, if none brings it at once, goes on as a person would."""
    replies = {text: bot.say(text, bot.conversation()) for text in k.questions[fact]}
    direct = [text for text, reply in replies.items() if _tells(reply, fact)]
    warned = tuple(text for text, reply in replies.items() if reply.custom.get("kind") in WARNINGS)
    longer = (talk for text in k.questions[fact] for talk in _longer(text, fact, bot, k)) if not direct else ()
    conversation = (direct[0],) if direct else next(iter(longer), None)
    return Reached(fact, conversation, len(direct), len(replies), warned)


def brings(conversation: Conversation, fact: str, bot: LiveBot) -> bool:
    """Tells whether the last reply of a conversation tells a fact."""
    sender = bot.conversation()
    replies = [bot.say(text, sender) for text in conversation]
    return _tells(replies[-1], fact)


def _longer(text: str, fact: str, bot: LiveBot, k: Knowledge) -> Iterator[Conversation]:
    """Gives the conversation that a question begins and one more message ends, if that brings the fact."""
    sender = bot.conversation()
    first = bot.say(text, sender)
    follow = k.phrases["button_no" if first.custom.get("kind") == "safety_check" else "payload_more"]
    if _tells(bot.say(follow, sender), fact):
        yield (text, follow)


def _tells(reply: Reply, fact: str) -> bool:
    return fact in (reply.custom.get("facts") or ())


def report(reached: Mapping[str, Reached], k: Knowledge) -> str:
    """Gives the report as Markdown."""
    missing = [item for item in reached.values() if not item.conversation]
    weak = [item for item in reached.values() if item.conversation and item.direct < WEAK * item.asked]
    lines = [
        "# A question for every fact",
        "",
        "Made by `make facts-reached`; do not edit. For each fact a conversation with the running bot whose last reply "
        "tells it; `tests/test_facts_reached.py` has all of them. The last column counts how many of the fact's own "
        "questions (`bot/knowledge/questions/`) bring it at once. The retriever has learned from these questions; how "
        "it fares with questions that it has not seen is measured by `python -m bot.evaluation.retrieval`.",
        "",
        f"{len(reached) - len(missing)} of {len(reached)} facts are reached. "
        f"{sum(item.direct for item in reached.values())} of {sum(item.asked for item in reached.values())} questions "
        "bring their fact at once.",
        "",
    ]
    for title, items in (("Not reached", missing), ("Hard to ask for: fewer than half of the questions work", weak)):
        if items:
            lines += [f"## {title}", "", *(f"- `{item.fact}` ({item.direct} of {item.asked})" for item in items), ""]
    warned = [text for item in reached.values() for text in item.warned]
    lines += ["## Answered with a warning or a safety question first", ""]
    lines += [f"{len(warned)} questions. Most of them only ask; those are false alarms.", ""]
    lines += [*(f"- {text}" for text in warned), ""]
    for document in k.documents.values():
        facts = [fact for fact in k.facts.values() if fact.doc == document.id]
        lines += [f"## {document.title}", "", "| fact | what to type | what it says | questions |"]
        lines += ["| --- | --- | --- | --- |"]
        lines += [_row(fact, reached[fact.id]) for fact in facts if reached[fact.id].conversation]
        lines.append("")
    return "\n".join(lines)


def _row(fact: Fact, item: Reached) -> str:
    typed = NEXT.join(item.conversation or ())
    return f"| `{fact.id}` | {typed} | {fact.text} | {item.direct} of {item.asked} |"


def conversations(text: str) -> dict[str, Conversation]:
    """Reads the conversations back from a report."""
    return {fact: tuple(typed.split(NEXT)) for fact, typed in _ROW.findall(text)}


def main() -> int:
    """Has the conversations and writes the report."""
    current_model()
    k = load_knowledge()
    with tempfile.TemporaryDirectory() as folder, live_bot(Path(folder)) as bot:
        reached = {fact: reach(fact, bot, k) for fact in tqdm(k.facts, desc="facts", unit="")}
    REPORT.write_text(report(reached, k), encoding="utf-8")
    missing = [fact for fact, item in reached.items() if not item.conversation]
    for fact in missing:
        print(f"{fact}: none of its questions brings it; add some to bot/knowledge/questions/")
    print(f"{len(reached) - len(missing)} of {len(reached)} facts are reached; see {REPORT.relative_to(ROOT)}")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
