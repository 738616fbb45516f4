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
        (Guess("out_of_scope", 0.6), [Guess("out_of_scope", 0.7), CURE], 12, ("ask_treatment",)),
        (Guess("out_of_scope", 0.9), [Guess("out_of_scope", 0.7), CURE], 12, ("out_of_scope",)),
        (Guess("human_handoff", 0.6), [CURE], 12, ("human_handoff",)),
        (Guess("deny", 0.6), [CURE], 12, ("deny", "ask_treatment")),
        (Guess("thank", 0.9), [Guess("thank", 0.9), Guess("ask_more", 0.9)], 6, ("thank",)),
    ],
)
def test_questions(whole, parts, length, asked):
    assert questions(whole, parts, length) == asked
