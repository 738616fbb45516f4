"""The logic of ConText, on tokens that only the test knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.context import Category, Cue, Direction, Target, judge

NO = Category.NEGATED


def status(target: Target, *cues: Cue, breaks: tuple[int, ...] = ()) -> Category | None:
    return judge([target], cues, breaks)[0].status


@pytest.mark.parametrize(
    ("start", "expected"),
    [(1, NO), (4, NO), (7, None)],
    ids=["next word", "within scope", "beyond scope"],
)
def test_forward_cue_reaches_as_far_as_its_scope(start, expected):
    assert status(Target("pain", start, start + 1), Cue(NO, 0, 1, scope=6)) is expected


def test_forward_cue_leaves_what_stands_before_it():
    assert status(Target("pain", 0, 1), Cue(NO, 2, 3)) is None


def test_backward_cue_reaches_what_stands_before_it():
    assert status(Target("pain", 0, 1), Cue(NO, 2, 3, Direction.BACKWARD)) is NO


def test_no_scope_crosses_a_sentence():
    assert status(Target("pain", 3, 4), Cue(NO, 0, 1), breaks=(0, 2)) is None


def test_terminate_ends_a_scope():
    assert status(Target("pain", 3, 4), Cue(NO, 0, 1), Cue(Category.TERMINATE, 2, 3)) is None


def test_pseudo_cue_takes_the_cue_inside_it_away():
    assert status(Target("pain", 3, 4), Cue(NO, 0, 1), Cue(Category.PSEUDO, 0, 2)) is None


def test_cue_inside_a_target_is_part_of_it():
    assert status(Target("cannot feel", 0, 3), Cue(NO, 1, 2)) is None


def test_cue_that_sticks_out_of_a_target_counts():
    assert status(Target("had a clot", 1, 4), Cue(Category.OTHER_HISTORY, 0, 2)) is Category.OTHER_HISTORY


def test_figure_of_speech_voids_the_target_that_it_overlaps():
    assert status(Target("wet myself", 0, 2), Cue(Category.FIGURATIVE, 0, 3, scope=0)) is Category.FIGURATIVE


def test_personal_outweighs_a_general_question():
    general = Cue(Category.QUESTION_GENERAL, 0, 1, Direction.BIDIRECTIONAL, 20)
    personal = Cue(Category.PERSONAL, 1, 2, Direction.BIDIRECTIONAL, 20)
    assert status(Target("pain", 3, 4), general) is Category.QUESTION_GENERAL
    assert status(Target("pain", 3, 4), general, personal) is None


def test_current_outweighs_history_and_not_negation():
    now = Cue(Category.CURRENT, 5, 6, Direction.BIDIRECTIONAL, 10)
    past = Cue(Category.HISTORICAL, 0, 1, Direction.BIDIRECTIONAL, 10)
    assert status(Target("pain", 3, 4), past, now) is None
    assert status(Target("pain", 3, 4), Cue(NO, 0, 1), now) is NO


def test_target_keeps_what_cannot_cancel_it():
    target = Target("droop", 3, 4, frozenset({Category.RESOLVED}))
    assert status(target, Cue(Category.RESOLVED, 0, 1)) is None


def test_verdict_names_the_cue():
    cue = Cue(NO, 0, 1)
    assert judge([Target("pain", 1, 2)], [cue])[0].cue == cue


spans = st.tuples(st.integers(0, 30), st.integers(1, 5)).map(lambda s: (s[0], s[0] + s[1]))
cues = st.builds(
    lambda span, category, direction, scope: Cue(category, *span, direction, scope),
    spans, st.sampled_from(Category), st.sampled_from(Direction), st.integers(0, 20),
)  # fmt: skip


@given(
    st.lists(spans.map(lambda s: Target("t", *s)), max_size=6),
    st.lists(cues, max_size=10),
    st.lists(st.integers(0, 30)),
)
def test_every_target_gets_one_verdict_in_order(targets, cues, breaks):
    assert [verdict.target for verdict in judge(targets, cues, breaks)] == targets
