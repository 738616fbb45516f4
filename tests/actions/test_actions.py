"""The actions through rasa_sdk's own executor: wiring, messages and events."""

from __future__ import annotations

import pytest
from rasa_sdk.executor import ActionExecutor

from bot.core.turn import State


@pytest.fixture(scope="module")
def executor() -> ActionExecutor:
    executor = ActionExecutor()
    executor.register_package("actions")
    return executor


async def run(
    executor: ActionExecutor, action: str, intent: str, entities=(), slots=None, events=(), question=None, **keys
) -> dict:
    message = {
        "text": "x",
        "intent": {"name": intent, "confidence": 1.0},
        "entities": [{"entity": kind, "value": value} for kind, value in entities],
        "questions": [intent],
        "screen_question": question,
        **keys,
    }
    tracker = {
        "sender_id": "t", "slots": slots or {}, "latest_message": message, "events": list(events), "paused": False,
        "followup_action": None, "active_loop": {}, "latest_action_name": None,
    }  # fmt: skip
    return await executor.run({"next_action": action, "tracker": tracker, "domain": {}, "sender_id": "t"})


def slots(result: dict) -> dict:
    return {event["name"]: event["value"] for event in result["events"] if event["event"] == "slot"}


async def test_answer_sends_one_message_with_the_contracts_object(executor):
    entities = [("body_part", "back"), ("trigger", "lifting")]
    result = await run(executor, "action_answer", "describe_problem", entities)
    (message,) = result["responses"]
    custom = message["custom"]
    assert custom["kind"] == "answer" and custom["body_part"] == "back" and custom["trigger"] == "lifting"
    assert custom["facts"] and custom["sources"] and message["buttons"] and "[1]" in message["text"]
    assert {"version", "rule", "safety_question", "emergency_number", "understood", "disclaimer"} <= set(custom)


async def test_answer_sets_the_contracts_slots(executor):
    entities = [("body_part", "calf"), ("trigger", "exercise"), ("duration", "days"), ("severity", "severe")]
    values = slots(await run(executor, "action_answer", "describe_problem", entities))
    wanted = {"body_part": "calf", "trigger": "exercise", "duration": "days", "severity": "severe"}
    assert {name: values[name] for name in wanted} == wanted
    assert State.from_json(values["dialogue"]).body_parts == ("calf",)


async def test_state_is_carried_in_the_slot(executor):
    first = slots(await run(executor, "action_answer", "describe_problem", [("body_part", "calf")]))
    result = await run(executor, "action_answer", "ask_treatment", slots=first)
    assert result["responses"][0]["custom"]["body_part"] == "calf"


@pytest.mark.parametrize("rubbish", [None, "x", 7, [], {"said": 3}])
async def test_rubbish_in_the_slot_does_no_harm(executor, rubbish):
    result = await run(executor, "action_small_talk", "greet", slots={"dialogue": rubbish})
    assert result["responses"][0]["custom"]["kind"] == "smalltalk"


ALARM = [
    {
        "event": "user",
        "parse_data": {"intent": {"name": "red_flag"}, "entities": [{"entity": "body_part", "value": "chest"}]},
    },
    {"event": "bot", "metadata": {"utter_action": "utter_red_flag"}},
    {"event": "user", "parse_data": {"intent": {"name": "deny"}, "entities": []}},
]


@pytest.mark.parametrize(("action", "intent"), [("action_stand_down", "false_alarm"), ("action_deny", "deny")])
async def test_taking_back_an_alarm_resumes_with_a_safety_net(executor, action, intent):
    result = await run(executor, action, intent, slots={"safety_rule": "chest-pain"}, events=ALARM)
    reply = result["responses"][0]
    assert slots(result)["safety_rule"] is None and "call" in reply["text"].lower()
    assert reply["custom"]["body_part"] == "chest" and "do not stretch" in reply["text"].lower()


@pytest.mark.parametrize(("action", "intent"), [("action_affirm", "affirm"), ("action_tell_more", "ask_more")])
async def test_yes_or_more_to_an_alarm_repeats_it(executor, action, intent):
    result = await run(executor, action, intent, events=ALARM)
    assert result["responses"][0]["response"] == "utter_red_flag"


