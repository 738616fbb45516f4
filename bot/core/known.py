"""What of a stored state the knowledge base still knows: it may have changed since the conversation was stored."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Any

from bot.core.answering import DESCRIBE
from bot.core.checks import ANYWHERE
from bot.core.turn import State
from bot.knowledge.loader import Knowledge


def known(state: State, k: Knowledge) -> State:
    """Gives the state without ids that the knowledge base has not, or no longer."""
    measures = {name: {concept.id for concept in table} for name, table in k.measures.items()}
    regions = {*k.safety_nets, ANYWHERE, ""}
    goals = {*k.goals, DESCRIBE}
    tables: dict[str, Container[str]] = {
        "body_parts": k.body_parts,
        "triggers": k.triggers,
        "conditions": k.conditions,
        "medicines": k.medicines,
        "topics": k.topics,
        "durations": measures["durations"],
        "severities": measures["severity"],
        "sides": measures["sides"],
        "goals": goals,
        "offers": goals,
        "pending": goals,
        "said": k.facts,
        "last": k.facts,
        "listed": k.facts,
        "checked": regions,
        "denied": regions,
    }
    kept: dict[str, Any] = {
        name: tuple(id_ for id_ in getattr(state, name) if id_ in table) for name, table in tables.items()
    }
    return replace(
        state,
        **kept,
        checking=state.checking if state.checking in regions else "",
        missing=state.missing if state.missing in k.not_covered or state.missing in k.conditions else "",
    )
