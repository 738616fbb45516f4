"""Which facts answer a question, and in which order."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heapify, heappop, heappush, heapreplace

from bot.core.turn import Focus, unique
from bot.knowledge.loader import Knowledge
from bot.knowledge.schema import ANY, Fact, Goal

# Weights of the ranking. What the person named outweighs where it hurts, and that outweighs the
# goal's own order. They were set by reading answers, not fitted; tests fix the order that matters.
NAMED_TOPIC, NAMED_THING, NAMED_TRIGGER = 12.0, 10.0, 8.0
SAME_PLACE, WIDER_PLACE, ANY_PLACE, OTHER_PLACE = 6.0, 3.0, 1.0, -6.0
STEP_DOWN, PER_SUPPORT, SAME_TOPIC_AGAIN, GOAL_KIND, OTHER_TRIGGER = 0.5, 0.4, 4.0, 5.0, 2.0


SELF_CARE = frozenset({"treatment", "prevention"})


@dataclass(frozen=True)
class Selection:
    """Facts chosen for a goal.

    Attributes:
        leads: Ids of leading facts, best first.
        place_matched: Whether one of them is about the place asked about.
        trigger_matched: Whether one of them is about the trigger asked about.
        subject_matched: Whether one of them is about the topic, illness or medicine asked about.
    """

    leads: tuple[str, ...]
    place_matched: bool
    trigger_matched: bool
    subject_matched: bool


@dataclass(frozen=True)
class _Candidate:
    lead: str
    score: float
    topic: str
    place: bool
    trigger: bool
    subject: bool
    fits: bool


def choose(goal: Goal, focus: Focus, k: Knowledge, skip: Collection[str] = (), found: Sequence[str] = ()) -> Selection:
    """Ranks the facts that serve a goal for a focus.

    Args:
        goal: What is asked.
        focus: What it is asked about.
        k: The knowledge base.
        skip: Facts that were said already.
        found: Facts that the retriever found for the very question; they come first.

    Returns:
        All facts that fit, best first; one topic does not crowd out the others.
    """
    ranked = [candidate for candidate in _ranked(goal.id, focus, k) if candidate.lead not in skip]
    asked = tuple(lead for lead in found if lead not in skip and _tellable(lead, focus, k))
    return Selection(
        leads=unique((*asked, *(candidate.lead for candidate in ranked))),
        place_matched=any(candidate.place for candidate in ranked[: goal.limit]),
        trigger_matched=any(candidate.trigger for candidate in ranked[: goal.limit]),
        subject_matched=bool(asked) or any(candidate.subject for candidate in ranked),
    )


def _tellable(lead: str, focus: Focus, k: Knowledge) -> bool:
    """Tells whether a fact may be told for the places asked about."""
    fact = k.facts[lead]
    unsuited = any(fact.topic in k.body_parts[part].unsuited for part in focus.body_parts)
    return not unsuited and safe(fact, focus.body_parts, k)


@lru_cache(maxsize=1024)  # a turn asks for the same ranking several times; nothing of a person is in the key
def _ranked(goal_id: str, focus: Focus, k: Knowledge) -> tuple[_Candidate, ...]:
    goal = k.goals[goal_id]
    focus = _narrowed(goal, focus, k)
    leads = (fact.id for fact in k.facts.values() if not fact.same_as)
    scored = (_candidate(lead, goal, focus, k) for lead in leads)
    found = [candidate for candidate in scored if candidate is not None]
    return tuple(_about_subject(_spread(found, several=len(focus.topics) > 1)))


def _narrowed(goal: Goal, focus: Focus, k: Knowledge) -> Focus:
    """Leaves out of a focus what only names the goal itself."""
    topics = tuple(t for t in focus.topics if t not in goal.theme and not k.topics[t].overview)
    triggers = tuple(t for t in focus.triggers if t not in goal.ignores_triggers)
    return replace(focus, topics=topics, triggers=triggers)


def _about_subject(found: list[_Candidate]) -> list[_Candidate]:
    """Keeps to the subject that was named: its facts of the goal's kinds, else all its facts."""
    about = [candidate for candidate in found if candidate.subject]
    fitting = [candidate for candidate in about if candidate.fits]
    return fitting or about or found


def _crowded(candidate: _Candidate, several: bool) -> bool:
    """Tells whether a fact loses to others of its topic: not if it is about the one thing named."""
    return not (candidate.trigger or (candidate.subject and not several))


