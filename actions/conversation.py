"""Actions that keep the conversation going."""

from __future__ import annotations

from enum import Enum

from rasa_sdk import Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.answers import ActionFallBack
from actions.tracker_io import (
    RED_FLAG_RESPONSE,
    SAFETY_REPLY,
    Move,
    after_alarm,
    alarm_off,
    events,
    send,
    send_to_help,
    state_of,
    turn_from,
)
from bot.core import asides, checks, dialogue
from bot.core.alarms import Alarm
from bot.core.answering import Setting
from bot.core.replies import Reply
from bot.core.turn import COUNTRY, State, Turn
from bot.knowledge.numbers import numbers


class ActionSmallTalk(Move):
    """Answers a greeting, thanks, a goodbye or "are you a person?"."""

    def name(self) -> str:
        """Names the action."""
        return "action_small_talk"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.small_talk(turn, state, setting)


# Below this confidence in the intent `restart` nothing is deleted; `make evaluate` lists what is taken for it.
SURE_TO_FORGET = 0.65


class ActionForget(Move):
    """Forgets the conversation; replaces Rasa's own action for the intent `restart`."""

    def __init__(self) -> None:
        """Makes the move for a message that may mean something else."""
        super().__init__()
        self._fall_back = ActionFallBack()

    def name(self) -> str:
        """Names the action."""
        return "action_restart"

    def alarm(self, tracker: Tracker) -> Alarm | None:
        """Gives no alarm: it is forgotten with the rest."""
        return None

    async def move(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Makes the move (see parent) and takes back any alarm; what is deleted is gone, so it must be meant."""
        if float(tracker.latest_message["intent"].get("confidence") or 0) < SURE_TO_FORGET:
            return await self._fall_back.move(dispatcher, tracker)
        return [*alarm_off(), *await super().move(dispatcher, tracker)]

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return asides.restart(turn, state, setting)


class Says(Enum):
    """What a move means as an answer to an emergency reply or a safety question."""

    YES = "yes"
    NO = "no"
    NO_ALARM = "no alarm"
    NOT_SURE = "not sure"
    AGAIN = "again"


class MoveAfterAlarm(Move):
    """A move that means something else after an emergency reply or a safety question."""

    says = Says.AGAIN

    async def move(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Makes the move (see parent)."""
        alarmed = after_alarm(tracker) or (self.says is Says.NO_ALARM and self.alarm(tracker) is not None)
        region = checks.region_of(tracker.get_slot(SAFETY_REPLY)) if alarmed else state_of(tracker).checking
        if region and self.says in (Says.YES, Says.NOT_SURE):
            unsure = checks.NOT_SURE if self.says is Says.NOT_SURE else ""
            return send_to_help(dispatcher, tracker, region, self._knowledge, unsure)
        if alarmed and self.says in (Says.NO, Says.NO_ALARM):
            return self.resume(dispatcher, tracker, region)
        if alarmed:
            dispatcher.utter_message(response=RED_FLAG_RESPONSE)
            return []
        return await super().move(dispatcher, tracker)


class ActionHandOff(MoveAfterAlarm):
    """Says who can help in person; after an emergency reply, whom to call."""

    def name(self) -> str:
        """Names the action."""
        return "action_hand_off"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.hand_off(turn, state, setting)


class ActionTellMore(MoveAfterAlarm):
    """Tells what the last answer left out."""

    def name(self) -> str:
        """Names the action."""
        return "action_tell_more"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.more(turn, state, setting)


class ActionAffirm(MoveAfterAlarm):
    """Takes up what was offered, or a "yes" to a safety question."""

    says = Says.YES

    def name(self) -> str:
        """Names the action."""
        return "action_affirm"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.affirm(turn, state, setting)


class ActionDeny(MoveAfterAlarm):
    """Takes a "no"."""

    says = Says.NO

    def name(self) -> str:
        """Names the action."""
        return "action_deny"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.deny(turn, state, setting)


class ActionStandDown(MoveAfterAlarm):
    """Takes an alarm back, however long ago it was given."""

    says = Says.NO_ALARM

    def name(self) -> str:
        """Names the action."""
        return "action_stand_down"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.no_alarm(turn, state, setting)


class ActionNotSure(MoveAfterAlarm):
    """Takes "I don't know"; to a safety question it counts as a reason for care."""

    says = Says.NOT_SURE

    def name(self) -> str:
        """Names the action."""
        return "action_not_sure"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.not_sure(turn, state, setting)


class ActionExplainQuestion(Move):
    """Says why it asked."""

    def name(self) -> str:
        """Names the action."""
        return "action_explain_question"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.why_asking(turn, state, setting)


class ActionSetCountry(Move):
    """Takes the person's country, whose numbers all replies then give."""

    def name(self) -> str:
        """Names the action."""
        return "action_set_country"

    async def move(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Makes the move (see parent); an emergency reply is given again with the country's numbers."""
        named = turn_from(tracker).ids(COUNTRY)
        if not named:
            return await super().move(dispatcher, tracker)
        state = state_of(tracker)
        if tracker.get_slot(SAFETY_REPLY):
            dispatcher.utter_message(response=RED_FLAG_RESPONSE, country=named[0])
            return [SlotSet("country", named[0])]
        setting = Setting(self._knowledge, numbers(named[0]).emergency_number)
        answer, after = asides.country_set(turn_from(tracker), state, setting)
        send(dispatcher, answer)
        return [SlotSet("country", named[0]), *events(tracker, after)]

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return asides.ask_country(turn, state, setting)


class ActionSummarise(Move):
    """Writes the note for a doctor."""

    def name(self) -> str:
        """Names the action."""
        return "action_summarise"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return asides.summary(turn, state, setting)


class ActionShorten(Move):
    """Says the last answer again, shorter or more simply."""

    def name(self) -> str:
        """Names the action."""
        return "action_shorten"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.shorter(turn, state, setting)


class ActionExplainWord(Move):
    """Explains a word that an answer used."""

    def name(self) -> str:
        """Names the action."""
        return "action_explain_word"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.meaning(turn, state, setting)
