"""What every channel does: typed text is never an intent, and a reply is never empty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.rest import LoopbackRest
from bot.channels.turns import MAX_CHARS, failure, take_turn, typed
from bot.errors import ConfigError


@pytest.mark.parametrize("text", ["/restart", " /restart", "//restart", "/ /restart", "\n/restart", "\0/restart", "/"])
def test_slashes_are_stripped(text: str):
    assert not typed(text).startswith("/")


@given(st.text())
def test_no_text_becomes_an_intent(text: str):
    assert not typed(text).strip().startswith("/")


@pytest.mark.parametrize("value", [None, 7, [], {}, b"x"])
def test_what_is_no_text_becomes_an_empty_one(value):
    assert typed(value) == ""


def test_beginning_and_end_of_a_huge_text_are_read():
    text = typed("first " + "x " * MAX_CHARS + " last")
    assert text.startswith("first") and text.endswith("last") and len(text) <= MAX_CHARS + 1


async def test_turn_that_raises_still_answers_with_the_emergency_line(caplog):
    async def broken(message):
        raise RuntimeError(message.text)

    messages = await take_turn(broken, "secret words", "s", "rest")
    assert "call" in messages[0]["text"] and "112" in messages[0]["text"]
    assert messages[1]["custom"]["kind"] == "fallback"
    assert "secret words" not in caplog.text


async def test_turn_that_says_nothing_still_answers():
    async def silent(message):
        return None

    assert await take_turn(silent, "x", "s", "rest") == failure("s")


@pytest.mark.parametrize("text", [None, "", " \n"])
async def test_turn_without_words_still_answers(text):
    async def wordless(message):
        if text is not None:
            await message.output_channel.send_text_message("s", text)
        await message.output_channel.send_custom_json("s", {"kind": "answer"})

    assert await take_turn(wordless, "x", "s", "rest") == failure("s")


async def test_reply_with_blank_lines_stays_one_message():
    async def speak(message):
        await message.output_channel.send_text_message("s", "one\n\ntwo")

    assert [m["text"] for m in await take_turn(speak, "x", "s", "rest")] == ["one\n\ntwo"]


def test_rest_refuses_an_open_host(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOST", "0.0.0.0")
    with pytest.raises(ConfigError, match=r"HOST is 0\.0\.0\.0"):
        LoopbackRest.from_credentials(None)