def _crowding(candidate: _Candidate, taken: Counter[str], several: bool) -> float:
    """Gives what a fact loses to facts of its topic already taken."""
    return SAME_TOPIC_AGAIN * taken[candidate.topic] if _crowded(candidate, several) else 0.0


def _candidate(lead: str, goal: Goal, focus: Focus, k: Knowledge) -> _Candidate | None:
    group = [k.facts[fact_id] for fact_id in k.group(lead)]
    topic = any(fact.topic in focus.topics for fact in group)
    thing = any(_shares(fact.conditions, focus.conditions) for fact in group) or any(
        _shares(fact.medicines, _medicines(focus, k)) for fact in group
    )
    trigger = any(_shares(fact.triggers, focus.triggers) for fact in group)
    # What eases a strain is second to what eases any spasm, unless a strain was named.
    other_trigger = goal.treats and not trigger and all(fact.triggers for fact in group)
    fits = any(_serves(fact, goal) for fact in group)
    by_trigger = trigger and any(fact.kind in goal.with_trigger for fact in group)
    if not (fits or topic or thing or by_trigger):
        return None
    if not _tellable(lead, focus, k):
        return None
    place = max(_place_score(fact, focus, k) for fact in group)
    if place == OTHER_PLACE and not (topic or thing or goal.elsewhere):
        return None
    order = goal.first.index(group[0].topic) if group[0].topic in goal.first else len(goal.first)
    documents = len({fact.doc for fact in group})
    score = (
        place
        + NAMED_TOPIC * topic
        + NAMED_THING * thing
        + NAMED_TRIGGER * trigger
        + GOAL_KIND * (fits or by_trigger)
        - STEP_DOWN * order
        + PER_SUPPORT * (documents - 1)
        - OTHER_TRIGGER * other_trigger
        - STEP_DOWN * (goal.kinds.index(group[0].kind) if group[0].kind in goal.kinds else len(goal.kinds))
    )
    matched_place = place >= WIDER_PLACE
    return _Candidate(lead, score, group[0].topic, matched_place, trigger, topic or thing, fits)


def safe(fact: Fact, places: Collection[str], k: Knowledge) -> bool:
    """Tells whether a fact may be told for these places: no self-care where a person must not try it."""
    return fact.kind not in SELF_CARE or all(k.body_parts[place].self_care for place in places)


def _serves(fact: Fact, goal: Goal) -> bool:
    return fact.kind in goal.kinds and (not goal.topics or fact.topic in goal.topics)


def _medicines(focus: Focus, k: Knowledge) -> tuple[str, ...]:
    wider = (part for name in focus.medicines if name in k.medicines for part in k.medicines[name].within)
    return (*focus.medicines, *wider)


def _place_score(fact: Fact, focus: Focus, k: Knowledge) -> float:
    if _shares(fact.body_part, focus.body_parts):
        return SAME_PLACE
    wider = {part for name in focus.body_parts if name in k.body_parts for part in k.body_parts[name].within}
    if _shares(fact.body_part, wider):
        return WIDER_PLACE
    return ANY_PLACE if ANY in fact.body_part else OTHER_PLACE


def _shares(left: Collection[str], right: Collection[str]) -> bool:
    return any(item in right for item in left)


def _spread(candidates: list[_Candidate], several: bool) -> list[_Candidate]:
    """Orders candidates by score, each topic losing ground with each fact already taken from it.

    Args:
        candidates: The facts that fit.
        several: Whether several topics were named ("stretching or massage?"), so that all get their turn.
    """
    # Of equal ones the first in its document comes first: sorting keeps the knowledge base's order.
    ranked = sorted(candidates, key=lambda candidate: -candidate.score)
    # Facts of one topic lose ground alike, so only the best of each can come next.
    waiting: dict[str | None, deque[int]] = defaultdict(deque)
    for place, candidate in enumerate(ranked):
        waiting[candidate.topic if _crowded(candidate, several) else None].append(place)
    taken: Counter[str] = Counter()

    def entry(place: int) -> tuple[float, int]:
        return _crowding(ranked[place], taken, several) - ranked[place].score, place

    heads = [entry(places.popleft()) for places in waiting.values()]
    heapify(heads)
    ordered: list[_Candidate] = []
    while heads:
        value, place = heads[0]
        now = entry(place)
        if now[0] > value:  # it has lost ground since it was put here
            heapreplace(heads, now)
            continue
        heappop(heads)
        best = ranked[place]
        taken[best.topic] += 1
        ordered.append(best)
        following = waiting[best.topic if _crowded(best, several) else None]
        if following:
            heappush(heads, entry(following.popleft()))
    return ordered
