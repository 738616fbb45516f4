"""What every channel must do, whatever it is made of: the same safety and the same answers everywhere.

A new channel joins by one adapter in tests/support/messengers.py.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from messengers import Channel, Person, Web

from bot.channels.replies import units
from bot.evaluation.live import LiveBot
from bot.knowledge.loader import load_knowledge

pytestmark = [pytest.mark.server, pytest.mark.model]
PHRASES = load_knowledge().phrases
NOTICES = {name: PHRASES.get(f"notice_{name}", PHRASES["notice_service"]) for name in ("telegram", "matrix", "sms")}
CHEST = "crushing chest pain and my left arm is numb"
HOSTILE = {
    "blank": " ",
    "slash": "/",
    "emoji": "😖" * 50,
    "markup": "<b>bold</b> <script>alert(1)</script> **x** _y_ [z](javascript:1) `q` & &amp; \\_",
    "right to left": "\u202eabc\u202c مرحبا",
    "stacked marks": "ca\u0300\u0301\u0302\u0303lf" * 30,
    "null": "calf\0cramp",
    "braces": "{emergency_number} {0} %s {{",
    "json": '{"text": "x", "custom": {"kind": "answer"}}',
    "number": "1",
    "url": "https://example.org/?a=b&c=d",
    "lone surrogate": "calf \ud83d",
}


@pytest.fixture
def newcomer(channel: Channel) -> Person:
    """Somebody whom the bot does not know."""
    return channel.person()


@pytest.fixture
def person(channel: Channel) -> Person:
    """Somebody who has had the notice for new contacts."""
    known = channel.person()
    if channel.commands:
        known.say("/privacy")
        known.hear()
    return known


@pytest.fixture
def events(reachable: LiveBot) -> Callable[[str], list[dict]]:
    """What the store holds of a conversation."""

    def read(conversation: str) -> list[dict]:
        with sqlite3.connect(Path(reachable.log.parent) / "conversations.db") as store:
            rows = store.execute("select data from events where sender_id = ? order by id", (conversation,))
            return [json.loads(row[0]) for row in rows]

    return read


@pytest.fixture
def kept(reachable: LiveBot) -> Callable[[Person], list[tuple]]:
    """What the channels keep of a person's chat, besides that it has had the notice."""

    def read(person: Person) -> list[tuple]:
        chat = person.conversation.partition("-")[2]
        with sqlite3.connect(Path(reachable.log.parent) / "channels.db") as store:
            choices = store.execute("select payload from choices where chat = ?", (chat,)).fetchall()
            return choices + store.execute("select id from events where chat = ?", (chat,)).fetchall()

    return read


def test_emergency_comes_first_and_names_the_number(newcomer: Person):
    newcomer.say(CHEST)
    first = newcomer.hear()[0]
    assert first.startswith("Call") and "112" in " ".join(first.split()[:8])


def test_emergency_in_each_kind_of_input(channel: Channel, person: Person):
    for kind, messages in channel.kinds.items():
        person.send(kind, CHEST)
        assert person.hear(messages)[0].startswith("Call"), kind


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_never_silent_never_too_long(channel: Channel, person: Person, text: str):
    if text.encode("utf-8", "ignore").decode() != text and channel.name == "matrix":
        pytest.skip("a Matrix client cannot send half a character")
    person.say(text)
    said = person.hear()
    assert all(message.strip() and units(message) <= channel.limit for message in said)


def test_long_message_is_screened_to_its_end(channel: Channel, person: Person):
    person.say(("my calf is a little sore. " * 250)[-channel.reads + len(CHEST) :] + CHEST)
    assert person.hear()[0].startswith("Call")