async def test_unchanged_slots_are_not_set_again(executor):
    first = slots(await run(executor, "action_answer", "describe_problem", [("body_part", "calf")]))
    result = slots(await run(executor, "action_small_talk", "thank", slots=first))
    assert set(result) == {"dialogue"}


async def test_restart_forgets_and_listens(executor):
    before = {"dialogue": State(body_parts=("back",)).to_json(), "body_part": "back"}
    result = await run(executor, "action_restart", "restart", slots=before)
    assert slots(result)["body_part"] is None
    assert result["events"][-1] == {"event": "followup", "timestamp": None, "name": "action_listen"}


CHECKED = {"dialogue": State(checking="back", checked=("back",), goals=("treatment",)).to_json()}


async def test_yes_to_a_safety_question_sends_to_help(executor):
    result = await run(executor, "action_affirm", "affirm", slots=CHECKED)
    (message,) = result["responses"]
    assert message["response"] == "utter_red_flag" and message["safety_reply"] == "cauda-equina"
    assert slots(result)["safety_rule"] == "check-back" and not State.from_json(slots(result)["dialogue"]).checking


@pytest.mark.parametrize("action, intent", [("action_deny", "deny"), ("action_small_talk", "thank"),
                                            ("action_fall_back", "nlu_fallback")])  # fmt: skip
async def test_yes_to_a_safety_question_sends_to_help_whatever_the_rest_is_taken_for(executor, action, intent):
    result = await run(executor, action, intent, [("cue", "yes")], slots=CHECKED)
    assert result["responses"][0]["safety_reply"] == "cauda-equina"
    assert not State.from_json(slots(result)["dialogue"]).checking


@pytest.mark.parametrize("action, intent, other", [
    ("action_affirm", "affirm", [("cue", "all_well")]),
    ("action_deny", "deny", [("cue", "all_well")]),
    ("action_deny", "deny", [("cue", "denies_signs")]),
    ("action_answer", "ask_causes", []),
])  # fmt: skip
async def test_a_doubtful_yes_to_a_safety_question_is_asked_about_again(executor, action, intent, other):
    result = await run(executor, action, intent, [("cue", "yes"), *other], slots=CHECKED)
    custom = result["responses"][0]["custom"]
    assert custom["kind"] == "safety_check" and custom["safety_question"] == "back"
    # The question stays open, so the answer to it counts.
    again = await run(executor, "action_affirm", "affirm", [("cue", "yes")], slots=CHECKED | slots(result))
    assert again["responses"][0]["safety_reply"] == "cauda-equina"


@pytest.mark.parametrize("cues", [["of_these"], ["yes", "of_these"]])
async def test_both_of_them_is_a_yes_to_a_safety_question(executor, cues):
    result = await run(executor, "action_affirm", "affirm", [("cue", cue) for cue in cues], slots=CHECKED)
    assert result["responses"][0]["safety_reply"] == "cauda-equina"


async def test_a_doubtful_yes_to_the_screens_question_is_asked_about_again(executor):
    asked = {"event": "bot", "metadata": {"utter_action": "utter_red_flag"}}
    doubt = {"safety_reply": "check-any", "safety_rule": "learned-screen"}
    well = [("cue", "yes"), ("cue", "all_well")]
    result = await run(executor, "action_affirm", "affirm", well, slots=doubt, events=[asked])
    assert result["responses"][0]["custom"]["safety_question"] == "any"


async def test_a_yes_to_an_emergency_reply_is_no_answer_to_a_question(executor):
    alarm = await run(executor, "action_affirm", "affirm", [("cue", "yes"), ("cue", "all_well")], events=ALARM)
    assert alarm["responses"][0]["response"] == "utter_red_flag"


async def test_not_sure_to_a_safety_question_sends_to_help(executor):
    result = await run(executor, "action_not_sure", "unsure", slots=CHECKED)
    (message,) = result["responses"]
    assert message["response"] == "utter_red_flag" and message["safety_reply"] == "not-sure"


@pytest.mark.parametrize("action, intent", [("action_deny", "deny"), ("action_stand_down", "false_alarm")])
async def test_no_to_a_safety_question_goes_on(executor, action, intent):
    result = await run(executor, action, intent, slots=CHECKED)
    (message,) = result["responses"]
    assert message["custom"]["kind"] in ("answer", "smalltalk")


