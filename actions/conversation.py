"""Actions that keep the conversation going."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import EventType, FollowupAction
from rasa_sdk.executor import CollectingDispatcher

from actions.tracker_io import (
    DIALOGUE,
    RED_FLAG_RESPONSE,
    Move,
    after_alarm,
    alarm_off,
    events,
    flagged_turn,
    send,
    turn_from,
)
from bot.core import dialogue
from bot.core.answering import Setting
from bot.core.dialogue import Reply
from bot.core.turn import State, Turn


class ActionSmallTalk(Move):
    """Answers a greeting, thanks, a goodbye or "are you a person?"."""

    def name(self) -> str:
        """Names the action."""
        return "action_small_talk"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.small_talk(turn, state, setting)


class ActionHandOff(Move):
    """Says who can help in person."""

    def name(self) -> str:
        """Names the action."""
        return "action_hand_off"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.handoff(turn, state, setting)


class ActionForget(Move):
    """Forgets the conversation; replaces Rasa's own action for the intent `restart`."""

    def name(self) -> str:
        """Names the action."""
        return "action_restart"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Runs the move (see parent); no rule follows this intent, so listening is asked for."""
        done = await super().run(dispatcher, tracker, domain)
        return [*alarm_off(), *done, FollowupAction("action_listen")]

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.restart(turn, state, setting)


class MoveAfterAlarm(Move):
    """A move that an emergency reply changes: "yes" or "more" to it repeats it, "no" takes it back."""

    repeats = True

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Runs the move (see parent)."""
        if not after_alarm(tracker):
            return await super().run(dispatcher, tracker, domain)
        if self.repeats:
            dispatcher.utter_message(response=RED_FLAG_RESPONSE)
            return []
        state = State.from_json(tracker.get_slot(DIALOGUE))
        answer, after = dialogue.stand_down(turn_from(tracker), flagged_turn(tracker), state, self.setting(tracker))
        send(dispatcher, answer)
        return [*alarm_off(), *events(tracker, after)]


class ActionTellMore(MoveAfterAlarm):
    """Tells what the last answer left out."""

    def name(self) -> str:
        """Names the action."""
        return "action_tell_more"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.more(turn, state, setting)


class ActionAffirm(MoveAfterAlarm):
    """Takes up what was offered."""

    def name(self) -> str:
        """Names the action."""
        return "action_affirm"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.affirm(turn, state, setting)


class ActionDeny(MoveAfterAlarm):
    """Takes a "no"."""

    repeats = False

    def name(self) -> str:
        """Names the action."""
        return "action_deny"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.deny(turn, state, setting)


class ActionStandDown(MoveAfterAlarm):
    """Takes an alarm back."""

    repeats = False

    def name(self) -> str:
        """Names the action."""
        return "action_stand_down"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.no_alarm(turn, state, setting)
