"""The chaos report calls things by their names: a report that cannot find a fault proves nothing."""

from __future__ import annotations

import pytest

from bot.channels.turns import failure
from bot.evaluation.chaos import EMERGENCY, FAULTS, HARMS, Person

ANSWER = {"kind": "answer", "body_part": "calf"}


@pytest.mark.parametrize(
    ("knows", "text", "custom", "said", "verdict"),
    [
        (True, "what causes it?", ANSWER, "I understood: calf", "answered"),
        (True, "what causes it?", {**ANSWER, "body_part": "foot"}, "x", "wrong_person"),
        (True, "what causes it?", {**ANSWER, "body_part": None}, "x", "lost_conversation"),
        (False, "what causes it?", {**ANSWER, "body_part": None}, "x", "answered"),
        (True, EMERGENCY, {"kind": "emergency"}, "Call 112", "answered"),
        (True, EMERGENCY, ANSWER, "x", "unscreened"),
        (True, EMERGENCY, {"kind": "fallback"}, failure("s")[0]["text"], "apology"),
        (True, "what causes it?", {"kind": "fallback"}, failure("s", "crowded")[0]["text"], "apology"),
    ],
)
def test_each_reply_is_called_what_it_is(knows: bool, text: str, custom: dict, said: str, verdict: str):
    assert Person("p", "calf", knows=knows).judge(text, custom, said) == verdict


def test_what_must_never_be_is_among_the_verdicts_and_harms_have_names():
    assert {"silent", "unscreened", "wrong_person", "lost_conversation"} == set(FAULTS)
    assert {"kill-bot", "kill-actions", "hang-actions", "slow-store", "full-disk"} <= set(HARMS)


def test_people_tell_where_it_hurts_first_and_have_an_emergency_now_and_then():
    person = Person("p", "foot")
    said = [person.next_message() for _ in range(16)]
    assert "foot" in said[0] and said.count(EMERGENCY) == 2