async def test_answers_to_the_screens_own_question(executor):
    asked = {"event": "bot", "metadata": {"utter_action": "utter_red_flag"}}
    doubt = {"safety_reply": "check-any", "safety_rule": "learned-screen"}
    yes = await run(executor, "action_affirm", "affirm", slots=doubt, events=[asked])
    assert yes["responses"][0]["safety_reply"] == "emergency-now"
    no = await run(executor, "action_deny", "deny", slots=doubt, events=[asked])
    assert no["responses"][0]["custom"]["kind"] in ("answer", "smalltalk") and slots(no)["safety_reply"] is None


@pytest.mark.parametrize("action", ["action_answer", "action_small_talk", "action_affirm", "action_set_country"])
async def test_the_screens_question_comes_before_any_answer(executor, action):
    result = await run(executor, action, "ask_causes", question={"rule": "learned-screen", "reply": "check-any"})
    (message,) = result["responses"]
    assert message["response"] == "utter_red_flag" and message["safety_reply"] == "check-any"
    assert slots(result) == {"safety_rule": "learned-screen", "safety_reply": "check-any"}


async def test_what_was_asked_is_answered_once_the_danger_is_denied(executor):
    events = [
        {"event": "user", "parse_data": {"intent": {"name": "ask_prevention"}, "entities": []}},
        {"event": "bot", "metadata": {"utter_action": "utter_red_flag"}},
        {"event": "user", "parse_data": {"intent": {"name": "deny"}, "entities": []}},
    ]
    doubt = {"safety_reply": "check-any", "safety_rule": "learned-screen"}
    result = await run(executor, "action_deny", "deny", slots=doubt, events=events)
    custom = result["responses"][0]["custom"]
    assert custom["kind"] == "answer" and custom["intents"] == ["ask_prevention"] and custom["facts"]


async def test_country_is_kept_and_its_number_given(executor):
    result = await run(executor, "action_set_country", "set_country", [("country", "nz")])
    assert slots(result)["country"] == "nz" and "111" in result["responses"][0]["text"]


async def test_country_after_an_alarm_gives_the_alarm_with_its_number(executor):
    result = await run(executor, "action_set_country", "set_country", [("country", "us")], {"safety_reply": "stroke"})
    assert result["responses"][0]["response"] == "utter_red_flag" and result["responses"][0]["country"] == "us"


async def test_change_of_country_asks_which(executor):
    result = await run(executor, "action_set_country", "set_country")
    titles = [button["title"] for button in result["responses"][0]["buttons"]]
    assert "Ireland" in titles and "somewhere else" not in titles


CALM = {"dialogue": State(goals=("causes",), answers=1).to_json()}


@pytest.mark.parametrize(
    ("rule", "extra", "entities", "before", "beside"),
    [
        ("dvt", {"beside": "beside"}, [("body_part", "calf")], {}, True),
        ("learned-screen", {}, [], CALM, True),
        ("learned-screen", {}, [("body_part", "chest")], CALM, False),
        ("learned-screen", {}, [], {}, False),
    ],
)
async def test_only_small_doubts_and_fragments_in_mid_talk_are_asked_beside_the_answer(
    executor, rule, extra, entities, before, beside
):
    question = {"rule": rule, "reply": "check-any", **extra}
    result = await run(executor, "action_answer", "ask_causes", entities, slots=before, question=question)
    (message,) = result["responses"]
    if beside:
        assert message["custom"]["kind"] == "answer" and message["custom"]["safety_question"] == "any"
    else:
        assert message["response"] == "utter_red_flag"


@pytest.mark.parametrize(
    ("intent", "entities", "said"), [("ask_treatment", [], False), ("ask_treatment", [("cue", "denies_signs")], True)]
)
async def test_an_emergency_that_stands_holds_back_self_care_unless_signs_are_denied(executor, intent, entities, said):
    talk = State(body_parts=("calf",), checked=("calf",)).to_json()
    standing = {"safety_reply": "emergency-now", "safety_rule": "learned-screen", "dialogue": talk}
    result = await run(executor, "action_answer", intent, entities, slots=standing)
    (message,) = result["responses"]
    assert ("still stands" in (message.get("text") or "")) is said
    assert (message.get("response") == "utter_red_flag") is not said
