"""Matrix against a real home server, with a real client as the person."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from messengers import Matrix, MatrixPerson
from serving import Echo, serving
from synapse import PASSWORD

from bot.channels.inbox import Part
from bot.channels.matrix import INVITES_OF_ONE, formatted, read_event
from bot.channels.matrix import Matrix as MatrixChannel
from bot.evaluation.live import LiveBot
from bot.knowledge.loader import load_knowledge
from bot.settings import MatrixSettings, Settings

pytestmark = [pytest.mark.server, pytest.mark.model]
CHEST = "crushing chest pain and my left arm is numb"
PHRASES = load_knowledge().phrases
ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


@pytest.fixture
def person(matrix_people: Matrix, reachable: LiveBot) -> MatrixPerson:
    """Somebody who has had the notice for new contacts."""
    known = matrix_people.person()
    known.say("!privacy")
    assert known.hear() == [PHRASES["notice_matrix"]]
    return known


def test_choices_are_numbers(person: MatrixPerson):
    person.say("what causes back cramps?")
    (said,) = person.hear()
    assert "\n1. " in said and said.endswith(PHRASES["pick_number"])
    person.say(" 1 ")
    assert "What was not said yet" in person.hear()[0]


def test_number_without_open_choices_is_words(person: MatrixPerson):
    person.say("7")
    assert "What was not said yet" not in person.hear()[0]


def test_encrypted_room_is_told_plainly(matrix_people: Matrix, reachable: LiveBot):
    stranger = matrix_people.stranger()
    stranger.invite(initial_state=[ENCRYPTION])
    secret = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "sender_key": "k", "session_id": "s"}
    stranger.event("m.room.encrypted", {**secret, "device_id": "D"})
    said = stranger.hear()[0]
    assert said.startswith("I cannot read encrypted") and "112" in said


def test_room_of_more_than_two_is_left(matrix_people: Matrix, reachable: LiveBot):
    other = matrix_people.stranger()
    host = matrix_people.stranger()
    host.invite((other._client.user_id,))
    other._run(other._client.join(host.room))
    host.say(CHEST)
    assert host.hear()[0].startswith("I only chat with one person")
    until = time.monotonic() + 10
    while host.met:
        assert time.monotonic() < until, "the bot stayed"
        time.sleep(0.01)


def test_invitations_of_one_person_are_limited(matrix_people: Matrix, reachable: LiveBot):
    pushy = matrix_people.stranger()
    for _ in range(INVITES_OF_ONE):
        pushy.invite()
    with pytest.raises(AssertionError, match="did not come"):
        pushy.invite(seconds=2)
    assert "declined" in reachable.log.read_text()


def test_message_with_a_quotation_is_read_without_it(person: MatrixPerson):
    quoting = {"msgtype": "m.text", "body": f"> <@spasms:localhost> {CHEST}\n\nthank you"}
    person.event("m.room.message", {**quoting, "m.relates_to": {"m.in_reply_to": {"event_id": person.last}}})
    assert not person.hear()[0].startswith("Call")


@pytest.mark.parametrize("kind", ["m.image", "m.audio", "m.video", "m.file", "m.location"])
def test_without_words_it_says_so(person: MatrixPerson, kind: str):
    person.event("m.room.message", {"msgtype": kind, "body": "x.bin", "url": "mxc://localhost/x", "geo_uri": "geo:1,2"})
    assert "can only read text" in person.hear()[0]


def test_changed_message_is_answered_when_asked(person: MatrixPerson):
    person.send("edit", "cramp in my foot")
    (asked,) = person.hear()
    assert asked.startswith("I saw that you changed a message")
    person.say("1")
    assert "foot" in person.hear()[0]


def test_other_bots_reactions_and_deletions_get_no_answer(person: MatrixPerson):
    person.event("m.room.message", {"msgtype": "m.notice", "body": CHEST})
    person.event("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": person.last, "key": "👍"}})
    person._run(person._client.room_redact(person.room, person.last))
    person.say("cramp in my foot")
    person.say("cramp in my hand")  # a chat is answered in order, so nothing came between
    assert [place in said for place, said in zip(("foot", "hand"), person.hear(2), strict=True)] == [True, True]


async def test_reply_costs_the_home_server_no_sync_of_its_own(matrix_people: Matrix, tmp_path: Path):
    """A sync that tells the bot its own words would delay the person's."""
    server = matrix_people.server.with_bot("frugal")
    channel = MatrixChannel(
        Settings(state_folder=str(tmp_path), matrix=MatrixSettings(server.url, server.bot, PASSWORD))
    )
    person = matrix_people.stranger()
    person.bot = server.bot
    async with serving(channel, Echo()):
        await asyncio.to_thread(person.invite)
        await asyncio.to_thread(person.say, "hello there")
        await asyncio.to_thread(person.hear, 2)
        before = channel.inbox.mark(channel._key("since"))
        await asyncio.sleep(0.5)
        assert channel.inbox.mark(channel._key("since")) == before
        await asyncio.to_thread(person.say, "and again")
        assert await asyncio.to_thread(person.hear) == ["echo: and again"]
        assert channel.inbox.mark(channel._key("since")) != before


async def test_long_absence_loses_nothing(matrix_people: Matrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A sync gives a room's last messages only; those before are fetched."""
    monkeypatch.setattr("bot.channels.matrix.PAGE", 4)
    server = matrix_people.server.with_bot("absent")
    settings = MatrixSettings(server.url, server.bot, PASSWORD)
    person = matrix_people.stranger()
    person.bot = server.bot

    def channel() -> MatrixChannel:
        return MatrixChannel(Settings(state_folder=str(tmp_path), matrix=settings))

    async with serving(channel(), Echo()):
        await asyncio.to_thread(person.invite)
        await asyncio.to_thread(person.say, "hello there")
        await asyncio.to_thread(person.hear, 2)
    for number in range(15):
        await asyncio.to_thread(person.say, f"word{number}")
    async with serving(channel(), echo := Echo()):
        said = await asyncio.to_thread(person.hear, 15)
    assert echo.heard == [f"word{number}" for number in range(15)] and len(said) == 15


def event(**more: Any) -> dict[str, Any]:
    content = {"msgtype": "m.text", "body": "x"}
    base = {"type": "m.room.message", "event_id": "$1", "sender": "@p:h", "origin_server_ts": 10_000_000}
    return {**base, "content": content, **more}


def test_old_events_and_ones_own_are_ignored():
    assert read_event(event(), "!r", "@bot:h", 9_000)
    assert read_event(event(), "!r", "@bot:h", 11_000) is None
    assert read_event(event(sender="@bot:h"), "!r", "@bot:h", 0) is None
    assert read_event(event(content={}), "!r", "@bot:h", 0) is None


def test_text_cannot_break_the_formatting():
    assert formatted(Part("<b>&\nx", (), "emergency")) == "<strong>&lt;b&gt;&amp;</strong><br>x"
    assert formatted(Part("a\nb")) == "a<br>b"
