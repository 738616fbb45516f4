"""Telegram with a real bot behind it: every kind of update, and the defects of Rasa's own connector."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from telegram_api import LOST, ApiError, TelegramApi

from bot.channels.inbox import Part
from bot.channels.service import COMMANDS
from bot.channels.telegram import entities, read_update
from bot.evaluation.live import LiveBot
from bot.knowledge.loader import load_knowledge

pytestmark = [pytest.mark.server, pytest.mark.model]
CHEST = "crushing chest pain and my left arm is numb"
PHRASES = load_knowledge().phrases
_people = itertools.count(1000)


@pytest.fixture
def api(telegram_api: TelegramApi, reachable: LiveBot) -> TelegramApi:
    return telegram_api


@pytest.fixture
def me(api: TelegramApi) -> int:
    """A person who has had the notice, so that each test counts replies only."""
    chat = next(_people)
    api.say(chat, "/privacy")
    api.wait(lambda: api.texts(chat))
    api.person(chat).sent.clear()
    return chat


def texts(api: TelegramApi, chat: int, count: int) -> list[str]:
    return api.wait(lambda: len(api.texts(chat)) >= count and api.texts(chat))


def file(**more: Any) -> dict[str, Any]:
    return {"file_id": "f", "file_unique_id": "u", **more}


PLACE = {"latitude": 51.5, "longitude": -0.1}
POLL = {
    "id": "1", "total_voter_count": 0, "is_closed": False, "is_anonymous": True, "type": "regular",
    "allows_multiple_answers": False,
}  # fmt: skip
WORDLESS = {
    "voice": {"voice": file(duration=3)},
    "audio": {"audio": file(duration=3)},
    "video": {"video": file(duration=3, width=1, height=1)},
    "video note": {"video_note": file(duration=3, length=1)},
    "sticker": {"sticker": file(type="regular", width=1, height=1, is_animated=False, is_video=False)},
    "photo": {"photo": [file(width=1, height=1)]},
    "document": {"document": file()},
    "animation": {"animation": file(duration=3, width=1, height=1), "document": file()},
    "contact": {"contact": {"phone_number": "1", "first_name": "x"}},
    "location": {"location": PLACE},
    "venue": {"venue": {"location": PLACE, "title": "x", "address": "y"}, "location": PLACE},
    "dice": {"dice": {"emoji": "🎲", "value": 3}},
    "kind of the future": {"hologram": {"x": 1}},
}
CAPTIONED = ("photo", "voice", "video", "document", "animation", "audio")


@pytest.mark.parametrize("content", WORDLESS.values(), ids=WORDLESS)
def test_without_words_it_says_so_with_the_emergency_line(api: TelegramApi, me: int, content: dict):
    api.push(message=api.message(me, **content))
    assert "can only read text" in api.wait(lambda: api.texts(me))[0] and "112" in api.texts(me)[0]


@pytest.mark.parametrize("kind", CAPTIONED)
def test_caption_is_screened(api: TelegramApi, me: int, kind: str):
    api.push(message=api.message(me, **WORDLESS[kind], caption=CHEST))
    first, second = api.wait(lambda: api.texts(me)[1:] and api.texts(me))
    assert first.startswith("Call") and second == PHRASES["only_the_words"]


def test_poll_is_screened(api: TelegramApi, me: int):
    options = [{"text": text, "voter_count": 0} for text in ("yes", "no")]
    api.push(message=api.message(me, poll={**POLL, "question": CHEST, "options": options}))
    assert api.wait(lambda: api.texts(me))[0].startswith("Call")


def test_forwarded_message_and_answer_to_a_message_are_screened(api: TelegramApi, me: int):
    origin = {"type": "hidden_user", "sender_user_name": "x", "date": 1}
    api.say(me, CHEST, forward_origin=origin)
    assert api.wait(lambda: api.texts(me))[0].startswith("Call")
    api.say(me, CHEST, reply_to_message=api.message(me, text="older"))
    assert api.wait(lambda: api.texts(me)[1:])[0].startswith("Call")


def test_changed_message_is_answered_only_for_danger_or_when_asked(api: TelegramApi, me: int):
    api.push(edited_message=api.message(me, text="cramp in my foot", edit_date=1))
    asked = api.wait(lambda: api.person(me).sent)[0]
    assert asked["text"].startswith("I saw that you changed a message")
    api.press(me, asked, PHRASES["button_edited"])
    assert "foot" in texts(api, me, 2)[1]
    api.push(edited_message=api.message(me, text=CHEST, edit_date=1))
    api.push(edited_message=api.message(me, **WORDLESS["photo"], caption=CHEST, edit_date=1))
    assert all(text.startswith("Call") for text in texts(api, me, 4)[2:])


def post(api: TelegramApi, me: int) -> dict[str, Any]:
    return {**api.message(me, text=CHEST), "chat": {"id": -9, "type": "channel", "title": "C"}}


def by(api: TelegramApi, me: int, sender: dict[str, Any] | None) -> dict[str, Any]:
    message = {**api.message(me, text=CHEST), "from": sender}
    return {"message": message if sender else {name: value for name, value in message.items() if name != "from"}}


IGNORED: dict[str, Callable[[TelegramApi, int], dict[str, Any]]] = {
    "channel post": lambda api, me: {"channel_post": post(api, me)},
    "changed post": lambda api, me: {"edited_channel_post": post(api, me)},
    "changed picture": lambda api, me: {"edited_message": api.message(me, **WORDLESS["photo"], edit_date=1)},
    "live location": lambda api, me: {"edited_message": api.message(me, location=PLACE, edit_date=1)},
    "pinned": lambda api, me: {"message": api.message(me, pinned_message=api.message(me, text="x"))},
    "timer": lambda api, me: {"message": api.message(me, message_auto_delete_timer_changed={})},
    "another bot": lambda api, me: by(api, me, {"id": 5, "is_bot": True, "first_name": "b"}),
    "nobody": lambda api, me: by(api, me, None),
    "blocked": lambda api, me: {"my_chat_member": membership(api, me, "member", "kicked")},
    "unblocked": lambda api, me: {"my_chat_member": membership(api, me, "kicked", "member")},
    "poll state": lambda api, me: {"poll": {**POLL, "question": "x", "options": []}},
    "inline query": lambda api, me: {"inline_query": {"id": "1", "from": {}, "query": "x", "offset": ""}},
    "empty": lambda api, me: {},
    "broken": lambda api, me: {"message": {"text": 7}},
    "no object": lambda api, me: {"message": "x"},
}


def membership(api: TelegramApi, chat: int, before: str, after: str) -> dict[str, Any]:
    bot = {"id": 123456, "is_bot": True, "first_name": "Bot"}
    until = {"until_date": 0}
    return {
        "chat": api.chats[chat].json(),
        "from": api.message(abs(chat))["from"],
        "date": 1,
        "old_chat_member": {"user": bot, "status": before, **(until if before == "kicked" else {})},
        "new_chat_member": {"user": bot, "status": after, **(until if after == "kicked" else {})},
    }


def test_what_needs_no_answer_gets_none_and_blocks_nothing(api: TelegramApi, me: int):
    """Rasa's connector answered these with an error, so Telegram sent them again and again."""
    pushed = [api.push(**make(api, me)) for make in IGNORED.values()]
    api.say(me, "cramp in my foot")
    assert "foot" in api.wait(lambda: api.texts(me))[0]
    api.settle(0.5)
    assert len(api.texts(me)) == 1
    assert max(api.delivered[number] for number in pushed) == 1


