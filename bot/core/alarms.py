"""What an alarm or a doubt of the screen changes about the replies that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.core import checks
from bot.core.select import SELF_CARE
from bot.core.turn import MAX_BUTTONS, Answer, State
from bot.knowledge.loader import Knowledge


@dataclass(frozen=True)
class Alarm:
    """A warning that was given and not taken back.

    Attributes:
        text: What it said, with its numbers filled in.
        urgent: Whether help is needed now, so that self-care must wait.
    """

    text: str
    urgent: bool


def held_back(reply: Answer, alarm: Alarm, k: Knowledge) -> bool:
    """Tells whether a reply must not be given: while an emergency stands, advice to try at home or a milder check."""
    advises = any(k.facts[fact].kind in SELF_CARE for fact in reply.facts)
    return alarm.urgent and (advises or reply.kind == "safety_check")


def reminded(reply: Answer, alarm: Alarm, k: Knowledge) -> Answer:
    """Gives a reply that says first that the alarm stands: changing the subject does not end an emergency."""
    return replace(reply, text=f"{k.phrases['still_stands']} {alarm.text}\n\n{reply.text}")


def ask_beside(reply: Answer, state: State, rule: str, emergency_number: str, k: Knowledge) -> tuple[Answer, State]:
    """Puts the general safety question before a reply that need not wait for the answer; each doubt is asked once."""
    asked = checks.question(checks.ANYWHERE, k)
    if asked is None or rule in state.doubts or reply.kind == "safety_check":
        return reply, state
    text = f"{asked.ask.format(emergency_number=emergency_number)}\n\n{reply.text}"
    buttons = tuple(dict.fromkeys((*checks.buttons(k), *reply.buttons)))[:MAX_BUTTONS]
    after = replace(state, checking=checks.ANYWHERE, doubts=(*state.doubts, rule))
    return replace(reply, text=text, buttons=buttons, safety_question=checks.ANYWHERE), after
