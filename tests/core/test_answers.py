"""Answers keep their promises: sources, caveats, length, no self-care where it is dangerous."""

from __future__ import annotations

import itertools
import re

import pytest

from bot.core.answering import DESCRIBE, Request, Setting, answer
from bot.core.compose import WORD_BUDGET, Draft
from bot.core.turn import Focus, State
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.knowledge.schema import count_words

K = load_knowledge()
GOALS = [DESCRIBE, *K.goals]
INTRODUCED = State(introduced=True)


def ask(goal: str, setting: Setting, **focus: tuple[str, ...]):
    return answer(Request(("x",), (goal,), Focus(**focus)), INTRODUCED, setting)[0]


def every_answer(setting: Setting):
    places = [(), *((part,) for part in K.body_parts)]
    triggers = [(), *((trigger,) for trigger in K.triggers)]
    for goal, place, trigger in itertools.product(GOALS, places, triggers):
        yield ask(goal, setting, body_parts=place, triggers=trigger)


def test_every_answer_carries_the_caveat_of_every_fact_it_uses(setting: Setting):
    for reply in every_answer(setting):
        due = {caution for fact in reply.facts for caution in K.cautions_of.get(fact, ())}
        assert due <= set(reply.cautions), reply.text


@pytest.mark.parametrize("fact_id", [f.id for f in K.facts.values() if not f.same_as])
def test_no_fact_can_be_told_without_its_caveat(fact_id: str, knowledge: Knowledge):
    draft = Draft(knowledge, "NUMBER")
    draft.tell([fact_id])
    for caution_id in {c for fact in knowledge.group(fact_id) for c in knowledge.cautions_of.get(fact, ())}:
        caution = knowledge.cautions[caution_id]
        if caution.how == "said":
            first_words = re.split(r"\{", caution.short or "")[0]
            assert first_words in draft.text
        else:
            assert re.search(caution.wording or "", draft.text)


def test_every_answer_has_numbered_sources_for_every_sentence_from_the_documents(setting: Setting):
    for reply in every_answer(setting):
        cited = {int(number) for number in re.findall(r"\[(\d+)\]", reply.text)}
        assert cited == {source.ref for source in reply.sources}
        for line in reply.text.splitlines():
            if line.startswith("• "):
                assert re.search(r"\[\d+\]", line), line
        documents = {K.documents[K.facts[fact].doc].file for fact in reply.facts}
        assert documents == {source.doc for source in reply.sources}


def test_every_answer_is_readable_on_a_phone(setting: Setting):
    lengths = []
    for reply in every_answer(setting):
        body = re.sub(r"\[\d+\]", "", reply.text.split("\n\nSources:")[0])
        lengths.append(count_words(body))
    lengths.sort()
    assert lengths[len(lengths) // 2] <= 90
    # One fact a part is always told, caveats and all, so a few answers are longer.
    assert lengths[-1] <= WORD_BUDGET + 35


@pytest.mark.parametrize("place", ["chest", "abdomen"])
@pytest.mark.parametrize("goal", [DESCRIBE, *(g.id for g in K.goals.values() if g.treats)])
def test_no_self_care_for_chest_and_tummy(place: str, goal: str, setting: Setting):
    reply = ask(goal, setting, body_parts=(place,))
    kinds = {K.facts[fact].kind for fact in reply.facts}
    assert not kinds & {"treatment", "prevention"}
    assert not [b for b in reply.buttons if any(g.button == b.title and g.treats for g in K.goals.values())]


@pytest.mark.parametrize("place", ["chest", "abdomen"])
@pytest.mark.parametrize("topic", ["stretching", "massage", "heat-cold", "rest", "relaxation"])
def test_no_self_care_for_chest_and_tummy_however_it_is_asked(place: str, topic: str, setting: Setting):
    for goal in K.goals:
        reply = ask(goal, setting, body_parts=(place,), topics=(topic,))
        assert not {K.facts[fact].kind for fact in reply.facts} & {"treatment", "prevention"}, (goal, reply.text)


def test_kidney_disease_and_diabetes_hold_self_care_back(setting: Setting):
    for condition in ("kidney_disease", "diabetes"):
        reply = ask("treatment", setting, conditions=(condition,), body_parts=("calf",))
        assert "care team" in reply.text
        assert "treatment" not in {K.facts[fact].kind for fact in reply.facts}


def test_the_same_fact_in_several_documents_is_said_once_with_all_sources(setting: Setting):
    reply = ask("causes", setting, triggers=("dehydration",))
    line = next(line for line in reply.text.splitlines() if "ehydration" in line and line.startswith("•"))
    assert len(re.findall(r"\[\d+\]", line)) >= 4
    assert sum("d" + str(n) + "-cause-dehydration" in " ".join(reply.facts) for n in (1, 2, 3, 4)) == 4


def test_matching_facts_come_first(setting: Setting):
    reply = ask("causes", setting, body_parts=("back",), triggers=("sneezing_coughing",))
    assert "d1-trigger-back-sneeze" in K.group(K.lead(reply.facts[0]))


def test_heat_or_cold_shows_that_sources_differ(setting: Setting):
    reply = ask("heat_or_cold", setting, body_parts=("back",))
    assert reply.disagreements == ("heat-or-cold-when",) and "48 hours" in reply.text


def test_general_facts_are_marked_as_general(setting: Setting):
    reply = ask("treatment", setting, body_parts=("hand",))
    assert "about muscles in general; nothing on the hand alone" in reply.text


def test_stretching_is_not_suggested_for_an_eyelid(setting: Setting):
    reply = ask("treatment", setting, body_parts=("eye",))
    assert not {K.facts[fact].topic for fact in reply.facts} & {"stretching", "massage"}


@pytest.mark.parametrize("pattern", [r"\byou have (?!had)\w+ (?:spasm|disease|syndrome)", r"\bdiagnos", r"\d+ ?mg\b"])
def test_no_answer_diagnoses_or_doses(pattern: str, setting: Setting):
    for reply in every_answer(setting):
        body = reply.text.split("\n\nSources:")[0].replace("General information, not a diagnosis.", "")
        assert not re.search(pattern, body, re.I), body


def test_introduction_is_said_once(setting: Setting):
    first, state = answer(Request(("x",), ("causes",), Focus()), State(), setting)
    second, _ = answer(Request(("x",), ("treatment",), Focus()), state, setting)
    assert "automated assistant" in first.text and "automated assistant" not in second.text