@pytest.mark.parametrize("how", ["message", "added"])
def test_group_is_told_to_write_alone_and_left(api: TelegramApi, how: str):
    chat = -next(_people)
    group = api.group(chat)
    if how == "message":
        api.say(chat, CHEST)
    else:
        api.push(my_chat_member=membership(api, chat, "left", "member"))
    api.wait(lambda: api.called("leaveChat") and group.blocked)
    assert [m["text"][:36] for m in group.sent] == ["I only chat with one person at a tim"] and "112" in group.sent[0][
        "text"
    ]


def test_buttons_one_a_row_answered_removed_and_used_once(api: TelegramApi, me: int):
    api.say(me, "back cramp after lifting")
    asked = api.wait(lambda: api.person(me).sent)[0]
    rows = asked["reply_markup"]["inline_keyboard"]
    assert len(rows) >= 2 and all(len(row) == 1 and len(row[0]["callback_data"]) <= 16 for row in rows)
    title, data = rows[0][0]["text"], rows[0][0]["callback_data"]
    api.press(me, asked, title)
    api.press_data(me, asked, data)
    api.wait(lambda: len(api.texts(me)) == 3)
    assert "reply_markup" not in api.person(me).sent[0]
    assert api.texts(me)[1] != api.texts(me)[2]
    assert api.texts(me)[2].startswith("That button is no longer active") and "112" in api.texts(me)[2]
    assert not api._queries


@pytest.mark.parametrize("data", ["/restart", "", "x" * 64, "affirm"])
def test_forged_press_does_nothing(api: TelegramApi, me: int, data: str):
    api.press_data(me, None, data)
    assert api.wait(lambda: api.texts(me))[0].startswith("That button is no longer active")


def test_press_of_one_chat_is_no_use_in_another(api: TelegramApi, me: int):
    api.say(me, "back cramp after lifting")
    asked = api.wait(lambda: api.person(me).sent)[0]
    thief = next(_people)
    api.press_data(thief, None, asked["reply_markup"]["inline_keyboard"][0][0]["callback_data"])
    api.person(thief)
    assert api.wait(lambda: api.texts(thief))[0].startswith("That button is no longer active")


