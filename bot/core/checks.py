"""Safety questions: one short check on the warning signs of a region, asked once a conversation."""

from __future__ import annotations

from dataclasses import replace

from bot.core.turn import Button, Focus, State, unique
from bot.knowledge.loader import Knowledge
from bot.knowledge.schema import SafetyQuestion

# Names of the rule and the reply of a region's check; ANYWHERE stands for a check that knows no place.
CHECK = "check-"
ANYWHERE = "any"
# The reply to "not sure": treated with care, not as a no.
NOT_SURE = "not-sure"
# A cue that a message denies some sign of danger itself.
DENIES_SIGNS = "denies_signs"


def question(region: str, k: Knowledge) -> SafetyQuestion | None:
    """Gives a region's question."""
    return k.safety_nets[region].question if region in k.safety_nets else None


def due(focus: Focus, state: State, k: Knowledge) -> tuple[str, SafetyQuestion] | None:
    """Gives the region whose check is still open, with its question."""
    for part in focus.body_parts[:1]:
        region = k.body_parts[part].region
        asked = question(region, k)
        if asked and region not in state.checked:
            return region, asked
    return None


def asked(state: State, region: str) -> State:
    """Gives the state after a region's check was asked."""
    return replace(state, checking=region, checked=unique((*state.checked, region)))


def answered(state: State, region: str) -> State:
    """Gives the state after a region's check was answered, or was answered before it was asked."""
    return replace(state, checking="", checked=unique((*state.checked, region)))


def denied(state: State, region: str) -> State:
    """Gives the state after a region's check was answered with no."""
    return replace(answered(state, region), denied=unique((*state.denied, region)))


def region_of(reply: str | None) -> str | None:
    """Gives the region of a check's reply id, or None for another reply."""
    return reply.removeprefix(CHECK) if reply and reply.startswith(CHECK) else None


def buttons(k: Knowledge) -> tuple[Button, ...]:
    """Gives the buttons that answer a check; each sends its own words."""
    return tuple(Button(k.phrases[key], k.phrases[key]) for key in ("button_yes", "button_no", "button_not_sure"))
