"""Actions that answer from the facts."""

from __future__ import annotations

from actions.tracker_io import Move
from bot.core import dialogue
from bot.core.answering import Setting
from bot.core.replies import Reply
from bot.core.turn import State, Turn


class ActionAnswer(Move):
    """Answers a described problem or questions."""

    def name(self) -> str:
        """Names the action."""
        return "action_answer"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.ask(turn, state, setting)


class ActionTakeDetail(Move):
    """Takes a bare detail and goes on."""

    def name(self) -> str:
        """Names the action."""
        return "action_take_detail"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.inform(turn, state, setting)


class ActionTrySomethingElse(Move):
    """Offers something else after "that did not help"."""

    def name(self) -> str:
        """Names the action."""
        return "action_try_something_else"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.negative_feedback(turn, state, setting)


class ActionDecline(Move):
    """Declines a personal medical decision and says who takes it."""

    def name(self) -> str:
        """Names the action."""
        return "action_decline"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.decline(turn, state, setting)


class ActionNameSources(Move):
    """Lists the documents and sections behind the last answer."""

    def name(self) -> str:
        """Names the action."""
        return "action_name_sources"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.sources(turn, state, setting)


class ActionFallBack(Move):
    """Says what the bot knows, after a message that it cannot serve."""

    def name(self) -> str:
        """Names the action."""
        return "action_fall_back"

    def reply(self, turn: Turn, state: State, setting: Setting) -> Reply:
        """See parent."""
        return dialogue.fallback(turn, state, setting)
