"""Counts of thumbs: right under several threads, and never anything but counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.feedback import Count, Feedback, Vote


def test_several_threads_lose_no_vote(tmp_path: Path):
    feedback = Feedback(f"sqlite:///{tmp_path}/feedback.db")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: feedback.count(["ask_causes"], ["fact-1"], Vote("up")), range(200)))
    assert feedback.counts() == [Count("fact", "fact-1", "up", "", 200), Count("intent", "ask_causes", "up", "", 200)]


def test_a_changed_vote_replaces_the_old_one(tmp_path: Path):
    feedback = Feedback(f"sqlite:///{tmp_path}/feedback.db")
    feedback.count(["greet"], [], Vote("down"))
    feedback.count(["greet"], [], Vote("down", "unclear"), instead_of=Vote("down"))
    feedback.count(["greet"], [], Vote("up"), instead_of=Vote("down", "unclear"))
    assert feedback.counts() == [Count("intent", "greet", "up", "", 1)]


def test_taking_back_what_was_never_counted_leaves_zero(tmp_path: Path):
    feedback = Feedback(f"sqlite:///{tmp_path}/feedback.db")
    feedback.count(["greet"], [], Vote("up"), instead_of=Vote("down"))
    assert feedback.counts() == [Count("intent", "greet", "up", "", 1)]


@pytest.mark.parametrize("vote", [Vote("sideways"), Vote("up", "wrong"), Vote("down", "it told me to call my wife")])
def test_only_fixed_values_and_reasons_are_votes(vote: Vote):
    assert not vote.valid
