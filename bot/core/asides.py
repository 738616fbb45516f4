"""Moves beside the questions on health: the note, the short form, how sure it is, countries, an end."""

from __future__ import annotations

from dataclasses import replace

from bot.core import checks
from bot.core import turn as t
from bot.core.answering import Setting
from bot.core.compose import join
from bot.core.meant import remember
from bot.core.replies import STARTERS, Reply, finished, offer
from bot.core.select import safe
from bot.core.turn import Button, State, Turn, unique
from bot.knowledge.loader import Knowledge
from bot.knowledge.numbers import countries


def certainty(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says how many documents stand behind the last answer, and where they differ."""
    k = setting.k
    draft = setting.draft()
    groups = {lead: {k.facts[fact].doc for fact in _supporting(lead, k)} for lead in unique(map(k.lead, state.last))}
    several = [lead for lead, docs in groups.items() if len(docs) > 1]
    single = [lead for lead, docs in groups.items() if len(docs) == 1]
    for leads, key in ((several[:3], "several_sources"), (single[:3], "one_source")):
        if leads:
            draft.say(k.phrases[key])
        for lead in leads:
            draft.tell_with(lead, _supporting(lead, k))
    topics = {k.facts[lead].topic for lead in groups}
    for difference in [d.id for d in k.disagreements.values() if d.topic in topics][:1]:
        draft.differ(difference)
    draft.gap()
    draft.say(k.phrases["source_quality"])
    return finished("answer", draft, turn, state, state.offers or STARTERS)


def _supporting(lead: str, k: Knowledge) -> tuple[str, ...]:
    """Gives all facts that say what a leading fact says, in whatever document."""
    said = (claim.facts for claim in k.claims.values() if lead in claim.facts)
    return unique((*k.group(lead), *(fact for facts in said for fact in facts)))


def summary(turn: Turn, state: State, setting: Setting) -> Reply:
    """Writes the note for a doctor: what the person said, what was asked, what the documents suggested."""
    k = setting.k
    state = remember(turn, state, k)
    names = {concept.id: concept.name for table in k.measures.values() for concept in table}
    suggested = [f for f in state.said if k.facts[f].kind in ("treatment", "prevention")]
    rows = {
        "note_where": [k.body_parts[part].name for part in state.body_parts],
        "note_side": [names[side] for side in state.sides],
        "note_since": [names[duration] for duration in state.durations],
        "note_how_bad": [names[severity] for severity in state.severities],
        "note_trigger": [k.triggers[trigger].name for trigger in state.triggers],
        "note_medicines": [k.medicines[m].name for m in state.medicines if m in k.medicines],
        "note_conditions": [k.conditions[c].name for c in state.conditions if c in k.conditions],
        "note_denied": [region for region in state.denied if region != checks.ANYWHERE],
        "note_open": [region for region in state.checked if region not in (*state.denied, checks.ANYWHERE)],
        "note_suggested": [k.topics[topic].name for topic in unique(k.facts[f].topic for f in suggested)],
    }
    draft = setting.draft()
    if not any(rows.values()):
        draft.say(k.phrases["note_empty"])
        return finished("summary", draft, turn, state, STARTERS)
    draft.say(k.phrases["note_title"])
    for key, values in rows.items():
        if values:
            draft.say(f"• {k.phrases[key]}: {join(values)}")
    draft.gap()
    draft.say(k.phrases["note_end"])
    return finished("summary", draft, turn, state, state.offers or STARTERS)


def shorter(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says the last answer again in its main points, and explains the words that need it."""
    k = setting.k
    if not state.last:
        return offer(turn, "ask_what", state, setting)
    draft = setting.draft()
    simpler = "ask_simpler" in turn.intents
    draft.say(k.phrases["simply" if simpler else "in_short"])
    leads = unique(k.lead(fact) for fact in state.last)[: 3 if simpler else 2]
    draft.tell([lead for lead in leads if safe(k.facts[lead], state.body_parts, k)], state.body_parts)
    if simpler:
        told = " ".join(k.facts[lead].text.lower() for lead in leads)
        terms = [term for term in k.glossary.values() if any(alias in told for alias in term.aliases)]
        for term in terms[:3]:
            draft.say(k.phrases["term"].format(term=capital(term.name), meaning=term.meaning))
    return finished("answer", draft, turn, state, state.offers or STARTERS)


def capital(text: str) -> str:
    """Gives a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def handoff(turn: Turn, state: State, setting: Setting) -> Reply:
    """Says who can help in person."""
    draft = setting.draft()
    draft.say(draft.phrase("handoff"))
    return finished("handoff", draft, turn, state, STARTERS)


def restart(turn: Turn, state: State, setting: Setting) -> Reply:
    """Forgets the conversation; the reply tells the store and the channel to delete what they keep."""
    draft = setting.draft()
    draft.say(setting.k.phrases["restart"])
    reply, after = finished("smalltalk", draft, turn, State(introduced=True), ())
    return replace(reply, extra={t.ERASE: True}), after


def ask_country(turn: Turn, state: State, setting: Setting) -> Reply:
    """Asks which country's numbers to give."""
    draft = setting.draft()
    draft.say(draft.phrase("ask_country"))
    reply, after = finished("clarify", draft, turn, state, ())
    places = tuple(Button(c.name, setting.k.phrases["payload_country"].format(country=c.name)) for c in countries())
    return replace(reply, buttons=places), after


def country_set(turn: Turn, state: State, setting: Setting) -> Reply:
    """Gives the numbers of the country that was named; `setting` holds them."""
    draft = setting.draft()
    draft.say(draft.phrase("country_set"))
    reply, after = finished("answer", draft, turn, state, state.offers or STARTERS)
    return replace(reply, extra={"emergency_number": setting.emergency_number}), after
