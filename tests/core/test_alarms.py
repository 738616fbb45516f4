"""What an alarm or a doubt of the screen changes about later replies."""

from __future__ import annotations

import pytest

from bot.core import alarms, checks
from bot.core import dialogue as d
from bot.core.answering import Setting
from bot.core.turn import Answer, Mention, State, Turn
from bot.knowledge.loader import load_knowledge

K = load_knowledge()
CALL, TODAY = alarms.Alarm("Call 999 now.", urgent=True), alarms.Alarm("See a doctor today.", urgent=False)
TREATMENT = next(fact.id for fact in K.facts.values() if fact.kind == "treatment")
CAUSE = next(fact.id for fact in K.facts.values() if fact.kind == "cause")


@pytest.mark.parametrize(
    ("alarm", "fact", "held"), [(CALL, TREATMENT, True), (CALL, CAUSE, False), (TODAY, TREATMENT, False)]
)
def test_only_an_emergency_holds_back_self_care(alarm: alarms.Alarm, fact: str, held: bool):
    assert alarms.held_back(Answer("answer", "x", facts=(fact,)), alarm, K) is held


def test_an_emergency_is_not_followed_by_a_milder_check():
    assert alarms.held_back(Answer("safety_check", "x"), CALL, K)
    assert not alarms.held_back(Answer("safety_check", "x"), TODAY, K)


def test_a_reminder_comes_first():
    reply = alarms.reminded(Answer("answer", "Causes: ..."), CALL, K)
    assert reply.text.startswith(K.phrases["still_stands"] + " Call 999 now.") and reply.text.endswith("Causes: ...")


def test_a_small_doubt_is_asked_beside_the_answer_and_once():
    reply, state = alarms.ask_beside(Answer("answer", "Causes: ..."), State(), "dvt", "999", K)
    assert "999" in reply.text and reply.text.endswith("Causes: ...") and reply.kind == "answer"
    assert reply.safety_question == state.checking == checks.ANYWHERE
    assert [button.title for button in reply.buttons] == ["Yes", "No", "Not sure"]
    again, _ = alarms.ask_beside(Answer("answer", "More."), state, "dvt", "999", K)
    other, _ = alarms.ask_beside(Answer("answer", "More."), state, "stroke", "999", K)
    assert again.text == "More." and other.text != "More."


def test_the_question_of_a_region_is_not_asked_twice_over():
    asked = Answer("safety_check", "First a check: ...")
    assert alarms.ask_beside(asked, State(), "belly", "999", K) == (asked, State())


def test_what_raised_an_alarm_is_what_the_talk_goes_on_about(setting: Setting):
    flagged = Turn(("red_flag",), (Mention("body_part", "eye"), Mention("duration", "weeks")))
    state = d.recalled(flagged, State(), K)
    reply, _ = d.ask(Turn(("ask_causes",)), state, setting)
    assert reply.body_part == "eye" and state.durations == ("weeks",)


def test_an_alarm_that_names_nothing_leaves_the_talk_as_it_was():
    before = State(body_parts=("back",))
    assert d.recalled(Turn(("red_flag",)), before, K) == before
