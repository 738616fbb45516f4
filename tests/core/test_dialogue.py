"""The moves of the conversation, as turns over the pure core."""

from __future__ import annotations

import pytest

from bot.core import dialogue as d
from bot.core.answering import Setting
from bot.core.turn import Mention, State, Turn
from bot.knowledge.loader import load_knowledge

K = load_knowledge()


def turn(intents: str, **mentions: str) -> Turn:
    named = tuple(Mention(kind, value) for kind, values in mentions.items() for value in values.split())
    return Turn(tuple(intents.split()), named)


def topics(reply) -> set[str]:
    return {K.facts[fact].topic for fact in reply.facts}


def test_description_without_a_place_asks_where_once(setting: Setting):
    reply, state = d.ask(turn("describe_problem"), State(), setting)
    assert reply.kind == "clarify" and "where" in reply.text.lower() and reply.buttons
    again, _ = d.ask(turn("describe_problem"), state, setting)
    assert again.kind == "answer"


def test_answer_to_where_continues_with_what_was_said(setting: Setting):
    _, state = d.ask(turn("describe_problem", trigger="exercise"), State(), setting)
    reply, _ = d.inform(turn("inform", body_part="calf"), state, setting)
    assert reply.kind == "answer" and reply.body_part == "calf" and reply.trigger == "exercise"
    assert "calf" in reply.understood


@pytest.mark.parametrize("move", [d.deny, d.fallback, d.inform])
def test_answer_that_names_no_place_is_answered_anyway(move, setting: Setting):
    _, state = d.ask(turn("describe_problem"), State(), setting)
    reply, _ = move(turn("deny"), state, setting)
    assert reply.kind == "answer" and reply.facts


def test_and_for_my_neck_repeats_the_question_for_the_neck(setting: Setting):
    _, state = d.ask(turn("ask_treatment", body_part="back"), State(), setting)
    reply, state = d.inform(turn("inform", body_part="neck"), state, setting)
    assert reply.body_part == "neck" and state.goals == ("treatment",)


def test_what_about_heat_keeps_the_place(setting: Setting):
    _, state = d.ask(turn("describe_problem", body_part="calf"), State(), setting)
    reply, _ = d.ask(turn("ask_heat_or_cold", topic="heat-cold"), state, setting)
    assert reply.body_part == "calf" and topics(reply) == {"heat-cold"}


def test_correction_replaces_the_place_and_keeps_the_trigger(setting: Setting):
    _, state = d.ask(turn("describe_problem", body_part="foot", trigger="exercise"), State(), setting)
    reply, state = d.inform(turn("inform", body_part="calf", cue="correction"), state, setting)
    assert reply.body_part == "calf" and reply.trigger == "exercise"
    reply, _ = d.ask(turn("ask_treatment"), state, setting)
    assert reply.body_part == "calf"


def test_new_place_without_correction_forgets_the_trigger(setting: Setting):
    _, state = d.ask(turn("describe_problem", body_part="back", trigger="lifting"), State(), setting)
    reply, _ = d.ask(turn("describe_problem", body_part="eye"), state, setting)
    assert reply.trigger is None


def test_repeated_question_gives_what_was_not_said_then_says_that_it_was_all(setting: Setting):
    state, seen = State(), set()
    for _ in range(30):
        reply, state = d.ask(turn("ask_heat_or_cold", body_part="back"), state, setting)
        leads = {K.lead(fact) for fact in reply.facts}
        if "all the documents say" in reply.text:
            break
        assert not seen or leads - seen, "nothing new was said"
        seen |= leads
    else:
        pytest.fail("never came to an end")


def test_two_questions_are_both_answered(setting: Setting):
    reply, _ = d.ask(turn("ask_causes ask_treatment", body_part="calf"), State(), setting)
    kinds = {K.facts[fact].kind for fact in reply.facts}
    assert "treatment" in kinds and kinds & {"cause", "trigger"}
    assert reply.intents == ("ask_causes", "ask_treatment")


def test_treatment_for_the_first_one(setting: Setting):
    _, state = d.ask(turn("ask_causes", body_part="back", trigger="lifting"), State(), setting)
    first = K.facts[state.listed[0]]
    reply, _ = d.ask(turn("ask_treatment", ordinal="1"), state, setting)
    assert reply.facts and K.topics[first.topic].name in reply.text


def test_did_not_help_offers_something_else(setting: Setting):
    first, state = d.ask(turn("ask_treatment", body_part="calf"), State(), setting)
    reply, _ = d.negative_feedback(turn("negative_feedback", topic="stretching"), state, setting)
    assert reply.kind == "answer" and not set(reply.facts) & set(first.facts) and "doctor" in reply.text
    assert "stretching" not in topics(reply)


def test_personal_decision_is_declined_and_stays_declined(setting: Setting):
    _, state = d.ask(turn("ask_medication", medicine="ibuprofen"), State(), setting)
    reply, state = d.decline(turn("ask_personal_medical_decision", medicine="ibuprofen"), state, setting)
    assert reply.kind == "decline" and "pharmacist" in reply.text and reply.facts
    reply, _ = d.negative_feedback(turn("negative_feedback"), state, setting)
    assert reply.kind == "decline"


def test_sources_are_those_of_the_last_answer(setting: Setting):
    answered, state = d.ask(turn("ask_prevention", body_part="back"), State(), setting)
    reply, _ = d.sources(turn("ask_source"), state, setting)
    assert reply.kind == "source" and {s.title for s in answered.sources} == {s.title for s in reply.sources}
    assert "not a doctor" in reply.text


def test_not_covered_is_said_plainly(setting: Setting):
    reply, _ = d.ask(turn("ask_treatment", not_covered="quinine"), State(), setting)
    assert "do not cover quinine" in reply.text and not reply.facts


@pytest.mark.parametrize("about", [{"body_part": "abdomen"}, {"condition": "kidney_disease"}])
def test_not_covered_names_no_self_care_where_it_is_barred(about: dict, setting: Setting):
    reply, _ = d.ask(turn("ask_treatment", not_covered="pickle-juice", **about), State(), setting)
    assert not reply.facts and ("care team" in reply.text or "tummy" in reply.text)


def test_yes_takes_the_first_offer(setting: Setting):
    _, state = d.ask(turn("ask_causes", body_part="back"), State(), setting)
    _, after = d.affirm(turn("affirm"), state, setting)
    assert after.goals == state.offers[:1]


def test_restart_forgets(setting: Setting):
    _, state = d.ask(turn("describe_problem", body_part="back"), State(), setting)
    _, state = d.restart(turn("restart"), state, setting)
    assert state.to_json() == {"introduced": True, "kind": "smalltalk"}


def test_state_survives_json_and_rubbish():
    state = State(body_parts=("back",), said=("a", "b"), asked_place=True, kind="answer")
    assert State.from_json(state.to_json()) == state
    assert State.from_json({"body_parts": 7, "said": "x", "unknown": 1, "asked_place": "no"}) == State()
    assert State.from_json(None) == State()


def test_every_payload_of_a_button_is_plain_text(setting: Setting):
    payloads = [goal.payload for goal in K.goals.values()]
    assert all(payload and not payload.startswith("/") for payload in payloads)