def test_update_that_comes_twice_is_answered_once(api: TelegramApi, me: int):
    update = {"update_id": 1_900_000_000 + me, "message": api.message(me, text="cramp in my foot")}
    api.again(update)
    api.wait(lambda: api.texts(me))
    api.again(update)
    api.settle(0.5)
    assert len(api.texts(me)) == 1


def test_commands_are_registered_and_each_does_its_work(api: TelegramApi, me: int):
    assert [command["command"] for command in api.commands] == list(COMMANDS)
    expected = {
        "/start": ("Hello",),
        "/help": ("Tell me what hurts",),
        "/privacy": ("Privacy: Telegram",),
        "/emergency": ("If this could be an emergency, call",),
        "/HELP@SpasmBot": ("Tell me what hurts",),
        "/restart": ("I have deleted what you told me", "Privacy: Telegram"),
        "/delete": ("I have deleted our chat", "Privacy: Telegram"),
    }
    for command, beginnings in expected.items():
        api.person(me).sent.clear()
        api.say(me, command)
        said = texts(api, me, len(beginnings))
        assert all(text.startswith(start) for text, start in zip(said, beginnings, strict=True)), command
        if command == "/help":
            assert all(f"/{name}" in said[0] for name in COMMANDS)


def test_words_after_a_command_are_screened(api: TelegramApi, me: int):
    api.say(me, f"/help {CHEST}")
    assert api.wait(lambda: api.texts(me))[0].startswith("Call")


def test_warning_is_bold_and_sources_are_folded():
    text = "Call 999 now 😀.\nMore.\n\nSources: [1] A; [2] B"
    found = [(e.type, e.offset, e.length) for e in entities(Part(text, (), "emergency"), "Sources:")]
    units = text.encode("utf-16-le")
    cut = [units[2 * offset : 2 * (offset + length)].decode("utf-16-le") for _, offset, length in found]
    assert cut == ["Call 999 now 😀.", "Sources: [1] A; [2] B"]
    assert [kind for kind, _, _ in found] == ["bold", "expandable_blockquote"]


def test_blocked_person_stops_nobody_else(api: TelegramApi, me: int):
    other = next(_people)
    api.person(me).blocked = True
    api.say(me, "cramp in my foot")
    api.say(other, "cramp in my foot")
    assert "foot" in api.wait(lambda: api.texts(other))[0]


@pytest.mark.parametrize(
    "errors",
    [
        [ApiError(429, "Too Many Requests: retry after 1", 1)],
        [ApiError(500, "Internal Server Error"), ApiError(502, "Bad Gateway")],
        [LOST],
        [ApiError(400, "Bad Request: can't parse entities")],
    ],
    ids=["429", "5xx", "lost", "refused formatting"],
)
def test_reply_survives_what_telegram_answers(api: TelegramApi, me: int, errors: list[ApiError]):
    api.fail("sendMessage", *errors)
    api.say(me, CHEST)
    api.wait(lambda: api.texts(me))
    api.settle(0.5)
    assert len(api.texts(me)) == 1 and api.texts(me)[0].startswith("Call")


@pytest.mark.parametrize("error", [ApiError(500, "x"), ApiError(409, "Conflict: x"), ApiError(429, "x", 1), LOST])
def test_polling_goes_on_after_an_error(api: TelegramApi, me: int, error: ApiError):
    api.fail("getUpdates", error)
    api.say(me, "warm up")
    api.wait(lambda: api.texts(me))
    api.say(me, "cramp in my foot")
    assert "foot" in api.wait(lambda: api.texts(me)[1:])[0]


def test_getme_is_asked_once_and_nothing_breaks_the_rules(api: TelegramApi, me: int):
    api.say(me, "back cramp after lifting")
    (said,) = texts(api, me, 1)
    assert not re.search(r"\*\*|__|\]\(|</?\w+>", said)
    assert len(api.called("getMe")) == 1
    assert not api.violations and not api.flooded


def test_text_of_people_is_not_in_the_log(api: TelegramApi, me: int, reachable: LiveBot):
    api.say(me, "my zygomaticus twitches")
    api.wait(lambda: api.texts(me))
    log = reachable.log.read_text()
    assert "zygomaticus" not in log and "a-token-of" not in log and str(me) not in log


def test_press_in_a_group_is_left_alone(api: TelegramApi):
    query = {"id": "1", "chat_instance": "1", "data": "x", "from": {"id": 5, "is_bot": False, "first_name": "P"}}
    message = {"message_id": 1, "date": 1, "chat": {"id": -7, "type": "supergroup", "title": "G"}}
    assert read_update({"update_id": 1, "callback_query": {**query, "message": message}}) is None
