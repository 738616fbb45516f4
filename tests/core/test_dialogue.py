"""The moves of the conversation, as turns over the pure core."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core import asides
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


def test_a_declined_activity_comes_with_what_the_documents_say_if_that_may_be_meant_too(setting: Setting):
    _, state = d.ask(turn("ask_treatment", body_part="thigh"), State(), setting)
    asked = turn("ask_personal_medical_decision", topic="exercise")
    bare, _ = d.decline(asked, state, setting)
    assert bare.kind == "decline" and not bare.facts
    reply, state = d.decline(replace(asked, second="ask_exercise_or_stretching"), state, setting)
    assert reply.kind == "decline" and K.phrases["decline_activity"] in reply.text and 0 < len(reply.facts) <= 2
    again, _ = d.decline(replace(asked, second="ask_exercise_or_stretching"), state, setting)
    assert again.kind == "decline" and not again.facts


@pytest.mark.parametrize(
    "where", [{"body_part": "chest"}, {"body_part": "abdomen"}, {"body_part": "back"}, {"not_covered": "alcohol"}]
)
def test_no_advice_comes_with_a_declined_activity_where_it_may_not_fit(where: dict[str, str], setting: Setting):
    asked = replace(turn("ask_personal_medical_decision", **where), second="ask_treatment")
    reply, _ = d.decline(asked, State(), setting)
    assert reply.kind == "decline" and not reply.facts
    assert ("alcohol" in reply.text) == ("not_covered" in where)


def test_a_question_that_facts_answer_is_no_small_talk(setting: Setting):
    asked = replace(turn("bot_challenge"), facts=("d1-phys-signal",))
    assert d.small_talk(asked, State(), setting)[0].kind == "smalltalk"
    reply, _ = d.small_talk(replace(asked, second="ask_about_spasms"), State(), setting)
    assert reply.kind == "answer" and reply.facts[0] == "d1-phys-signal"


def test_a_treatment_that_may_be_asked_about_is_no_wish_for_a_person(setting: Setting):
    asked = replace(turn("human_handoff", topic="physical-therapy"), second="ask_treatment")
    assert d.hand_off(asked, State(), setting)[0].kind == "answer"
    assert d.hand_off(replace(asked, second=""), State(), setting)[0].kind == "handoff"
    assert d.hand_off(replace(asked, mentions=()), State(), setting)[0].kind == "handoff"


def test_which_one_a_person_has_is_for_a_doctor(setting: Setting):
    _, state = d.ask(turn("ask_about_condition", condition="sciatica"), State(), setting)
    reply, _ = d.follow_up(turn("ask_diagnosis", cue="of_these is_it"), state, setting)
    assert reply.text.startswith(K.phrases["not_mine_to_say"]) and reply.facts
    causes, _ = d.ask(turn("ask_causes", cue="is_it"), state, setting)
    assert causes.text.startswith(K.phrases["not_mine_to_say"])


def test_sources_are_those_of_the_last_answer(setting: Setting):
    answered, state = d.ask(turn("ask_prevention", body_part="back"), State(), setting)
    reply, _ = d.sources(turn("ask_source"), state, setting)
    assert reply.kind == "answer" and {s.title for s in answered.sources} == {s.title for s in reply.sources}
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
    _, state = asides.restart(turn("restart"), state, setting)
    assert state.to_json() == {"introduced": True, "kind": "smalltalk"}


def test_state_survives_json_and_rubbish():
    state = State(body_parts=("back",), said=("a", "b"), asked_place=True, kind="answer")
    assert State.from_json(state.to_json()) == state
    assert State.from_json({"body_parts": 7, "said": "x", "unknown": 1, "asked_place": "no"}) == State()
    assert State.from_json(None) == State()


def test_every_payload_of_a_button_is_plain_text(setting: Setting):
    payloads = [goal.payload for goal in K.goals.values()]
    assert all(payload and not payload.startswith("/") for payload in payloads)


def test_found_facts_come_first(setting: Setting):
    found = ("d0-dur-brief",)
    reply, _ = d.ask(replace(turn("ask_about_spasms", topic="definition"), facts=found), State(), setting)
    assert reply.facts[0] in K.group(K.lead("d0-dur-brief"))


def test_found_facts_answer_what_was_not_understood(setting: Setting):
    message = replace(turn("nlu_fallback"), facts=("d0-dur-brief",))
    reply, _ = d.fallback(message, State(), setting)
    assert reply.kind == "answer" and K.lead("d0-dur-brief") in reply.facts


def test_question_that_the_documents_do_not_answer_says_so(setting: Setting):
    reply, _ = d.ask(replace(turn("ask_prevention"), silent=True), State(), setting)
    assert K.phrases["silent"] in reply.text


def test_first_misunderstanding_offers_guesses_the_second_help(setting: Setting):
    message = replace(turn("nlu_fallback"), guesses=("ask_treatment", "ask_causes", "greet", "ask_prevention"))
    reply, state = d.fallback(message, State(), setting)
    wanted = [K.goals[goal].button for goal in ("treatment", "causes", "prevention")]
    assert reply.kind == "fallback" and [button.title for button in reply.buttons] == wanted
    again, _ = d.fallback(message, state, setting)
    assert again.kind == "fallback" and K.phrases["fallback_help"] in again.text


def test_note_for_the_doctor_holds_what_was_said_and_can_be_corrected(setting: Setting):
    message = turn("describe_problem", body_part="calf", trigger="exercise", duration="days", severity="severe")
    _, state = d.ask(message, State(), setting)
    note, state = asides.summary(turn("ask_summary"), state, setting)
    assert note.kind == "summary" and "calf" in note.text and K.triggers["exercise"].name in note.text
    _, state = d.inform(turn("inform", body_part="foot", cue="correction"), state, setting)
    corrected, _ = asides.summary(turn("ask_summary"), state, setting)
    assert "foot" in corrected.text and "calf" not in corrected.text.split("Warning signs")[0]


def test_note_without_anything_said_asks_for_it(setting: Setting):
    note, _ = asides.summary(turn("ask_summary"), State(), setting)
    assert note.kind == "summary" and note.text.startswith(K.phrases["note_empty"])


@pytest.mark.parametrize("intent", ["ask_shorter", "ask_simpler"])
def test_shorter_is_shorter(intent: str, setting: Setting):
    long, state = d.ask(turn("ask_treatment", body_part="back"), State(), setting)
    short, _ = asides.shorter(turn(intent), state, setting)
    assert short.kind == "answer" and short.facts and len(short.text) < len(long.text)


def test_a_word_is_explained(setting: Setting):
    reply, _ = d.meaning(turn("ask_meaning", term="electrolytes"), State(), setting)
    assert reply.kind == "answer" and K.glossary["electrolytes"].meaning in reply.text and reply.sources


def test_how_sure_counts_the_documents(setting: Setting):
    _, state = d.ask(turn("ask_causes"), State(), setting)
    reply, _ = d.sources(turn("ask_source", cue="certainty"), state, setting)
    assert K.phrases["several_sources"] in reply.text and reply.sources


def test_the_note_is_offered_after_a_few_answers(setting: Setting):
    state = State()
    for intent in ("ask_causes", "ask_treatment", "ask_prevention", "ask_when_to_see_doctor"):
        reply, state = d.ask(turn(intent, body_part="back"), state, setting)
    assert K.phrases["button_note"] in [button.title for button in reply.buttons]


@pytest.mark.parametrize("place", ["chest", "abdomen", "calf"])
@pytest.mark.parametrize("intent", ["ask_treatment", "ask_when_to_see_doctor", "ask_causes"])
def test_more_tells_something_new_each_time_until_all_is_said(intent: str, place: str, setting: Setting):
    titles = {K.phrases["button_more"]}
    reply, state = d.ask(turn(intent, body_part=place), State(introduced=True), setting)
    if reply.kind == "safety_check":
        reply, state = d.check_denied(turn("deny"), state, setting)
    for _ in range(len(K.facts)):
        if not titles & {button.title for button in reply.buttons}:
            break
        before = set(state.said)
        reply, state = d.more(turn("ask_more"), state, setting)
        assert set(reply.facts) - before, reply.text
    repeated, _ = d.more(turn("ask_more"), state, setting)
    assert K.phrases["all_said_again"] in repeated.text
    assert not titles & {button.title for button in repeated.buttons}


def test_fact_that_only_another_document_shares_with_a_disagreement_is_told(setting: Setting):
    asked = replace(turn("ask_about_spasms", topic="electrolytes"), facts=("d3-cause-electrolytes",))
    reply, _ = d.ask(asked, State(introduced=True), setting)
    assert reply.disagreements == ("which-minerals",)
    assert {"d3-cause-electrolytes", "d1-mech-imbalance"} <= set(reply.facts)


@pytest.mark.parametrize(
    ("asked", "why", "label"),
    [
        (replace(turn("out_of_scope"), nearest="toothache"), "not_understood", "toothache"),
        (replace(turn("nlu_fallback"), guesses=("ask_causes",), nearest="x"), "not_understood", "x"),
        (replace(turn("nlu_fallback"), language="es"), "language", "es"),
    ],
)
def test_what_is_not_understood_is_noted_for_the_editor(asked: Turn, why: str, label: str, setting: Setting):
    reply, _ = d.fallback(asked, State(introduced=True), setting)
    assert reply.custom()["unserved"] == {"why": why, "label": label, "introduced": True}


def test_what_the_documents_do_not_answer_is_noted_for_the_editor(setting: Setting):
    missing = next(item for item in K.not_covered.values() if not item.general).id
    reply, _ = d.ask(turn("ask_treatment", not_covered=missing), State(), setting)
    assert reply.custom()["unserved"] == {"why": "not_covered", "label": missing, "introduced": False}
    silent = replace(turn("ask_treatment"), silent=True, nearest="foam roller?")
    reply, _ = d.ask(silent, State(introduced=True), setting)
    assert reply.custom()["unserved"]["label"] == "foam roller?" and reply.kind == "answer"
    reply, _ = d.ask(turn("ask_treatment"), State(), setting)
    assert "unserved" not in reply.custom()


def test_what_else_is_asked_after_taking_an_alarm_back_is_answered(setting: Setting):
    asked = turn("ask_causes", body_part="calf")
    reply, _ = d.stand_down(asked, turn("red_flag", body_part="face"), State(), setting)
    assert reply.body_part == "calf" and "ask_causes" in reply.intents


def test_false_alarm_without_an_alarm_is_the_next_best_guess(setting: Setting):
    _, state = d.ask(turn("ask_causes", body_part="calf"), State(), setting)
    heard = replace(turn("false_alarm"), guesses=("false_alarm", "ask_prevention"))
    reply, _ = d.no_alarm(heard, state, setting)
    assert reply.intents == ("ask_prevention",) and reply.kind == "answer"


def test_false_alarm_answers_an_open_safety_question(setting: Setting):
    _, state = d.ask(turn("describe_problem", body_part="back"), State(), setting)
    _, after = d.no_alarm(replace(turn("false_alarm"), guesses=("false_alarm", "ask_causes")), state, setting)
    assert state.checking == "back" and after.denied == ("back",)


@pytest.mark.parametrize("move", [d.inform, d.negative_feedback, d.fallback])
def test_the_first_one_is_taken_up_whatever_it_was_taken_for(move, setting: Setting):
    _, state = d.ask(turn("ask_causes", body_part="calf"), State(), setting)
    reply, _ = move(turn("inform", ordinal="1"), state, setting)
    assert reply.facts and K.topics[K.facts[state.listed[0]].topic].name in reply.text


def test_a_detail_that_changes_nothing_goes_on_where_the_talk_was(setting: Setting):
    _, state = d.ask(turn("ask_treatment", body_part="calf"), State(), setting)
    reply, _ = d.inform(turn("inform"), state, setting)
    assert reply.kind == "answer" and set(reply.facts) - set(state.said)


def test_an_illness_that_is_named_is_taken_up(setting: Setting):
    reply, _ = d.inform(turn("inform", condition="diabetes"), State(goals=("causes",)), setting)
    assert any("diabetes" in K.facts[fact].conditions for fact in reply.facts)


@pytest.mark.parametrize("move", [d.inform, d.deny])
def test_what_is_not_wanted_brings_something_else(move, setting: Setting):
    _, state = d.ask(turn("ask_treatment", body_part="calf"), State(), setting)
    reply, _ = move(turn("deny", cue="set_aside"), replace(state, checking=""), setting)
    assert reply.kind == "answer" and reply.facts


def test_does_it_help_there_too_keeps_the_subject_for_another_place(setting: Setting):
    _, state = d.ask(turn("ask_treatment", body_part="back", topic="massage"), State(), setting)
    moved = turn("ask_treatment", body_part="calf")
    back_reference = turn("ask_treatment", body_part="calf", cue="refers_back")
    kept, _ = d.ask(back_reference, state, setting)
    other, _ = d.ask(moved, state, setting)
    assert topics(kept) == {"massage"} and topics(other) != {"massage"}


def test_how_much_after_drinks_is_no_dose(setting: Setting):
    _, state = d.ask(turn("ask_hydration_or_diet"), State(), setting)
    reply, _ = d.decline(turn("ask_personal_medical_decision", cue="how_much"), state, setting)
    assert reply.kind == "answer" and "do not cover" in reply.text
    tablets, _ = d.decline(turn("ask_personal_medical_decision", cue="how_much", medicine="ibuprofen"), state, setting)
    assert tablets.kind == "decline"


def test_a_word_that_was_explained_is_what_the_next_question_is_about(setting: Setting):
    _, state = d.meaning(turn("ask_meaning", term="dystonia"), State(), setting)
    reply, _ = d.ask(turn("ask_about_spasms"), state, setting)
    assert any("dystonia" in K.facts[fact].conditions or "dystonia" in fact for fact in reply.facts)


def test_a_medicine_that_is_asked_about_is_named_in_the_answer(setting: Setting):
    reply, _ = d.ask(turn("ask_medication", medicine="ibuprofen", body_part="back"), State(), setting)
    assert "ibuprofen" in reply.text.lower()


def test_is_it_kept_is_answered_on_privacy(setting: Setting):
    reply, _ = d.small_talk(turn("bot_challenge", cue="privacy"), State(), setting)
    assert "delete" in reply.text


def test_why_not_after_a_declined_question_is_declined_again(setting: Setting):
    _, state = d.decline(turn("ask_personal_medical_decision"), State(), setting)
    assert d.why_asking(turn("ask_why_asking"), state, setting)[0].kind == "decline"


def test_how_hard_after_what_to_do_is_not_covered_whatever_its_intent(setting: Setting):
    _, state = d.ask(turn("ask_treatment", body_part="calf", topic="massage"), State(), setting)
    reply, _ = d.follow_up(turn("unsure", cue="how_to_do"), state, setting)
    assert K.not_covered["how-long-to-apply"].name in reply.text
    assert d.follow_up(turn("unsure"), state, setting) is None
    assert d.follow_up(turn("unsure", cue="how_to_do"), State(), setting) is None


@pytest.mark.parametrize("intent", ["ask_personal_medical_decision", "negative_feedback", "nlu_fallback", "ask_source"])
def test_which_of_these_is_about_the_last_answer_whatever_its_intent(intent: str, setting: Setting):
    first, state = d.ask(turn("ask_heat_or_cold", body_part="back"), State(), setting)
    asked = turn(intent, cue="of_these")
    # "Both of them" may be the answer to the safety question that stands below.
    doubtful, _ = d.follow_up(turn(intent, cue="of_these several"), state, setting)
    assert state.checking and doubtful.safety_question == state.checking and not doubtful.facts
    reply, _ = d.follow_up(asked, state, setting)
    assert reply.text.startswith(K.phrases["silent"]) and set(first.facts) & set(reply.facts)
    assert d.follow_up(asked, State(), setting) is None
    assert d.follow_up(turn(intent, cue="of_these", topic="massage"), state, setting) is None


def test_the_difference_between_the_two_just_told_is_not_that_of_spasm_and_cramp(setting: Setting):
    first, state = d.ask(turn("ask_heat_or_cold", body_part="back"), State(), setting)
    asked = turn("ask_about_spasms", cue="of_these", topic="terminology")
    assert set(first.facts) & set(d.follow_up(asked, state, setting)[0].facts)


@pytest.mark.parametrize("other", [{"topic": "electrolytes"}, {"medicine": "ibuprofen"}])
def test_same_as_is_about_names_only_where_nothing_else_is_named(other: dict[str, str], setting: Setting):
    names = turn("ask_about_spasms", topic="terminology")
    both = replace(names, mentions=(*names.mentions, *turn("ask_about_spasms", **other).mentions))
    assert "terminology" in topics(d.ask(names, State(), setting)[0])
    assert "terminology" not in topics(d.ask(both, State(), setting)[0])


def test_what_the_documents_say_on_something_is_no_question_about_documents(setting: Setting):
    _, state = d.ask(turn("ask_causes", body_part="back"), State(), setting)
    asked = replace(turn("ask_source", cue="content"), guesses=("ask_source", "ask_prevention"))
    assert d.sources(asked, state, setting)[0].text.startswith(K.goals["prevention"].heading)
    again, _ = d.sources(replace(asked, guesses=()), state, setting)
    assert K.phrases["source_last"] not in again.text
    assert K.phrases["source_last"] in d.sources(turn("ask_source"), state, setting)[0].text


def test_something_else_than_what_was_just_told_is_no_personal_decision(setting: Setting):
    _, state = d.ask(turn("ask_exercise_or_stretching", body_part="neck"), State(), setting)
    asked = turn("ask_personal_medical_decision", cue="instead")
    assert d.decline(asked, state, setting)[0].kind == "answer"
    assert d.decline(replace(asked, mentions=(Mention("medicine", "ibuprofen"),)), state, setting)[0].kind == "decline"


def test_just_the_bit_on_something_is_a_question_where_nothing_was_said_before(setting: Setting):
    asked = replace(turn("ask_simpler", topic="electrolytes"), guesses=("ask_simpler", "ask_hydration_or_diet"))
    reply, state = d.shorter(asked, State(), setting)
    assert reply.kind == "answer" and reply.facts and K.phrases["simply"] not in reply.text
    assert K.phrases["simply"] in d.shorter(asked, state, setting)[0].text
    assert d.shorter(turn("ask_simpler"), State(), setting)[0].kind == "clarify"


def test_both_medicines_together_are_for_a_pharmacist(setting: Setting):
    _, state = d.ask(turn("ask_medication", body_part="back"), State(), setting)
    state = replace(state, checking="")
    assert d.follow_up(turn("ask_personal_medical_decision", cue="of_these"), state, setting) is None
    assert d.follow_up(turn("ask_medication", cue="of_these"), state, setting)


@pytest.mark.parametrize(
    "intent, told",
    [("ask_causes", True), ("ask_treatment", False), ("ask_prevention", False), ("ask_medication", False)],
)
def test_of_a_child_causes_are_told_and_advice_is_not(intent: str, told: bool, setting: Setting):
    reply, _ = d.ask(turn(intent, body_part="calf", not_covered="children"), State(), setting)
    assert K.not_covered["children"].name in reply.text and K.cautions["absent-groups"].caveat in reply.text
    assert bool(reply.facts) is told


@pytest.mark.parametrize("move", [d.decline, d.negative_feedback, d.fallback])
def test_something_else_after_a_declined_question_is_answered(move, setting: Setting):
    _, state = d.decline(
        turn("ask_personal_medical_decision", medicine="ibuprofen", body_part="back"), State(), setting
    )
    reply, _ = move(turn("negative_feedback", cue="instead"), state, setting)
    assert reply.kind == "answer" and topics(reply) & {"stretching", "massage", "heat-cold", "rest"}


def test_another_medicine_instead_of_a_declined_one_is_declined_too(setting: Setting):
    _, state = d.decline(turn("ask_personal_medical_decision", medicine="ibuprofen"), State(), setting)
    reply, _ = d.ask(turn("ask_medication", medicine="naproxen", cue="instead"), state, setting)
    assert reply.kind == "decline"


def test_is_it_an_illness_is_left_to_a_doctor(setting: Setting):
    reply, _ = d.ask(turn("ask_about_condition", condition="ms", cue="is_it"), State(), setting)
    assert reply.text.startswith(K.phrases["not_mine_to_say"])
    general, _ = d.ask(turn("ask_about_condition", condition="ms"), State(), setting)
    assert K.phrases["not_mine_to_say"] not in general.text


def test_a_bare_why_when_nothing_was_asked_is_about_causes(setting: Setting):
    _, state = d.ask(turn("ask_treatment", body_part="calf"), State(), setting)
    reply, _ = d.why_asking(turn("ask_why_asking"), replace(state, checking=""), setting)
    assert {K.facts[fact].kind for fact in reply.facts} <= {"cause", "trigger", "risk-group"} and reply.facts


def test_what_was_tried_is_not_offered_even_in_a_first_message(setting: Setting):
    reply, _ = d.negative_feedback(turn("negative_feedback", body_part="neck", topic="stretching"), State(), setting)
    assert reply.kind == "answer" and reply.facts and "stretching" not in topics(reply)


def test_a_found_fact_of_another_kind_is_not_put_under_the_goals_heading(setting: Setting):
    asked = turn("ask_when_to_see_doctor", topic="ageing", trigger="ageing")
    reply, _ = d.ask(replace(asked, facts=("d2-cause-ageing", "d1-risk-back-age")), State(), setting)
    assert K.phrases["heading_found"] in reply.text and K.goals["see_doctor"].heading not in reply.text


@pytest.mark.parametrize("intent", ["ask_about_spasms", "ask_causes"])
def test_a_bare_question_after_a_remedy_is_about_the_remedy(intent: str, setting: Setting):
    _, state = d.ask(turn("ask_medication", medicine="botulinum_toxin", topic="botulinum"), State(), setting)
    reply, _ = d.ask(turn(intent), state, setting)
    assert topics(reply) == {"botulinum"} and not reply.disagreements
    own, _ = d.ask(turn(intent, cue="of_spasm"), state, setting)
    assert not topics(own) & {"botulinum"}


def test_a_repeated_question_that_a_fact_answers_is_answered(setting: Setting):
    first, state = d.ask(turn("ask_about_spasms"), State(), setting)
    asked = replace(turn("ask_about_spasms"), facts=first.facts[:1])
    reply, _ = d.ask(asked, state, setting)
    assert reply.facts[0] == first.facts[0] and K.phrases["again"] not in reply.text


@pytest.mark.parametrize("move", [d.deny, d.not_sure])
def test_doubt_after_what_is_not_covered_is_told_again(move, setting: Setting):
    _, state = d.ask(turn("ask_about_condition", not_covered="hiccups"), State(), setting)
    reply, state = move(turn("deny", cue="nothing_at_all"), state, setting)
    assert "not cover hiccups" in reply.text
    _, state = d.ask(turn("ask_causes"), state, setting)
    assert not state.missing


def test_a_plain_no_after_what_is_not_covered_ends_the_subject(setting: Setting):
    _, state = d.ask(turn("ask_about_condition", not_covered="hiccups"), State(), setting)
    reply, _ = d.deny(turn("deny"), state, setting)
    assert reply.kind == "smalltalk" and "hiccups" not in reply.text


def test_a_greeting_that_names_something_is_taken_up(setting: Setting):
    reply, _ = d.small_talk(turn("greet", not_covered="hiccups"), State(), setting)
    assert "not cover hiccups" in reply.text
    reply, _ = d.small_talk(turn("greet", body_part="calf"), State(), setting)
    assert reply.kind == "answer" and reply.body_part == "calf"
    reply, _ = d.small_talk(turn("greet", duration="days"), State(), setting)
    assert reply.kind == "smalltalk"


def test_signs_denied_before_the_place_is_known_go_on_with_the_problem(setting: Setting):
    _, state = d.ask(turn("describe_problem", trigger="lifting"), State(), setting)
    reply, _ = d.no_alarm(turn("false_alarm", cue="denies_signs"), state, setting)
    assert reply.kind == "answer" and reply.trigger == "lifting"


def test_what_the_documents_say_of_something_is_told_not_listed(setting: Setting):
    reply, _ = d.sources(turn("ask_source", body_part="leg"), State(), setting)
    assert reply.facts and reply.body_part == "leg"
    _, state = d.ask(turn("ask_causes", body_part="leg"), State(), setting)
    reply, _ = d.sources(turn("ask_source", not_covered="hiccups"), state, setting)
    assert "not cover hiccups" in reply.text


def test_why_is_that_in_a_first_message_is_about_causes(setting: Setting):
    reply, _ = d.why_asking(turn("ask_why_asking", body_part="calf"), State(), setting)
    assert reply.kind == "answer" and {K.facts[fact].kind for fact in reply.facts} & {"cause", "trigger"}


def test_more_goes_beyond_a_subject_of_which_all_is_said(setting: Setting):
    _, state = d.ask(turn("ask_treatment", topic="massage"), State(), setting)
    seen = {"massage"}
    for _ in range(10):
        reply, state = d.more(turn("ask_more"), state, setting)
        seen |= topics(reply)
    assert len(seen) > 3


def test_food_instead_of_a_declined_dose_is_about_food(setting: Setting):
    _, state = d.decline(turn("ask_personal_medical_decision"), State(), setting)
    reply, _ = d.decline(turn("ask_hydration_or_diet", cue="instead", topic="hydration"), state, setting)
    assert topics(reply) and topics(reply) <= set(K.goals["hydration"].topics) | {"dehydration"}
