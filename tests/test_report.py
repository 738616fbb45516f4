"""The editor's report: what is asked, what is not answered, what gets thumbs down; every word of it our own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.feedback import Feedback, Vote
from bot.knowledge.loader import Knowledge
from bot.report import Report
from bot.train import ROOT

TOLD = "d4-tx-ice-48h"


@pytest.fixture
def feedback(tmp_path: Path, knowledge: Knowledge) -> Feedback:
    """Counts as a busy day leaves them."""
    counts = Feedback(f"sqlite:///{tmp_path}/feedback.db")
    for _ in range(3):
        counts.heard({"kind": "answer", "intents": ["ask_treatment"], "facts": [TOLD]})
    counts.heard({"kind": "answer", "intents": ["ask_causes"], "facts": ["gone-fact"]})
    lost = [*["toothache"] * 2, "hair falling out", "pickle juice for leg cramp??", ""]
    lost += [knowledge.questions[TOLD][0]]
    for label in lost:
        counts.heard({"kind": "fallback", "intents": ["out_of_scope"], "unserved": unserved("not_understood", label)})
    counts.heard({"kind": "answer", "unserved": unserved("not_covered", next(iter(knowledge.not_covered)))})
    counts.heard({"kind": "fallback", "unserved": unserved("language", "es")})
    counts.count(["ask_treatment"], [TOLD], Vote("up"))
    for reason in ("wrong", "wrong", "unclear", ""):
        counts.count(["ask_treatment"], [TOLD], Vote("down", reason))
    counts.count(["ask_causes"], [], Vote("down"))
    return counts


def unserved(why: str, label: str) -> dict:
    return {"why": why, "label": label, "introduced": True}


def section(text: str, title: str) -> list[str]:
    return next(part for part in text.split("\n\n") if part.startswith(f"== {title}")).splitlines()[1:]


def test_report_lists_the_most_frequent_first(feedback: Feedback, knowledge: Knowledge):
    text = Report(feedback.asked(), feedback.counts(), knowledge).text()
    assert text.startswith("12 replies: 7 fallback, 5 answer")
    asked = section(text, "What is asked most")
    assert [row.split()[0] for row in asked] == ["6", "3", "1"] and "(ask_treatment)" in asked[1]
    told = section(text, "What is told most")
    assert knowledge.facts[TOLD].text in told[0] and "gone-fact (no longer there)" in told[1]
    assert f"1 of {len(knowledge.facts)} facts were told" in text


def test_what_is_not_understood_is_grouped_by_subject(feedback: Feedback, knowledge: Knowledge):
    rows = section(Report(feedback.asked(), feedback.counts(), knowledge).text(), "Not understood")
    assert rows[0].split(maxsplit=1) == ["3", "not in the documents: off-subject"]
    assert rows[1:3] == ["         - toothache", "         - hair falling out"]
    assert any(knowledge.topics[knowledge.facts[TOLD].topic].name in row for row in rows)
    assert any("like no question that we know" in row for row in rows)


def test_other_unanswered_questions_are_named(feedback: Feedback, knowledge: Knowledge):
    text = Report(feedback.asked(), feedback.counts(), knowledge).text()
    assert next(iter(knowledge.not_covered.values())).name in section(text, "Asked for by name")[0]
    assert "Spanish" in section(text, "In another language")[0]


def test_thumbs_down_come_with_their_reasons(feedback: Feedback, knowledge: Knowledge):
    rows = section(Report(feedback.asked(), feedback.counts(), knowledge).text(), "Thumbs down, by kind of question")
    assert rows[0].split("  ")[-2].strip().endswith("4 down, 1 up") and rows[0].endswith("wrong: 2; unclear: 1")
    assert "(ask_causes)" in rows[1] and len(rows) == 2


def test_long_lists_are_cut(tmp_path: Path, knowledge: Knowledge):
    counts = Feedback(f"sqlite:///{tmp_path}/feedback.db")
    counts.heard({"kind": "answer", "facts": list(knowledge.facts)})
    rows = section(Report(counts.asked(), [], knowledge).text(), "What is told most")
    assert len(rows) == 16 and rows[-1].strip() == f"and {len(knowledge.facts) - 15} more"


def test_report_says_that_nothing_was_counted_yet(tmp_path: Path):
    command = [sys.executable, "-m", "bot.report"]
    done = subprocess.run(
        command, cwd=ROOT, env={"STATE_FOLDER": str(tmp_path / "none yet")}, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("Nothing was counted yet."), done.stderr


@pytest.mark.server
def test_what_the_running_bot_does_not_answer_is_counted_in_our_words(bot, knowledge: Knowledge):
    sender = bot.conversation()
    for text in ("my calf cramps", "qwxz blorf zzgh", "who won the football last night"):
        bot.say(text, sender)
    counts, until = Feedback(f"sqlite:///{bot.log.parent}/feedback.db"), time.monotonic() + 20
    kinds: set[tuple[str, str]] = set()
    wanted = {("reply", "answer"), ("reply", "fallback"), ("intent", "describe_problem")}
    while not wanted <= kinds and time.monotonic() < until:  # counting takes its time after the reply
        time.sleep(0.1)
        kinds = {(row.kind, row.id) for row in counts.asked()}
    assert wanted <= kinds
    ours = {"", *knowledge.unanswered, *(text for asked in knowledge.questions.values() for text in asked)}
    ours |= {fact.text for fact in knowledge.facts.values()}
    ours |= {text for goal in knowledge.goals.values() for text in goal.whole}
    assert {id_ for kind, id_ in kinds if kind in ("not_understood", "unanswered")} <= ours
