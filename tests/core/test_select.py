"""The order of facts: each topic loses ground with each fact taken from it, and facts of the same tags rank alike."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.select import _Candidate, _crowding, _spread, choose
from bot.core.turn import Focus
from bot.knowledge.loader import Tags, load_knowledge

SCORES = st.sampled_from([-6.0, 0.0, 0.5, 4.0, 4.4, 8.0, 12.0])


@st.composite
def candidates(draw: st.DrawFn) -> list[_Candidate]:
    rows = draw(st.lists(st.tuples(SCORES, st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=20))
    places = draw(st.permutations(range(2 * len(rows))))
    return [
        _Candidate(
            tuple((place, f"f{place}") for place in sorted(places[2 * number : 2 * number + 2])),
            score,
            topic,
            place=False,
            trigger=trigger,
            subject=subject,
            fits=True,
        )
        for number, (score, topic, trigger, subject) in enumerate(rows)
    ]


def one_at_a_time(found: list[_Candidate], several: bool) -> list[tuple[str, _Candidate]]:
    """The same order as its definition says it: the best of all that are left, again and again."""
    facts = [(place, lead, candidate) for candidate in found for place, lead in candidate.leads]
    rest, taken, ordered = sorted(facts, key=lambda fact: (-fact[2].score, fact[0])), Counter[str](), []
    while rest:
        best = max(rest, key=lambda fact: fact[2].score - _crowding(fact[2], taken, several))
        rest.remove(best)
        taken[best[2].topic] += 1
        ordered.append(best[1:])
    return ordered


@given(candidates(), st.booleans())
def test_order_is_that_of_taking_the_best_again_and_again(found: list[_Candidate], several: bool):
    assert list(_spread(found, several)) == one_at_a_time(found, several)


class _Alone(Tags):
    """Tags that are like no others."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def test_facts_of_the_same_tags_rank_as_if_each_were_ranked_by_itself():
    k = load_knowledge()
    leads = [fact.id for fact in k.facts.values() if not fact.same_as]
    by_itself = {
        _Alone.of([k.facts[fact] for fact in k.group(lead)]): ((place, lead),) for place, lead in enumerate(leads)
    }
    assert len(k.alike) < len(by_itself) == len(leads)
    scanned = replace(k, alike=by_itself)
    topics, places = [t for t in k.topics][:6], [*k.body_parts][:6]
    focuses = [Focus(), *(Focus(topics=pair) for pair in itertools.combinations(topics, 2))]
    focuses += [Focus(body_parts=(place,), topics=(topic,)) for place, topic in zip(places, topics, strict=True)]
    focuses += [Focus(triggers=(trigger,), conditions=tuple(k.conditions)[:2]) for trigger in k.triggers]
    for focus, goal in itertools.product(focuses, k.goals.values()):
        assert choose(goal, focus, k) == choose(goal, focus, scanned)


@pytest.mark.parametrize("goal", ["treatment", "causes"])
def test_a_ranking_ends_where_no_conversation_comes_to(goal, monkeypatch):
    k = load_knowledge()
    every = choose(k.goals[goal], Focus(body_parts=("hand",)), k).leads
    monkeypatch.setattr("bot.core.select.MOST_RANKED", 7)
    fresh = replace(k)
    assert choose(fresh.goals[goal], Focus(body_parts=("hand",)), fresh).leads == every[:7]
