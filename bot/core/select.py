"""Which facts answer a question, and in which order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heapify, heappop, heapreplace, merge
from itertools import islice

from bot.core.turn import Focus, unique
from bot.knowledge.loader import Knowledge, Leads, Tags
from bot.knowledge.schema import ANY, Fact, Goal

# Weights of the ranking. What the person named outweighs where it hurts, and that outweighs the
# goal's own order. They were set by reading answers, not fitted; tests fix the order that matters.
NAMED_TOPIC, NAMED_THING, NAMED_TRIGGER = 12.0, 10.0, 8.0
SAME_PLACE, WIDER_PLACE, ANY_PLACE, OTHER_PLACE = 6.0, 3.0, 1.0, -6.0
STEP_DOWN, PER_SUPPORT, SAME_TOPIC_AGAIN, GOAL_KIND, OTHER_TRIGGER = 0.5, 0.4, 4.0, 5.0, 2.0
# So many facts are put in order; no conversation comes to the end of them.
MOST_RANKED = 250

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


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Facts that fit, all alike: each with its place in the knowledge base."""

    leads: Leads
    score: float
    topic: str
    place: bool
    trigger: bool
    subject: bool
    fits: bool

    def in_order(self) -> Iterator[_Place]:
        """Gives its facts as they are compared with others: by score, of equal ones the first in its document."""
        return ((-self.score, place, lead, self) for place, lead in self.leads)


_Place = tuple[float, int, str, _Candidate]


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
    left_out = frozenset(skip)
    ranked = [(lead, candidate) for lead, candidate in _ranked(goal.id, focus, k) if lead not in left_out]
    asked = tuple(lead for lead in found if lead not in left_out and _tellable(k.facts[lead], focus, k))
    return Selection(
        leads=unique((*asked, *(lead for lead, _ in ranked))),
        place_matched=any(candidate.place for _, candidate in ranked[: goal.limit]),
        trigger_matched=any(candidate.trigger for _, candidate in ranked[: goal.limit]),
        subject_matched=bool(asked) or any(candidate.subject for _, candidate in ranked),
    )


def _tellable(fact: Fact | Tags, focus: Focus, k: Knowledge) -> bool:
    """Tells whether a fact may be told for the places asked about."""
    unsuited = any(fact.topic in k.body_parts[part].unsuited for part in focus.body_parts)
    return not unsuited and safe(fact, focus.body_parts, k)


@lru_cache(maxsize=1024)  # a turn asks for the same ranking several times; nothing of a person is in the key
def _ranked(goal_id: str, focus: Focus, k: Knowledge) -> tuple[tuple[str, _Candidate], ...]:
    goal = k.goals[goal_id]
    focus = _narrowed(goal, focus, k)
    wider = frozenset(part for name in focus.body_parts if name in k.body_parts for part in k.body_parts[name].within)
    scored = (_candidate(tags, leads, goal, focus, wider, k) for tags, leads in k.alike.items())
    found = [candidate for candidate in scored if candidate is not None]
    wanted = frozenset(_about_subject(found))
    spread = _spread(found, several=len(focus.topics) > 1)
    return tuple(islice(((lead, candidate) for lead, candidate in spread if candidate in wanted), MOST_RANKED))


def _narrowed(goal: Goal, focus: Focus, k: Knowledge) -> Focus:
    """Leaves out of a focus what only names the goal itself, and adds the kinds that its medicines belong to."""
    topics = tuple(t for t in focus.topics if t not in goal.theme and not k.topics[t].overview)
    triggers = tuple(t for t in focus.triggers if t not in goal.ignores_triggers)
    kinds = (kind for name in focus.medicines if name in k.medicines for kind in k.medicines[name].within)
    return replace(focus, topics=topics, triggers=triggers, medicines=(*focus.medicines, *kinds))


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


def _candidate(
    tags: Tags, leads: Leads, goal: Goal, focus: Focus, wider: Collection[str], k: Knowledge
) -> _Candidate | None:
    topic = any(named in focus.topics for _, named in tags.subjects)
    thing = not (tags.conditions.isdisjoint(focus.conditions) and tags.medicines.isdisjoint(focus.medicines))
    trigger = not tags.triggers.isdisjoint(focus.triggers)
    # What eases a strain is second to what eases any spasm, unless a strain was named.
    other_trigger = goal.treats and not trigger and tags.triggered
    fits = any(kind in goal.kinds and (not goal.topics or about in goal.topics) for kind, about in tags.subjects)
    by_trigger = trigger and any(kind in goal.with_trigger for kind, _ in tags.subjects)
    if not (fits or topic or thing or by_trigger):
        return None
    if not _tellable(tags, focus, k):
        return None
    place = _place_score(tags, focus, wider)
    if place == OTHER_PLACE and not (topic or thing or goal.elsewhere):
        return None
    order = goal.first.index(tags.topic) if tags.topic in goal.first else len(goal.first)
    score = (
        place
        + NAMED_TOPIC * topic
        + NAMED_THING * thing
        + NAMED_TRIGGER * trigger
        + GOAL_KIND * (fits or by_trigger)
        - STEP_DOWN * order
        + PER_SUPPORT * (tags.documents - 1)
        - OTHER_TRIGGER * other_trigger
        - STEP_DOWN * (goal.kinds.index(tags.kind) if tags.kind in goal.kinds else len(goal.kinds))
    )
    matched_place = place >= WIDER_PLACE
    return _Candidate(leads, score, tags.topic, matched_place, trigger, topic or thing, fits)


def safe(fact: Fact | Tags, places: Collection[str], k: Knowledge) -> bool:
    """Tells whether a fact may be told for these places: no self-care where a person must not try it."""
    return fact.kind not in SELF_CARE or all(k.body_parts[place].self_care for place in places)


def _place_score(tags: Tags, focus: Focus, wider: Collection[str]) -> float:
    if not tags.body_parts.isdisjoint(focus.body_parts):
        return SAME_PLACE
    if not tags.body_parts.isdisjoint(wider):
        return WIDER_PLACE
    return ANY_PLACE if ANY in tags.body_parts else OTHER_PLACE


def _spread(candidates: Iterable[_Candidate], several: bool) -> Iterator[tuple[str, _Candidate]]:
    """Orders facts by score, each topic losing ground with each fact already taken from it.

    Args:
        candidates: The facts that fit.
        several: Whether several topics were named ("stretching or massage?"), so that all get their turn.

    Yields:
        Each fact, best first; only as many are worked out as are taken.
    """
    # Facts of one topic lose ground alike, so only the best of each can come next.
    rivals: dict[str | None, list[Iterator[_Place]]] = defaultdict(list)
    for candidate in candidates:
        rivals[candidate.topic if _crowded(candidate, several) else None].append(candidate.in_order())
    taken: Counter[str] = Counter()

    def entry(best: _Place, rest: Iterator[_Place]) -> tuple[float, _Place, Iterator[_Place]]:
        return best[0] + _crowding(best[-1], taken, several), best, rest

    heads = [entry(next(queue), queue) for queue in (merge(*queues) for queues in rivals.values())]
    heapify(heads)
    while heads:
        value, best, rest = heads[0]
        now = entry(best, rest)
        if now[0] > value:  # it has lost ground since it was put here
            heapreplace(heads, now)
            continue
        _, _, lead, candidate = best
        taken[candidate.topic] += 1
        yield lead, candidate
        following = next(rest, None)
        if following:
            heapreplace(heads, entry(following, rest))
        else:
            heappop(heads)
