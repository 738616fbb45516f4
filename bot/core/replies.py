"""Finished replies: a draft with its buttons, and the state after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.core import turn as t
from bot.core.answering import CAUSES, SEE_DOCTOR, TREATMENT, Setting, understood
from bot.core.compose import Draft, goal_buttons
from bot.core.turn import Answer, Button, State, Turn, unique
from bot.knowledge.loader import Knowledge

Reply = tuple[Answer, State]
STARTERS = (CAUSES, TREATMENT, "prevention", SEE_DOCTOR)


def finished(kind: str, draft: Draft, turn: Turn, state: State, offers: Iterable[str]) -> Reply:
    """Makes a reply of a finished draft and the state after it."""
    k = draft.k
    buttons: tuple[Button, ...] = goal_buttons(offers, k)
    facts = tuple(draft.facts)
    reply = Answer(
        kind=kind,
        text=draft.text,
        intents=turn.intents,
        buttons=buttons,
        body_part=state.body_parts[0] if state.body_parts else None,
        trigger=state.triggers[0] if state.triggers else None,
        facts=facts,
        sources=draft.sources,
        understood=understood(state.focus, k),
        disclaimer=k.phrases["disclaimer"],
        cautions=tuple(draft.cautions),
    )
    after = replace(
        state,
        offers=tuple(offers),
        said=unique((*state.said, *facts)),
        last=facts or state.last,
        listed=tuple(draft.listed) or state.listed,
        kind=kind,
        missing="",
        checking="",
    )
    return reply, after


def offer(turn: Turn, key: str, state: State, setting: Setting, kind: str = "clarify") -> Reply:
    """Says one of our sentences, and offers questions to go on with."""
    draft = setting.draft()
    draft.say(setting.k.phrases[key])
    return finished(kind, draft, turn, state, state.offers or STARTERS)


def unserved(reply: Reply, why: str, label: str, state: State) -> Reply:
    """Notes in a reply, in words of ours, what was asked and not answered; the editor's report counts it."""
    given, after = reply
    note = {"why": why, "label": label, "introduced": state.introduced}
    return replace(given, extra={**given.extra, t.UNSERVED: note}), after


def introduce(draft: Draft, state: State) -> None:
    """Says once what the assistant is."""
    if not state.introduced:
        draft.footer(draft.phrase("assistant"))


def dated(k: Knowledge, doc: str) -> str:
    """Gives the date of a document, as it stands behind its title."""
    date = k.documents[doc].date
    return f" ({date})" if date else ""


def source_list(state: State, setting: Setting) -> tuple[t.Source, ...]:
    """Gives the sources of the last answer."""
    draft = setting.draft()
    draft.tell(unique(setting.k.lead(fact) for fact in state.last if fact in setting.k.facts))
    return draft.sources
