"""Which questions a message asks."""

from __future__ import annotations

import pytest

from bot.core.questions import Guess, questions

CAUSE, CURE, STORY = Guess("ask_causes", 0.9), Guess("ask_treatment", 0.8), Guess("describe_problem", 0.9)


@pytest.mark.parametrize(
    ("whole", "parts", "length", "asked"),
    [
        (CAUSE, [CAUSE, CURE], 12, ("ask_causes", "ask_treatment")),
        (CAUSE, [STORY, CAUSE], 12, ("ask_causes",)),
        (STORY, [STORY, STORY], 12, ("describe_problem",)),
        (STORY, [STORY, CAUSE, CURE], 60, ("ask_causes", "ask_treatment")),
        (CAUSE, [CAUSE, Guess("ask_treatment", 0.3)], 12, ("ask_causes",)),
        (Guess("thank", 0.9), [Guess("thank", 0.9), Guess("ask_more", 0.9)], 6, ("thank",)),
    ],
)
def test_questions(whole, parts, length, asked):
    assert questions(whole, parts, length) == asked
