"""Attacks on the web channel; each test is a hole that was found in another channel or widget."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
import time
from pathlib import Path

import aiohttp
import pytest
import socketio.exceptions
import websockets
from rasa.core.channels.channel import UserMessage
from sqlalchemy import text as sql

from bot.channels.web import MAX_PENDING, SOCKETS_PER_ADDRESS, Web
from bot.channels.web_messages import MAX_CHARS, MAX_FRAME
from bot.errors import ConfigError
from bot.evaluation.live import LiveBot
from tests.web.harness import Visitor, serving, store, visitor

EVIL = "http://evil.example"


@pytest.mark.parametrize(
    "shown", ["{number}", "{number}.{zeros}", "{mark}.{number}", "web-{number}", "{other}", 7, None, ["x"]]
)
async def test_a_made_up_session_id_gives_no_way_into_anybodys_session(tmp_path: Path, shown: object):
    async with serving(tmp_path) as url, visitor(url) as victim, visitor(url, begun=False) as thief:
        number, mark = victim.session.split(".")
        parts = {"number": number, "mark": mark, "zeros": "0" * 32, "other": f"{number}.é{mark[1:]}"}
        await thief.begin(session_id=shown.format(**parts) if isinstance(shown, str) else shown)
        await victim.say("my words", id="victims-turn-1")
        assert (await victim.reply())["text"] == "You said: my words"
        assert await thief.silence(0.2)


async def test_ids_are_signed_with_the_key_and_outlive_a_restart(tmp_path: Path):
    async with serving(tmp_path) as url, visitor(url) as one:
        mine = one.session
    async with serving(tmp_path) as url, visitor(url, begun=False) as one:
        assert (await one.begin(session_id=mine))["session_id"] == mine
    async with (
        serving(tmp_path, WEB_SECRET="another key of thirty-two letters") as url,
        visitor(url, begun=False) as one,
    ):
        assert (await one.begin(session_id=mine))["session_id"] != mine
    key = tmp_path / "web.key"
    assert key.stat().st_mode & 0o077 == 0 and len(key.read_text()) == 64


async def test_the_id_inside_a_message_cannot_redirect_it(tmp_path: Path):
    async with serving(tmp_path) as url, visitor(url) as victim, visitor(url) as thief:
        await thief.say("not yours", id="thieves-turn", session_id=victim.session)
        assert (await thief.reply())["text"] == "You said: not yours"
        assert await victim.silence()


async def test_senders_have_the_channels_prefix(tmp_path: Path):
    heard: list[str] = []

    async def turn(message: UserMessage) -> None:
        heard.append(message.sender_id)

    async with serving(tmp_path, turn) as url, visitor(url) as one:
        await one.say("x", id="turn-0001")
        await one.reply()
    assert heard == ["web-" + one.session.split(".")[0]]


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    ["/red_flag", " /red_flag", "//red_flag", "\n/red_flag@1.0", '/red_flag{"body_part": "back"}', "\0/red_flag"],
)
async def test_typed_intents_are_words(reachable: LiveBot, text: str):
    async with visitor(reachable.url) as one:
        assert (await one.say(text, id="typed-intent"))["ok"]
        assert (await one.reply())["metadata"]["custom"]["kind"] != "emergency"


@pytest.mark.model
async def test_a_payload_that_was_never_offered_is_screened_like_typing(reachable: LiveBot):
    async with visitor(reachable.url) as one:
        await one.say("/greet i have crushing chest pain and my arm is numb", id="forged-payload")
        reply = await one.reply()
    assert reply["metadata"]["custom"]["kind"] == "emergency" and "112" in reply["text"]


@pytest.mark.parametrize("listed", [(), ("https://site.example",)])
async def test_other_sites_cannot_connect_by_either_transport(tmp_path: Path, listed: tuple[str, ...]):
    async with serving(tmp_path, WEB_ORIGINS=",".join(listed)) as url:
        assert not await _lets_in(url, EVIL)
        assert not await _lets_in(url, "null")
        assert await _lets_in(url, url)
        assert all([await _lets_in(url, origin) for origin in listed])


async def _lets_in(url: str, origin: str) -> bool:
    """Tells whether both transports accept an origin; they must agree, and name it once."""
    poll, headers = f"{url}/socket.io/?EIO=4&transport=polling", {"Origin": origin}
    async with aiohttp.ClientSession() as http, http.get(poll, headers=headers) as answer:
        polling = answer.status == 200
        if polling:
            assert answer.headers.getall("Access-Control-Allow-Origin") == [origin]
    try:
        socket = url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
        async with websockets.connect(socket, origin=origin):
            by_socket = True
    except websockets.exceptions.InvalidStatusCode:
        by_socket = False
    assert polling == by_socket
    return polling


@pytest.mark.parametrize("option", ["--cors", "--cors=*", "--enable-api"])
def test_options_that_open_everything_stop_the_start(monkeypatch: pytest.MonkeyPatch, option: str):
    monkeypatch.setattr(sys, "argv", ["rasa", "run", option])
    with pytest.raises(ConfigError, match="lets any web page in"):
        Web.from_credentials(None)


async def test_flooding_is_cut_politely_and_disturbs_nobody(tmp_path: Path):
    turns = 0

    async def slow(message: UserMessage) -> None:
        nonlocal turns
        turns += message.text.startswith("flood")
        await asyncio.sleep(0.05)
        await message.output_channel.send_text_message(message.sender_id, "done")

    async with serving(tmp_path, slow) as url, visitor(url) as flooder, visitor(url) as other:
        acks = await asyncio.gather(*(flooder.say(f"flood {n}", id=f"flood-turn-{n}") for n in range(15)))
        refused = [ack for ack in acks if not ack["ok"]]
        assert len(acks) - len(refused) <= MAX_PENDING + 3 and refused
        assert all(ack["error"] == "web_slow_down" and "112" in ack["text"] and ack["retry_ms"] for ack in refused)
        started = time.monotonic()
        await other.say("me too", id="other-turn")
        await other.reply()
        assert time.monotonic() - started < 2
        await asyncio.sleep(0.5)
    assert turns == len(acks) - len(refused)


async def test_an_address_has_a_limit_and_cannot_be_forged(tmp_path: Path):
    async with serving(tmp_path) as url:
        many = [Visitor() for _ in range(SOCKETS_PER_ADDRESS)]
        try:
            for one in many:
                await one.connect(url, **{"X-Forwarded-For": "203.0.113.7"})
            with pytest.raises(socketio.exceptions.ConnectionError):
                await Visitor().connect(url, **{"X-Forwarded-For": "203.0.113.7"})
            # What the visitor wrote stands left of what our proxy appended.
            with pytest.raises(socketio.exceptions.ConnectionError):
                await Visitor().connect(url, **{"X-Forwarded-For": "198.51.100.1, 203.0.113.7"})
            async with visitor(url, **{"X-Forwarded-For": "203.0.113.8"}) as other:
                assert (await other.say("hello", id="other-address"))["ok"]
            await many.pop().client.disconnect()
            await asyncio.sleep(0.2)
            async with visitor(url, **{"X-Forwarded-For": "203.0.113.7"}):
                pass
        finally:
            await asyncio.gather(*(one.client.disconnect() for one in many))


@pytest.mark.parametrize("size", [MAX_CHARS + 1, 20_000])
async def test_a_message_too_long_is_refused_politely(tmp_path: Path, size: int):
    async with serving(tmp_path) as url, visitor(url) as one:
        ack = await one.say("x" * size, id="long-message")
        assert ack["error"] == "web_too_long" and "112" in ack["text"]
        assert (await one.say("👩🏽" * (MAX_CHARS // 4), id="widest-letters"))["ok"]


async def test_a_huge_frame_closes_its_own_connection_only(tmp_path: Path):
    async with serving(tmp_path) as url, visitor(url) as other:
        socket = url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
        async with websockets.connect(socket, max_size=None) as raw:
            await raw.recv()
            await raw.send("40")
            await raw.recv()
            await raw.send('42["user_uttered",{"message":"' + "x" * (MAX_FRAME * 4) + '"}]')
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                for _ in range(5):
                    await asyncio.wait_for(raw.recv(), 5)
        assert (await other.say("still here", id="other-turn"))["ok"]


@pytest.mark.parametrize("data", [None, 5, "text", [], [1], {}, {"message": 5}, {"message": None}, {"message": " \n"},
                                  {"message": {"text": "x"}}, {"message": ["x"]}, {"text": "x"}])  # fmt: skip
async def test_what_is_no_message_gets_an_answer(tmp_path: Path, data: object):
    async with serving(tmp_path) as url, visitor(url) as one:
        ack = await one.client.call("user_uttered", data)
        assert not ack["ok"] and "112" in ack["text"]
        assert "112" in (await one.reply())["text"]  # a client that reads no acknowledgement sees it too


@pytest.mark.parametrize("event", ["session_request", "feedback", "erase", "about"])
@pytest.mark.parametrize("data", [None, 5, "x", [[]], {"turn": []}, {"session_id": {}, "last_seq": "x"}])
async def test_every_event_acknowledges_whatever_comes(tmp_path: Path, event: str, data: object):
    async with serving(tmp_path) as url, visitor(url) as one:
        assert isinstance(await one.client.call(event, data, timeout=5), dict)
        assert await one.silence(0.1)


async def test_fields_of_the_visitor_are_not_stored(tmp_path: Path):
    async with serving(tmp_path) as url, visitor(url) as one:
        await one.say(
            "hello", id="first-turn", metadata={"x": "SMUGGLED"}, customData={"x": "SMUGGLED"}, room="SMUGGLED"
        )
        await one.reply()
    assert b"SMUGGLED" not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


@pytest.mark.parametrize(
    "custom", [{"type": "x", "text": "y"}, {"event": "e", "data": 1}, {"room": "r", "to": "t"}, {}]
)
async def test_custom_values_cannot_break_or_redirect_a_reply(tmp_path: Path, custom: dict):
    async def turn(message: UserMessage) -> None:
        await message.output_channel.send_text_message(message.sender_id, "Call 999 now.\n\nSit down.")
        await message.output_channel.send_custom_json(message.sender_id, custom)

    async with serving(tmp_path, turn) as url, visitor(url) as one:
        await one.say("x", id="first-turn")
        reply = await one.reply()
        assert reply["text"] == "Call 999 now.\n\nSit down." and reply["metadata"]["custom"] == custom
        assert set(reply) == {"text", "metadata"} and await one.silence(0.2)


@pytest.mark.parametrize("fault", ["raises", "says nothing", "custom only"])
async def test_a_turn_that_fails_still_gives_the_emergency_line(tmp_path: Path, fault: str, caplog):
    async def turn(message: UserMessage) -> None:
        if fault == "raises":
            raise RuntimeError(message.text)
        if fault == "custom only":
            await message.output_channel.send_custom_json(message.sender_id, {"kind": "answer"})

    async with serving(tmp_path, turn) as url, visitor(url) as one:
        await one.say("SECRET words", id="first-turn")
        assert "112" in (await one.reply())["text"]
    assert "SECRET" not in caplog.text


async def test_a_store_that_fails_is_told_too(tmp_path: Path, monkeypatch, caplog):
    async with serving(tmp_path) as url, visitor(url) as one:
        monkeypatch.setattr("bot.channels.web.stored_reply", lambda *_: 1 / 0)
        await one.say("SECRET words", id="first-turn", again=True)
        assert "112" in (await one.reply())["text"]
    assert "SECRET" not in caplog.text


async def test_a_message_sent_twice_is_answered_once(tmp_path: Path):
    async with serving(tmp_path) as url, visitor(url) as one:
        for _ in range(3):
            assert (await one.say("hello", id="same-turn"))["ok"]
        texts = [(await one.reply())["metadata"]["turn"] for _ in range(1)]
        await asyncio.sleep(0.2)
        while not one.received.empty():
            texts.append(one.received.get_nowait()["metadata"]["turn"])
    assert set(texts) == {"same-turn"} and _stored(tmp_path) == ["hello"]


def _stored(folder: Path) -> list[str]:
    import json

    with store(folder).engine.connect() as connection:
        rows = connection.execute(sql("select data from events where type_name = 'user' order by id"))
        return [json.loads(data)["text"] for (data,) in rows]


async def test_what_was_missed_is_repeated_after_a_reconnection(tmp_path: Path):
    async with serving(tmp_path) as url:
        async with visitor(url) as one:
            epoch = (await one.begin(session_id=one.session))["epoch"]
            await one.say("first", id="turn-number-1")
            seen = (await one.reply())["metadata"]["seq"]
            await one.say("second", id="turn-number-2")
        async with visitor(url, begun=False) as back:
            await back.begin(session_id=one.session, last_seq=seen, epoch=epoch)
            reply = await back.reply()
            assert reply["text"] == "You said: second" and reply["metadata"]["seq"] == seen + 1
            assert await back.silence(0.2)


async def test_after_a_restart_a_message_is_answered_from_the_store(tmp_path: Path):
    async with serving(tmp_path) as url, visitor(url) as one:
        await one.say("hello", id="turn-number-1")
        first = await one.reply()
    async with serving(tmp_path) as url, visitor(url, begun=False) as back:
        answer = await back.begin(session_id=one.session, last_seq=9, epoch=first["metadata"]["epoch"])
        assert answer["epoch"] != first["metadata"]["epoch"]
        await back.say("hello", id="turn-number-1", again=True)
        again = await back.reply()
        assert again["text"] == first["text"] and again["metadata"]["custom"] == first["metadata"]["custom"]
        assert again["metadata"]["seq"] == 1 and await back.silence(0.2)
    assert _stored(tmp_path) == ["hello"]


async def test_replies_keep_the_order_of_the_messages(tmp_path: Path):
    async def turn(message: UserMessage) -> None:
        await asyncio.sleep(0.2 if message.text == "slow" else 0)
        await message.output_channel.send_text_message(message.sender_id, message.text)

    async with serving(tmp_path, turn) as url, visitor(url) as one:
        await asyncio.gather(one.say("slow", id="turn-number-1"), one.say("quick", id="turn-number-2"))
        assert [(await one.reply())["text"] for _ in range(2)] == ["slow", "quick"]


async def test_a_message_before_the_session_request_shows_its_signed_id(tmp_path: Path):
    async with serving(tmp_path) as url, visitor(url) as one, visitor(url, begun=False) as hasty:
        assert (await hasty.say("hello", id="hasty-turn-1"))["error"] == "web_no_session"
        assert (await hasty.say("hello", id="hasty-turn-2", session_id=one.session))["ok"]
        assert (await hasty.reply())["text"] == "You said: hello"


async def test_deleting_erases_the_conversation_and_tells_every_tab(tmp_path: Path):
    async with serving(tmp_path) as url, visitor(url) as one, visitor(url) as stranger:
        async with visitor(url, begun=False) as tab:
            await tab.begin(session_id=one.session)
            await one.say("hello", id="turn-number-1")
            await one.reply()
            await stranger.say("I stay", id="turn-number-1")
            await stranger.reply()
            assert (await one.client.call("erase", {}))["ok"]
            await asyncio.wait_for(tab.erased.wait(), 5)
            assert not stranger.erased.is_set()
        async with visitor(url, begun=False) as back:
            await back.begin(session_id=one.session, last_seq=0)
            assert await back.silence(0.2)
    assert _stored(tmp_path) == ["I stay"]


async def test_a_reply_that_erases_is_not_kept(tmp_path: Path):
    async def turn(message: UserMessage) -> None:
        await message.output_channel.send_text_message(message.sender_id, "Deleted.")
        await message.output_channel.send_custom_json(message.sender_id, {"kind": "smalltalk", "erase": True})

    async with serving(tmp_path, turn) as url, visitor(url) as one:
        epoch = (await one.begin(session_id=one.session))["epoch"]
        await one.say("delete my data", id="turn-number-1")
        assert (await one.reply())["text"] == "Deleted."
        async with visitor(url, begun=False) as back:
            await back.begin(session_id=one.session, last_seq=0, epoch=epoch)
            assert await back.silence(0.2)


async def test_the_emergency_number_follows_the_site_and_the_reply(tmp_path: Path):
    async def turn(message: UserMessage) -> None:
        await message.output_channel.send_text_message(message.sender_id, "Noted.")
        await message.output_channel.send_custom_json(message.sender_id, {"emergency_number": "000"})

    async with serving(tmp_path, turn) as url, visitor(url, begun=False) as one:
        assert (await one.begin())["welcome"]["number"]["tel"] == "112"
        assert (await one.begin(session_id=one.session, country="atlantis"))["welcome"]["number"]["country"] is None
        await one.say("I am in Australia", id="turn-number-1")
        assert (await one.reply())["metadata"]["number"]["tel"] == "000"


@pytest.mark.model
async def test_the_sites_country_reaches_the_reply(reachable: LiveBot):
    async with visitor(reachable.url, begun=False) as one:
        welcome = (await one.begin(country="GB"))["welcome"]
        assert welcome["number"]["tel"] == "999" and "999" in welcome["number"]["disclaimer"]
        await one.say("crushing chest pain and my arm is numb", id="turn-number-1")
        assert (await one.reply())["text"].startswith("Call 999 now")


async def test_thumbs_become_counts_and_nothing_else(tmp_path: Path):
    from bot.feedback import Count, Feedback

    async with serving(tmp_path) as url, visitor(url) as one:
        await one.say("SECRET words", id="turn-number-1")
        await one.reply()
        vote = {"turn": "turn-number-1", "value": "down", "reason": ""}
        assert (await one.client.call("feedback", vote))["ok"]
        assert (await one.client.call("feedback", {**vote, "reason": "unclear"}))["ok"]
        bad = [
            {"value": "sideways"},
            {"reason": "my own SECRET words"},
            {"turn": "unknown-turn"},
            {"value": "up", "reason": "wrong"},
        ]
        assert not any([(await one.client.call("feedback", {**vote, **change}))["ok"] for change in bad])
    counts = Feedback(tmp_path / "feedback.db").counts()
    assert counts == [
        Count("fact", "d1-cause-leg-exercise", "down", "unclear", 1),
        Count("intent", "inform", "down", "unclear", 1),
    ]
    assert b"SECRET" not in b"".join(path.read_bytes() for path in tmp_path.glob("feedback.db*"))


async def test_about_is_the_intended_purpose_word_for_word(tmp_path: Path, monkeypatch):
    from bot.channels import web_texts

    page = tmp_path / "purpose.md"
    page.write_text("# Intended purpose\n\nFor adults.")
    async with serving(tmp_path) as url, visitor(url) as one:
        for path, wanted in ((page, page.read_text()), (tmp_path / "none", "general information")):
            web_texts.about.cache_clear()
            monkeypatch.setattr(web_texts, "INTENDED_PURPOSE", path)
            assert wanted in (await one.client.call("about", {}))["text"]
    web_texts.about.cache_clear()


async def test_files_have_the_right_headers(tmp_path: Path):
    async with serving(tmp_path) as url, aiohttp.ClientSession(auto_decompress=False) as http:
        async with http.get(f"{url}/chat/widget.js", headers={"Accept-Encoding": "gzip"}) as answer:
            packed, tag = await answer.read(), answer.headers["ETag"]
            assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["Vary"] == "Accept-Encoding"
            assert (
                answer.headers["X-Content-Type-Options"] == "nosniff"
                and "max-age=300" in answer.headers["Cache-Control"]
            )
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Content-Type"].startswith("text/javascript")
        async with http.get(f"{url}/chat/widget.js", headers={"Accept-Encoding": "identity"}) as answer:
            plain = await answer.read()
            assert (
                "Content-Encoding" not in answer.headers and answer.headers["ETag"] != tag and len(plain) > len(packed)
            )
        headers = {"Accept-Encoding": "gzip", "If-None-Match": tag}
        async with http.get(f"{url}/chat/widget.js", headers=headers) as answer:
            assert answer.status == 304 and not await answer.read()
        async with http.get(f"{url}/chat/", headers={"Accept-Encoding": "identity"}) as answer:
            page = await answer.text()
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Cache-Control"] == "no-cache"
        integrity = "sha384-" + base64.b64encode(hashlib.sha384(plain).digest()).decode()
        assert integrity in page
        pinned = page.split("/chat/widget-")[1].split('"')[0]
        async with http.get(f"{url}/chat/widget-{pinned}") as answer:
            assert answer.status == 200 and "immutable" in answer.headers["Cache-Control"]
        for path in ("/chat/../settings.py", "/chat/%2e%2e/settings.py", "/chat/dist/", "/chat/none.js"):
            async with http.get(url + path) as answer:
                assert answer.status == 404


@pytest.mark.model
async def test_nobodys_words_reach_the_log(reachable: LiveBot):
    async with visitor(reachable.url) as one:
        for number, text in enumerate(["xyzzy plugh back cramp", "/xyzzy{", {"message": "xyzzy"}]):
            await one.say(text, id=f"turn-number-{number}")
            await asyncio.sleep(0.3)
    assert "xyzzy" not in reachable.log.read_text()
