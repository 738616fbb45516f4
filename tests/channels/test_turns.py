"""What every channel does: typed text is never an intent, and a reply is never empty."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasa.core.tracker_store import AwaitableTrackerStore, FailSafeTrackerStore, InMemoryTrackerStore
from rasa.shared.core.domain import Domain

from bot.channels import health, turns
from bot.channels.fairness import FairQueue
from bot.channels.rest import LoopbackRest
from bot.channels.turns import MAX_CHARS, failure, take_turn, typed
from bot.errors import ConfigError
from bot.language.pipeline import read


@pytest.mark.parametrize("text", ["/restart", " /restart", "//restart", "/ /restart", "\n/restart", "\0/restart", "/"])
def test_slashes_are_stripped(text: str):
    assert not typed(text).startswith("/")


@given(st.text())
def test_no_text_becomes_an_intent(text: str):
    assert not typed(text).strip().startswith("/")


@given(st.text(st.characters(codec=None)))
def test_whatever_is_typed_can_be_stored(text: str):
    typed(text).encode()


def test_half_a_character_harms_no_other():
    assert typed("\ude00 my \ud83d\ude00 calf \ud83d") == "\ufffd my \U0001f600 calf \ufffd"


@pytest.mark.parametrize("value", [None, 7, [], {}, b"x"])
def test_what_is_no_text_becomes_an_empty_one(value):
    assert typed(value) == ""


def test_beginning_and_end_of_a_huge_text_are_read():
    text = typed("first " + "x " * MAX_CHARS + " last")
    assert text.startswith("first") and text.endswith("last") and len(text) <= MAX_CHARS + 1


@pytest.mark.parametrize("sign", ["\ufffd", "(", "a", "👩🏽\u200d⚕️", "©"])
def test_no_row_of_signs_is_long_enough_to_stop_the_tokenizer(sign: str):
    text = typed(sign * 4_000)
    assert max(map(len, text.split())) <= 60
    started = time.process_time()
    read(text)
    assert time.process_time() - started < 10  # it was minutes


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


async def test_a_turn_that_hangs_is_answered_in_time(monkeypatch: pytest.MonkeyPatch):
    async def hangs(message):
        await asyncio.sleep(60)

    monkeypatch.setattr(turns, "TURN_SECONDS", 0.1)
    messages = await asyncio.wait_for(take_turn(hangs, "x", "s", "rest"), 2)
    assert messages == failure("s")


async def test_who_floods_is_told_that_the_message_was_not_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "_queue", FairQueue(at_once=0, most_waiting=0))
    messages = await take_turn(failure, "x", "s", "rest")
    assert "not read your message" in messages[0]["text"] and "112" in messages[0]["text"]


async def test_a_store_of_rasas_own_is_found_too():
    inmost = InMemoryTrackerStore(Domain.empty())
    agent = SimpleNamespace(tracker_store=FailSafeTrackerStore(AwaitableTrackerStore(inmost)))
    assert turns.store_of(agent) is inmost
    assert await health._store_up(agent)
