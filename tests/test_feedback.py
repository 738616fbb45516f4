"""Counts of turns and thumbs: right under several threads, and nobody's words unless that is switched on."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import texts
from bot.errors import ConfigError
from bot.feedback import Count, Feedback, Vote
from bot.settings import read_settings
from bot.texts import Texts, scrub


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


def custom(kind: str = "answer", intents=(), facts=(), unserved=None) -> dict:
    return {
        "kind": kind,
        "intents": list(intents),
        "facts": list(facts),
        **({"unserved": unserved} if unserved else {}),
    }


def test_turns_are_counted_by_reply_intent_and_fact(tmp_path: Path):
    feedback = Feedback(f"sqlite:///{tmp_path}/feedback.db")
    for _ in range(2):
        feedback.heard(custom(intents=["ask_causes"], facts=["fact-1"]))
    feedback.heard(custom("fallback", ["out_of_scope"], [], {"why": "not_understood", "label": "our own phrase"}))
    assert [(row.kind, row.id, row.count) for row in feedback.asked()] == [
        ("fact", "fact-1", 2),
        ("intent", "ask_causes", 2),
        ("reply", "answer", 2),
        ("intent", "out_of_scope", 1),
        ("not_understood", "our own phrase", 1),
        ("reply", "fallback", 1),
    ]
    assert feedback.counts() == []


def counted(text: str, reply: dict, folder: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Feedback:
    """Counts one turn as the channels do, and waits until it is written."""
    from bot.channels import counting

    for name, value in {"STATE_FOLDER": str(folder), **environment}.items():
        monkeypatch.setenv(name, value)
    counting.count_turn(text, [{"text": "reply"}, {"custom": reply}])
    counting._thread.submit(lambda: None).result()
    return Feedback(f"sqlite:///{folder}/feedback.db")


LOST = {"why": "not_understood", "label": "toothache", "introduced": True}


def test_turns_that_come_while_others_are_written_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from bot.channels import counting

    class ComingMeanwhile(deque):
        """A queue to which a turn is added each time that one is taken, five times."""

        later = 5

        def popleft(self):
            if self.later:
                self.later -= 1
                counting.count_turn("text", [{"custom": custom()}])
            return super().popleft()

    monkeypatch.setattr(counting, "_waiting", ComingMeanwhile())
    monkeypatch.setattr(counting, "GATHER_SECONDS", 0)
    feedback = counted("text", custom(), tmp_path, monkeypatch)
    assert not counting._waiting
    assert {(row.kind, row.count) for row in feedback.asked()} >= {("reply", 6)}
    counted("text", custom(), tmp_path, monkeypatch)
    assert {(row.kind, row.count) for row in feedback.asked()} >= {("reply", 7)}


def test_a_counted_turn_leaves_no_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    feedback = counted("my calf hurts", custom("fallback", ["out_of_scope"], [], LOST), tmp_path, monkeypatch)
    assert len(feedback.asked()) == 3
    assert [path.name for path in tmp_path.iterdir() if "texts" in path.name] == []
    assert b"calf" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_fault_in_counting_stays_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog):
    counted("SECRET", {"kind": "fallback", "unserved": {"nothing": "as it is meant to be"}}, tmp_path, monkeypatch)
    assert "turns were not counted: KeyError" in caplog.text and "SECRET" not in caplog.text


def test_texts_are_kept_scrubbed_where_that_is_switched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    reply = custom("fallback", ["out_of_scope"], [], LOST)
    counted("I am Jo Smyth, does my calf hurt", reply, tmp_path, monkeypatch, KEEP_TEXTS="1")
    assert Texts(tmp_path / texts.FILE).kept() == ["i am […] does my calf hurt"]


@pytest.mark.parametrize(
    "reply",
    [
        custom("answer", ["ask_causes"], ["fact-1"]),
        custom("emergency", ["red_flag"]),
        custom("fallback", ["out_of_scope"], [], {**LOST, "introduced": False}),
    ],
    ids=["what was answered", "an emergency", "a person who was not told"],
)
def test_nothing_else_is_kept(reply: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counted("my calf hurts", reply, tmp_path, monkeypatch, KEEP_TEXTS="1")
    assert not (tmp_path / texts.FILE).exists()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("my name is Rose and my calf hurts", "my name is […] and my calf hurts"),
        ("call me bill, my back hurts", "call me […] my back hurts"),
        ("John Smyth has a calf cramp", "[…] has a calf cramp"),
        ("dr. may said it is a cramp", "dr […] said it is a cramp"),
        ("write to jo.smyth@example.org or +44 20 7946 0000", "write to […] or […]"),
        ("pain since 12.3.1998 at 07700900123", "pain since […] at […]"),
        ("see https://example.org/jo for my pain", "see […] for my pain"),
        ("I’M DAVE AND MY LEG HURTS", "i'm […] and my leg hurts"),
        ("Jürgen Müller", "[…]"),
        ("", "[…]"),
    ],
)
def test_names_numbers_and_addresses_are_scrubbed(text: str, kept: str):
    assert scrub(text) == kept


@given(st.text())
def test_nothing_but_known_words_is_kept(text: str):
    assert set(scrub(text).split()) <= {texts.GAP} | texts._known_words()


def test_kept_texts_are_deleted_after_thirty_days(tmp_path: Path):
    kept = Texts(tmp_path / texts.FILE)
    kept.keep("my calf hurts", date(2026, 1, 1))
    kept.keep("my back hurts", date(2026, 1, 31))
    assert kept.kept() == ["my back hurts", "my calf hurts"]
    kept.keep("my neck hurts", date(2026, 2, 1))
    assert kept.kept() == ["my back hurts", "my neck hurts"]


def test_people_are_told_where_texts_are_kept(monkeypatch: pytest.MonkeyPatch):
    from actions import tracker_io

    tracker_io._knowledge.cache_clear()
    plain = tracker_io._knowledge().phrases["assistant"]
    tracker_io._knowledge.cache_clear()
    monkeypatch.setenv("KEEP_TEXTS", "1")
    told = tracker_io._knowledge().phrases["assistant"]
    tracker_io._knowledge.cache_clear()
    assert "I keep messages" in told and "I keep messages" not in plain and told.startswith(plain)


def test_keep_texts_is_on_or_off():
    assert not read_settings({}).keep_texts and read_settings({"KEEP_TEXTS": "1"}).keep_texts
    with pytest.raises(ConfigError, match="KEEP_TEXTS is 'yes'"):
        read_settings({"KEEP_TEXTS": "yes"})
