"""What a turn means, given what the conversation was about."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from bot.core import checks
from bot.core import turn as t
from bot.core.answering import CAUSES, DESCRIBE, TREATMENT
from bot.core.select import choose
from bot.core.turn import Focus, State, Turn, unique
from bot.knowledge.loader import Knowledge

CORRECTION = "correction"
DECISION = "ask_personal_medical_decision"


def goals_of(intents: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    """Gives the goals of the intents; a description gives way to a question asked with it."""
    by_intent = {goal.intent: goal.id for goal in k.goals.values()}
    asked = unique(by_intent[intent] for intent in intents if intent in by_intent)
    return asked or (DESCRIBE,)


def questions_of(intents: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    """Gives the intents that ask for facts."""
    known = {goal.intent for goal in k.goals.values()} | {"describe_problem"}
    return tuple(intent for intent in intents if intent in known)


def asked_besides(turn: Turn, k: Knowledge) -> Turn | None:
    """Gives what a message asks besides answering the bot ("no, I have none now. How do I avoid the next?")."""
    asked = questions_of(turn.intents[1:], k)
    return replace(turn, intents=asked) if asked else None


def set_aside(turn: Turn, goals: tuple[str, ...], state: State, k: Knowledge) -> tuple[tuple[str, ...], State]:
    """Takes "besides tablets": neither what is set aside nor what was talked of so far is asked about."""
    guessed = goals_of(turn.guesses, k)
    wider = next((goal for goal in (*goals, *guessed) if goal in (TREATMENT, CAUSES, "prevention")), TREATMENT)
    return (wider,), replace(state, topics=(), medicines=())


def compared(turn: Turn, goals: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    """Takes "stretching or massage?" as a question about both, whichever of the two its intent is about."""
    topics = {topic for topic in turn.ids(t.TOPIC) if not k.topics[topic].overview}
    goal = k.goals.get(goals[0]) if len(goals) == 1 else None
    narrow = goal and goal.treats and goal.topics and len(topics) > 1 and topics - set(goal.topics)
    return (TREATMENT,) if narrow else goals


def in_context(turn: Turn, state: State, k: Knowledge, least: float) -> tuple[str, ...]:
    """Gives the fact that a follow-up question means: the nearest one on what the last answer was about."""
    if turn.silent:
        return ()
    topics = {k.facts[fact].topic for fact in state.last if fact in k.facts}
    near = (fact for fact, likeness in turn.near if likeness >= least and k.facts[fact].topic in topics)
    return tuple(near)[:1]


def on_remedy(turn: Turn, goals: tuple[str, ...], state: State, k: Knowledge) -> tuple[str, ...]:
    """Gives the facts that a bare question means after an answer on one remedy ("does it hurt?" on injections).

    By itself such a question would be one on spasms, or on their causes.
    """
    if goals not in (("about",), (CAUSES,)) or t.OF_SPASM in turn.ids(t.CUE) or names_something(turn):
        return ()
    remedies = state.goals and all(goal in k.goals and k.goals[goal].treats for goal in state.goals)
    if not remedies:
        return ()
    told = (k.facts[fact] for fact in state.last if fact in k.facts)
    subject = {*state.topics, *state.medicines}
    about = unique(k.lead(fact.id) for fact in told if subject & {fact.topic, *fact.medicines})
    likeness = dict(turn.near)
    return tuple(sorted(about, key=lambda fact: -likeness.get(fact, 0.0)))[:2]


def of_last(turn: Turn, state: State, k: Knowledge) -> bool:
    """Tells whether a message that names nothing is about the last answer, and decides nothing about a medicine."""
    medical = any(k.facts[fact].medicines for fact in state.last if fact in k.facts)
    decides = DECISION in turn.intents and medical
    named = any(turn.ids(kind) for kind in t.SUBJECTS if kind != t.TOPIC) or _firm(turn.ids(t.TOPIC), k)
    return state.kind == "answer" and bool(state.goals) and not decides and not named


def with_place(goals: tuple[str, ...]) -> tuple[str, ...]:
    """Gives the goals that a new subject is taken up with: after a description, what helps."""
    return goals if DESCRIBE not in goals else (TREATMENT,)


def intents_of(goals: tuple[str, ...], k: Knowledge) -> tuple[str, ...]:
    """Gives the intents that ask for goals."""
    return tuple("describe_problem" if goal == DESCRIBE else k.goals[goal].intent for goal in goals)


def focus_of(turn: Turn, state: State, goals: tuple[str, ...], k: Knowledge) -> Focus:
    """Merges what the message names with what the conversation is about."""
    said = turn.ids(t.BODY_PART)
    moved = bool(said) and bool(state.body_parts) and said[0] not in state.body_parts
    corrects = CORRECTION in turn.ids(t.CUE)
    triggers = turn.ids(t.TRIGGER) or (() if moved and not corrects else state.triggers)
    focus = Focus(
        body_parts=said or state.body_parts,
        triggers=triggers,
        conditions=unique((*turn.ids(t.CONDITION), *lasting(state, k))),
        medicines=turn.ids(t.MEDICINE),
        topics=_topics(turn, k) if DESCRIBE not in goals else (),
    )
    listed = listed_fact(turn, state, k)
    if listed:
        return replace(focus, triggers=listed.triggers or focus.triggers, conditions=listed.conditions)
    named = any(turn.ids(kind) for kind in (t.CONDITION, t.MEDICINE, t.TOPIC, t.TRIGGER))
    if named or DESCRIBE in goals or (said and t.REFERS_BACK not in turn.ids(t.CUE)):
        return focus
    carried = replace(focus, conditions=state.conditions, medicines=state.medicines, topics=state.topics)
    return carried if _serves(carried, goals, k) else focus


def _topics(turn: Turn, k: Knowledge) -> tuple[str, ...]:
    """Gives the topics named, without those that give way to another subject of the message."""
    topics, others = turn.ids(t.TOPIC), (*turn.ids(t.CONDITION), *turn.ids(t.MEDICINE))
    firm = _firm(topics, k)
    return firm if firm or others else topics


def _firm(topics: Iterable[str], k: Knowledge) -> tuple[str, ...]:
    return tuple(topic for topic in topics if not k.topics[topic].gives_way)


def lasting(state: State, k: Knowledge) -> tuple[str, ...]:
    """Gives the illnesses that bar self-care, whatever is talked of."""
    return tuple(c for c in state.conditions if c in k.conditions and k.conditions[c].hold_back)


def _serves(focus: Focus, goals: Iterable[str], k: Knowledge) -> bool:
    """Tells whether some fact of a goal's kinds is about the subject that would be carried over."""
    return all(
        any(k.facts[lead].kind in k.goals[goal].kinds for lead in found.leads) and found.subject_matched
        for goal in goals
        if goal in k.goals
        for found in [choose(k.goals[goal], focus, k)]
    )


