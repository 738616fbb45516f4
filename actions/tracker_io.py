"""From the tracker to the core's values, and from an answer to messages and events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.core import checks, dialogue
from bot.core.alarms import Alarm, ask_beside, held_back, reminded
from bot.core.answering import Setting
from bot.core.checks import DENIES_SIGNS
from bot.core.known import known
from bot.core.replies import Reply
from bot.core.turn import BODY_PART, CUE, YES, Answer, Mention, State, Turn
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.knowledge.numbers import Numbers, numbers
from bot.knowledge.safety import Reply as SafetyReply
from bot.knowledge.safety import load_safety
from bot.settings import read_settings

DIALOGUE = "dialogue"
RED_FLAG_RESPONSE = "utter_red_flag"
FALLBACK = "nlu_fallback"
RED_FLAG = "red_flag"
SMALL_TALK = "smalltalk"
# The next likeliest intent may be meant too if it is at least so likely, compared with the likeliest.
FAIR = 1 / 3
ACTION_LISTEN = "action_listen"
# The message's key for the question that the screen wants asked first (bot.nlu.safety_gate).
SCREEN_QUESTION = "screen_question"
SAFETY_RULE, SAFETY_REPLY = "safety_rule", "safety_reply"
# Keys of that question, and what they may hold (bot.nlu.safety_screen, bot.nlu.learned_screen).
RULE, REPLY, BESIDE, LEARNED = "rule", "reply", "beside", "learned-screen"
# The message's key for whether a clause of it takes an alarm back (bot.nlu.intent_classifier).
TAKES_BACK = "takes_back"
# The kind of a safety reply that sends to help the same day, not at once.
URGENT = "urgent"


class Move(Action, ABC):
    """An action that makes one move of the conversation: tracker to core, core to dispatcher."""

    def __init__(self) -> None:
        """Loads the knowledge base; it is frozen, so all conversations share it."""
        self._knowledge = _knowledge()
        self._country = read_settings().country
        numbers(self._country)  # read now, so that no person waits for it

    @abstractmethod
    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """Gives the reply and the state after it."""

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Runs the move (see parent); a yes to a safety question, and a question of the screen, come first."""
        region = open_check(tracker)
        if region and YES in turn_from(tracker).ids(CUE):
            return self._yes_to_check(dispatcher, tracker, region)
        question = _screen_question(tracker)
        if question and not self.answers_beside(tracker, question):
            return warn(dispatcher, question[RULE], question[REPLY])
        return await self.move(dispatcher, tracker)

    def _yes_to_check(self, dispatcher: CollectingDispatcher, tracker: Tracker, region: str) -> list[EventType]:
        """Sends to help, whatever the message's intent; a yes beside something else is asked about once more."""
        turn, state = turn_from(tracker), state_of(tracker)
        if dialogue.plain_yes(turn, self._knowledge):
            return send_to_help(dispatcher, tracker, region, self._knowledge)
        answer, after = dialogue.check_again(turn, state, self.setting(tracker), region)
        send(dispatcher, answer)
        return events(tracker, after)

    def answers_beside(self, tracker: Tracker, question: dict[str, str]) -> bool:
        """Tells whether the screen's question and the answer go together, or the answer must wait.

        Besides small doubts: a message in mid-talk that names no place ("still sore two days later") says too little by
        itself for the learned screen to judge.
        """
        state = state_of(tracker)
        follows = question[RULE] == LEARNED and state.answers > 0 and not turn_from(tracker).ids(BODY_PART)
        return BESIDE in question or follows

    async def move(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Sends the reply and gives the events."""
        alarm = self.alarm(tracker)
        if alarm and tracker.latest_message.get(TAKES_BACK):
            return self.resume(dispatcher, tracker)
        turn, setting = turn_from(tracker), self.setting(tracker)
        state = self.state(tracker)
        answer, after = dialogue.follow_up(turn, state, setting) or self.reply(turn, state, setting)
        clarified = DENIES_SIGNS in turn.ids(CUE)
        if alarm and not clarified and held_back(answer, alarm, self._knowledge):
            dispatcher.utter_message(response=RED_FLAG_RESPONSE)
            return []
        if alarm:
            answer = reminded(answer, alarm, self._knowledge)
        elif question := _screen_question(tracker):
            answer, after = ask_beside(answer, after, question[RULE], setting.emergency_number, self._knowledge)
        send(dispatcher, answer)
        return events(tracker, after)

    def resume(self, dispatcher: CollectingDispatcher, tracker: Tracker, region: str | None = None) -> list[EventType]:
        """Takes back an alarm and goes on with what was talked about, or with what is asked besides."""
        state, setting = state_of(tracker), self.setting(tracker)
        answer, after = dialogue.stand_down(turn_from(tracker), flagged_turn(tracker), state, setting, region)
        send(dispatcher, answer)
        return [*alarm_off(), *events(tracker, after)]

    def state(self, tracker: Tracker) -> State:
        """Gives what the conversation remembers, with what the message named that raised a standing alarm."""
        state, flagged = state_of(tracker), _alarm(tracker)
        return dialogue.recalled(_turn(flagged), state, self._knowledge) if flagged else state

    def alarm(self, tracker: Tracker) -> Alarm | None:
        """Gives the alarm that stands: an emergency until it is taken back, less while it is the last word."""
        named = tracker.get_slot(SAFETY_REPLY) or ""
        given = _replies().get(named)
        text = given.text if given else self._knowledge.phrases["if_danger"] if checks.region_of(named) else ""
        now = given is not None and given.kind != URGENT
        if not text or not (now or after_alarm(tracker)):
            return None
        return Alarm(text.format(**vars(self._numbers(tracker))), urgent=now)

    def setting(self, tracker: Tracker) -> Setting:
        """Gives the knowledge base with the numbers of the person's country."""
        return Setting(self._knowledge, self._numbers(tracker).emergency_number)

    def _numbers(self, tracker: Tracker) -> Numbers:
        return numbers(tracker.get_slot("country") or self._country)


@lru_cache(maxsize=1)
def _replies() -> dict[str, SafetyReply]:
    return {reply.id: reply for reply in load_safety().replies}


@lru_cache(maxsize=1)
def _knowledge() -> Knowledge:
    """Gives the knowledge base; where messages are kept, the assistant says so when it introduces itself."""
    k = load_knowledge()
    if not read_settings().keep_texts:
        return k
    return replace(k, phrases={**k.phrases, "assistant": f"{k.phrases['assistant']} {k.phrases['texts_kept']}"})


def turn_from(tracker: Tracker) -> Turn:
    """Reads the latest message: intents of all its questions and what it names."""
    return replace(_turn(tracker.latest_message), alarmed=after_alarm(tracker))


def state_of(tracker: Tracker) -> State:
    """Reads what the conversation remembers."""
    return known(State.from_json(tracker.get_slot(DIALOGUE)), load_knowledge())


def flagged_turn(tracker: Tracker) -> Turn:
    """Reads the message that the standing alarm is about."""
    return _turn(_alarm(tracker) or {})


def _turn(latest: dict[str, Any]) -> Turn:
    intent = str((latest.get("intent") or {}).get("name") or FALLBACK)
    # The clauses of a message that was not understood tell nothing.
    intents = [intent] if intent == FALLBACK else latest.get("questions") or [intent]
    mentions = [Mention(CUE, DENIES_SIGNS)] if latest.get("denied_signs") else []
    mentions += [
        Mention(entity["entity"], str(entity["value"]), entity.get("start") or 0, entity.get("end") or 0)
        for entity in latest.get("entities") or []
    ]
    facts = tuple(fact for fact in latest.get("facts") or () if fact in load_knowledge().facts)
    near = tuple(
        (fact, likeness) for fact, likeness in latest.get("near_facts") or () if fact in load_knowledge().facts
    )
    ranking = list(latest.get("intent_ranking") or ())
    guesses = tuple(guess["name"] for guess in ranking)
    close = len(ranking) > 1 and ranking[1]["confidence"] >= FAIR * ranking[0]["confidence"]
    second = str(ranking[1]["name"]) if close else ""
    silent, language = bool(latest.get("documents_silent")), latest.get("foreign_language") or ""
    nearest = latest.get("nearest_question") or ""
    return Turn(tuple(intents), tuple(mentions), facts, silent, guesses, language, near, nearest, second=second)


def _screen_question(tracker: Tracker) -> dict[str, str]:
    """Gives rule and reply of the question that the screen wants asked about the latest message, if any."""
    return tracker.latest_message.get(SCREEN_QUESTION) or {}


def warn(dispatcher: CollectingDispatcher, rule: str, reply: str) -> list[EventType]:
    """Sends a safety reply, one of the domain's responses, and gives the events that keep which it was."""
    chosen = {SAFETY_RULE: rule, SAFETY_REPLY: reply}
    dispatcher.utter_message(response=RED_FLAG_RESPONSE, **chosen)
    return [SlotSet(name, value) for name, value in chosen.items()]


def open_check(tracker: Tracker) -> str | None:
    """Gives the region whose safety question the message answers, if one is open."""
    asked = checks.region_of(tracker.get_slot(SAFETY_REPLY)) if after_alarm(tracker) else state_of(tracker).checking
    return asked or None


def send_to_help(
    dispatcher: CollectingDispatcher, tracker: Tracker, region: str, k: Knowledge, reply: str = ""
) -> list[EventType]:
    """Sends the reply to a yes to a region's safety question, or another one."""
    question = checks.question(region, k)
    chosen = reply or (question.if_yes if question else checks.NOT_SURE)
    after = checks.answered(state_of(tracker), region)
    return [*warn(dispatcher, checks.CHECK + region, chosen), *events(tracker, after)]


def send(dispatcher: CollectingDispatcher, answer: Answer) -> None:
    """Sends one reply: text, buttons and the contract's `custom` object in one message."""
    buttons = [{"title": button.title, "payload": button.payload} for button in answer.buttons]
    dispatcher.utter_message(text=answer.text, buttons=buttons or None, json_message=answer.custom())


def events(tracker: Tracker, state: State) -> list[EventType]:
    """Gives the slots that change: the state, and the values that other tools read by name; then the bot listens.

    Each event is checked and stored by Rasa, so unchanged ones would only cost time. Every rule ends after its
    action; saying so spares Rasa a prediction, a twentieth of a turn.
    """
    values: dict[str, tuple[str, ...]] = {
        "body_part": state.body_parts,
        "trigger": state.triggers,
        "condition": state.conditions,
        "medicine": state.medicines,
        "duration": state.durations,
        "severity": state.severities,
    }
    wanted = {DIALOGUE: state.to_json(), **{name: ids[0] if ids else None for name, ids in values.items()}}
    changed = [SlotSet(name, value) for name, value in wanted.items() if tracker.get_slot(name) != value]
    return [*changed, FollowupAction(ACTION_LISTEN)]


def after_alarm(tracker: Tracker) -> bool:
    """Tells whether an emergency reply stands: the bot's last words, small talk aside."""
    return _alarm(tracker) is not None


def _alarm(tracker: Tracker) -> dict[str, Any] | None:
    """Gives the message that the standing alarm is about, or None if there is no alarm."""
    earlier = list(reversed(tracker.events))
    for place, event in enumerate(earlier):
        if event.get("event") != "bot":
            continue
        if (event.get("metadata") or {}).get("utter_action") == RED_FLAG_RESPONSE:
            heard = [each["parse_data"] for each in earlier[place:] if each.get("event") == "user"]
            # A repeated alarm is still about what raised it first.
            return next((message for message in heard if _raises_alarm(message)), heard[0] if heard else {})
        custom = (event.get("data") or {}).get("custom") or {}
        if custom.get("kind") != SMALL_TALK or not tracker.get_slot(SAFETY_REPLY):
            return None
    return None


def _raises_alarm(message: dict[str, Any]) -> bool:
    return (message.get("intent") or {}).get("name") == RED_FLAG or bool(message.get(SCREEN_QUESTION))


def alarm_off() -> list[EventType]:
    """Gives the events that take an alarm back."""
    return [SlotSet(name, None) for name in (SAFETY_RULE, SAFETY_REPLY)]
