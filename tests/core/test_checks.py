"""Safety questions: asked once a region, before advice where advice must wait, and answered with care."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core import asides, checks
from bot.core import dialogue as d
from bot.core.answering import Setting
from bot.core.turn import CUE, Mention, State, Turn
from bot.knowledge.loader import load_knowledge

K = load_knowledge()
RIDING = sorted(net.id for net in K.safety_nets.values() if net.question and not net.question.first)
PARTS = {part.region: part.id for part in K.body_parts.values()}


def described(part: str, *cues: str) -> Turn:
    return Turn(("describe_problem",), (Mention("body_part", part), *(Mention(CUE, cue) for cue in cues)))


@pytest.mark.parametrize("region", RIDING)
def test_question_rides_along_with_the_first_advice_only(region: str, setting: Setting):
    reply, state = d.ask(described(PARTS[region]), State(), setting)
    assert reply.kind == "answer" and reply.safety_question == region and reply.facts
    assert [button.title for button in reply.buttons[:3]] == ["Yes", "No", "Not sure"]
    again, _ = d.ask(Turn(("ask_treatment",)), state, setting)
    assert again.safety_question is None


@pytest.mark.parametrize("part", ["chest", "abdomen"])
@pytest.mark.parametrize("intent", ["describe_problem", "ask_treatment"])
def test_chest_and_tummy_are_asked_before_any_advice(part: str, intent: str, setting: Setting):
    reply, state = d.ask(Turn((intent,), (Mention("body_part", part),)), State(), setting)
    assert reply.kind == "safety_check" and not reply.facts and setting.emergency_number in reply.text
    assert reply.custom()["rule"] == checks.CHECK + part and reply.custom()["safety_question"] == part
    after, state = d.deny(Turn(("deny",)), state, setting)
    assert after.kind == "answer" and setting.emergency_number in after.text and not state.checking


def test_question_about_causes_needs_no_check(setting: Setting):
    reply, _ = d.ask(Turn(("ask_causes",), (Mention("body_part", "abdomen"),)), State(), setting)
    assert reply.kind == "answer" and reply.safety_question is None


def test_no_ends_the_question_and_keeps_a_safety_net(setting: Setting):
    _, state = d.ask(described("back"), State(), setting)
    reply, state = d.deny(Turn(("deny",)), state, setting)
    assert setting.emergency_number in reply.text and not state.checking and state.checked == ("back",)


def test_skipped_question_is_let_go(setting: Setting):
    _, state = d.ask(described("back"), State(), setting)
    reply, state = d.ask(Turn(("ask_prevention",)), state, setting)
    assert reply.kind == "answer" and not state.checking


def test_signs_denied_at_once_are_not_asked_about(setting: Setting):
    reply, state = d.ask(described("back", checks.DENIES_SIGNS), State(), setting)
    assert reply.safety_question is None and state.checked == ("back",)


def test_why_are_you_asking_is_answered_and_the_question_stays(setting: Setting):
    _, state = d.ask(described("calf"), State(), setting)
    reply, state = d.why_asking(Turn(("ask_why_asking",)), state, setting)
    why = K.safety_nets["calf"].question
    assert why and why.why in reply.text and state.checking == "calf" and reply.safety_question == "calf"


def test_why_without_a_question_is_answered_too(setting: Setting):
    reply, _ = d.why_asking(Turn(("ask_why_asking",)), State(), setting)
    assert reply.kind == "answer" and reply.text


def test_not_sure_where_gets_advice_anyway(setting: Setting):
    _, state = d.ask(Turn(("describe_problem",)), State(), setting)
    reply, _ = d.not_sure(Turn(("unsure",)), state, setting)
    assert reply.kind == "answer" and reply.facts


def test_question_ends_when_the_talk_restarts(setting: Setting):
    _, state = d.ask(described("back"), State(), setting)
    _, state = asides.restart(Turn(("restart",)), replace(state), setting)
    assert not state.checking and not state.checked


def test_state_with_a_question_survives_json(setting: Setting):
    _, state = d.ask(described("neck"), State(), setting)
    assert State.from_json(state.to_json()) == state
