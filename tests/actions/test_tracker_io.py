"""What the action server reads of a message."""

from __future__ import annotations

import pytest
from rasa_sdk import Tracker

from actions.tracker_io import turn_from


@pytest.mark.parametrize(
    "shares, second",
    [((0.5, 0.4), "ask_treatment"), ((0.28, 0.1), "ask_treatment"), ((0.9, 0.1), ""), ((0.5,), ""), ((), "")],
)
def test_the_next_likeliest_intent_counts_where_it_is_about_as_likely(shares: tuple[float, ...], second: str):
    names = ("ask_personal_medical_decision", "ask_treatment")
    ranking = [{"name": name, "confidence": share} for name, share in zip(names, shares, strict=False)]
    message = {"text": "x", "intent": {"name": names[0]}, "intent_ranking": ranking}
    assert turn_from(Tracker("x", {}, message, [], False, None, {}, "action_listen")).second == second