def listed_fact(turn: Turn, state: State, k: Knowledge) -> Focus | None:
    """Gives the subject of "the first one": what the n-th fact of the last answer is about."""
    for ordinal in turn.ids(t.ORDINAL):
        index = -1 if ordinal == "last" else int(ordinal) - 1 if ordinal.isdigit() else len(state.listed)
        if -len(state.listed) <= index < len(state.listed):
            fact = k.facts.get(state.listed[index])
            if fact:
                return Focus(triggers=fact.triggers[:1], conditions=fact.conditions[:1], topics=(fact.topic,))
    return None


def remember(turn: Turn, state: State, k: Knowledge) -> State:
    """Keeps how long, how bad and which side, the newest first, and which signs of danger need no question."""
    if checks.DENIES_SIGNS in turn.ids(t.CUE):
        for part in turn.ids(t.BODY_PART)[:1] or state.body_parts[:1]:
            state = checks.answered(state, k.body_parts[part].region)
    return replace(
        state,
        durations=unique((*turn.ids(t.DURATION), *state.durations)),
        severities=unique((*turn.ids(t.SEVERITY), *state.severities)),
        sides=unique((*turn.ids(t.SIDE), *state.sides)),
    )


def measures_said(turn: Turn, k: Knowledge) -> list[str]:
    """Gives in our words how long, how bad and which side a message says."""
    names = {concept.id: concept.name for table in k.measures.values() for concept in table}
    return [names[measure] for kind in (t.DURATION, t.SEVERITY, t.SIDE) for measure in turn.ids(kind)]


def has_details(turn: Turn) -> bool:
    """Tells whether a message says anything of the problem: a subject, how long, how bad or which side."""
    return _has_any(turn, (*t.SUBJECTS, t.DURATION, t.SEVERITY, t.SIDE))


def has_subjects(turn: Turn) -> bool:
    """Tells whether a message names something that the documents speak of, besides a place."""
    return _has_any(turn, (t.TRIGGER, t.CONDITION, t.MEDICINE, t.TOPIC))


def names_something(turn: Turn) -> bool:
    """Tells whether a message names a place, or something else that may be asked about."""
    return _has_any(turn, t.SUBJECTS)


def _has_any(turn: Turn, kinds: Collection[str]) -> bool:
    return any(mention.kind in kinds for mention in turn.mentions)


def goal_on(turn: Turn, k: Knowledge) -> str:
    """Gives the goal that a named subject belongs to."""
    if turn.ids(t.CONDITION):
        return "condition"
    if turn.ids(t.MEDICINE):
        return "medication"
    themes = (goal.id for topic in turn.ids(t.TOPIC) for goal in k.goals.values() if topic in goal.theme)
    return next(themes, TREATMENT if turn.ids(t.TOPIC) else CAUSES)


def not_covered(turn: Turn, k: Knowledge) -> str | None:
    """Gives what is asked about and not in the documents.

    In a description it is a side remark, and so is an illness unless the question is about illness.
    """
    if turn.intents == ("describe_problem",):
        return None
    named = turn.ids(t.CONDITION) if "ask_about_condition" in turn.intents else ()
    other = (c for c in named if c in k.conditions and not k.conditions[c].covered)
    return next(iter((*turn.ids(t.NOT_COVERED), *other)), None)


def followed_up(turn: Turn, state: State, k: Knowledge) -> str | None:
    """Gives what a bare question means after an answer ("how long?" on heat: to apply it; "how much?" on drinks)."""
    if any(m.kind in t.SUBJECTS and m.kind != t.TOPIC for m in turn.mentions):
        return None
    named = (*turn.ids(t.TOPIC), *turn.ids(t.CUE))
    served = (TREATMENT if goal == DESCRIBE else goal for goal in state.goals)
    meant = (k.goals[goal].follow_ups.get(item) for goal in served for item in named)
    return next((item for item in meant if item), None)
