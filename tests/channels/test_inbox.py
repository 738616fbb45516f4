"""What is kept of a chat, and what is left of it once the person has asked to delete it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bot.channels.inbox import CHOICE_SECONDS, FILE, Event, Inbox, Part

WORDS = "my zygomaticus twitches"


def conversation(inbox: Inbox) -> None:
    """An answered event, and one that asks to delete everything."""
    first, last = Event("1", "c", "text", WORDS), Event("2", "c", "text", f"{WORDS}, delete my data")
    for event in (first, last):
        inbox.accept(event)
        if event is last:
            inbox.forget("c")
        inbox.plan(event, [Part(WORDS)], {"1": WORDS} if event is first else {}, True)
        inbox.sent(event, 0)
        inbox.done(event)


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob(f"{FILE}*"))


def test_after_deletion_no_file_holds_the_words(tmp_path: Path):
    inbox = Inbox(tmp_path, "x")
    inbox.accept(Event("0", "c", "text", WORDS))
    assert WORDS.encode() in written(tmp_path)
    inbox.done(Event("0", "c", "text", WORDS))
    conversation(inbox)
    assert WORDS.encode() not in written(tmp_path)
    inbox.close()


def test_what_others_wrote_stays(tmp_path: Path):
    inbox = Inbox(tmp_path, "x")
    waiting = Event("9", "other", "text", "still to be answered")
    inbox.accept(waiting)
    conversation(inbox)
    assert inbox.waiting() == [waiting]
    inbox.close()


def answer(inbox: Inbox, event: Event, choices: dict[str, str] | None) -> None:
    inbox.accept(event)
    inbox.plan(event, [Part("x")], choices, False)


def test_choice_is_open_until_the_next_reply_and_an_hour_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    inbox = Inbox(tmp_path, "x")
    answer(inbox, Event("1", "c", "text"), {"old": "yes"})
    answer(inbox, Event("2", "c", "unreadable"), None)
    assert inbox.choose("c", "old") == "yes" and inbox.choose("other", "old") is None
    answer(inbox, Event("3", "c", "text"), {"new": "no"})
    assert inbox.choose("c", "old") is None and inbox.choose("c", "new") == "no"
    later = time.time() + CHOICE_SECONDS + 1
    monkeypatch.setattr("bot.channels.inbox.time.time", lambda: later)
    assert inbox.choose("c", "new") is None
    inbox.close()
