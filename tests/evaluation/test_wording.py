"""Replies keep the rules of plain and careful wording, and the lint finds what breaks them."""

from __future__ import annotations

import pytest

from bot.evaluation.live import LiveBot
from bot.evaluation.wording import check, lint, ordinary_messages


@pytest.mark.parametrize(
    "text",
    [
        "You probably have a cramp.",
        "You have a strain.",
        "It is probably nothing.",
        "Don't worry about it.",
        "Call 111 now.",
        "The chance is 80 %.",
        "I detect a problem.",
        "Rest \U0001f600",
        "Say if you pass stools.",
        " ".join(["word"] * 26) + ".",
    ],
)
def test_lint_finds_what_breaks_a_rule(text: str):
    assert lint(text)


@pytest.mark.parametrize(
    "text",
    ["Ask NHS 111, or a doctor.", "General information, not a diagnosis.", "• Rest. [1]\n\nSources: [1] 80 % of it"],
)
def test_lint_leaves_careful_words_alone(text: str):
    assert not lint(text)


@pytest.mark.server
def test_replies_to_ordinary_messages_keep_the_rules(bot: LiveBot):
    checked = check(bot, ordinary_messages())
    assert len(checked) >= 200
    assert not [(item.message, item.faults) for item in checked if item.faults]
