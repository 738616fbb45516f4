"""The order of facts: each topic loses ground with each fact taken from it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.core.select import _Candidate, _crowding, _spread

SCORES = st.sampled_from([-6.0, 0.0, 0.5, 4.0, 4.4, 8.0, 12.0])


@st.composite
def candidates(draw: st.DrawFn) -> list[_Candidate]:
    rows = draw(st.lists(st.tuples(SCORES, st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=40))
    return [
        _Candidate(f"f{number}", score, topic, place=False, trigger=trigger, subject=subject, fits=True)
        for number, (score, topic, trigger, subject) in enumerate(rows)
    ]


def one_at_a_time(found: list[_Candidate], several: bool) -> list[_Candidate]:
    """The same order as its definition says it: the best of all that are left, again and again."""
    rest, taken, ordered = sorted(found, key=lambda candidate: -candidate.score), Counter[str](), []
    while rest:
        best = max(rest, key=lambda candidate: candidate.score - _crowding(candidate, taken, several))
        rest.remove(best)
        taken[best.topic] += 1
        ordered.append(best)
    return ordered


@given(candidates(), st.booleans())
def test_order_is_that_of_taking_the_best_again_and_again(found: list[_Candidate], several: bool):
    assert _spread(found, several) == one_at_a_time(found, several)