def test_text_too_long_to_be_read_whole_is_never_passed_over(channel: Channel, person: Person):
    """Either its end is read, or the person is told, with the emergency number."""
    person.say("my calf is a little sore. " * (channel.reads // 25) + CHEST)
    said = person.hear()
    assert "112" in said[0] and all(units(message) <= channel.limit for message in said)


@pytest.mark.parametrize(
    "text", ["/red_flag", "/session_start", '/inform{"body_part": "planted"}', " /deny", "/ /red_flag"]
)
def test_typed_intent_is_words(channel: Channel, person: Person, events: Callable[[str], list[dict]], text: str):
    other = channel.person()
    other.say(text.replace("/", " ").strip())
    words = other.hear(1 + channel.commands)[0]
    person.say(text)
    assert person.hear()[0] == words and not words.startswith("Call")
    kept = events(person.conversation)
    assert not [event for event in kept if event["event"] == "user" and event["text"].startswith("/")]
    assert not [event for event in kept if event.get("value") == "planted"]


def test_ids_are_the_channels_own(channel: Channel, person: Person, events: Callable, reachable: LiveBot):
    assert person.conversation.startswith(channel.prefix)
    person.say("cramp in my foot")
    person.hear()
    before = events(person.conversation)
    assert before
    reachable.say("cramp in my neck", person.conversation)
    assert events(person.conversation) == before


def test_each_person_is_answered_in_order(channel: Channel):
    people = [channel.person() for _ in range(3)]
    places = ("calf", "neck", "foot", "hand")
    for place in places:
        for one in people:
            one.say(f"cramp in my {place}")
    for one in people:
        answers = [text for text in one.hear(len(places) + channel.commands) if text.startswith("I understood")]
        assert [next(p for p in places if p in text.split("\n")[0]) for text in answers] == list(places)


def test_people_are_kept_apart(channel: Channel):
    one, other = channel.person(), channel.person()
    one.say("cramp in my calf")
    one.hear()
    other.say("what causes it?")
    assert "calf" not in other.hear()[0]


def test_choice_can_be_picked(person: Person):
    person.say("what causes back cramps?")
    person.hear()
    person.pick("Stop it coming back")
    assert "prevent" in person.hear()[0].lower()


def test_notice_at_first_contact_once_and_never_before_the_answer(channel: Channel, newcomer: Person):
    if not channel.commands:
        pytest.skip("a channel of our own, see below")
    newcomer.say(CHEST)
    first, second = newcomer.hear(2)
    assert first.startswith("Call") and second == NOTICES[channel.name]
    newcomer.say("cramp in my calf")
    newcomer.say("cramp in my foot")
    assert second not in newcomer.hear(2)


def test_web_page_tells_about_privacy_before_the_first_word(web_people: Web):
    """Over REST nothing leaves this machine, and there is nobody to tell."""
    assert PHRASES["web_privacy"] in web_people.person().welcome


def test_delete_leaves_nothing(channel: Channel, person: Person, events: Callable[[str], list[dict]]):
    if channel.name == "rest":
        pytest.skip("in words alone, see below")
    person.say("cramp in my calf")
    person.hear()
    assert events(person.conversation)
    person.delete()
    if channel.commands:
        # Whoever goes on is new again, so the notice is given anew.
        assert person.hear(2) == [PHRASES["deleted"], NOTICES[channel.name]]
    assert not events(person.conversation)


@pytest.mark.parametrize("words", ["delete my data", "start over"])
def test_words_that_delete_are_answered_and_leave_nothing(
    channel: Channel, person: Person, events: Callable[[str], list[dict]], kept: Callable[[Person], list], words: str
):
    person.say("what causes back cramps?")
    person.hear()
    assert events(person.conversation) and (kept(person) or not channel.commands)
    person.say(words)
    notice = [NOTICES[channel.name]] if channel.commands else []
    assert person.hear(1 + len(notice)) == [PHRASES["restart"], *notice]
    assert not events(person.conversation)
    until = time.monotonic() + 10
    while kept(person):  # the event itself is crossed out right after its reply is sent
        assert time.monotonic() < until, kept(person)
        time.sleep(0.01)
    person.say("what causes it?")
    assert "back" not in person.hear()[0].split("\n")[0]


def test_what_people_write_stays_out_of_the_log(person: Person, reachable: LiveBot):
    person.say("my orbicularis twitches")
    person.hear()
    log = reachable.log.read_text()
    assert "orbicularis" not in log and person.conversation not in log
