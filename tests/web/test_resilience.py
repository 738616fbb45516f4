"""Restarts, lost connections, sleep, tabs, blocked storage, slow networks: nothing lost, nothing twice, order holds."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from rasa.core.channels.channel import UserMessage

from tests.web.chat_page import PHONE, ChatPage
from tests.web.harness import ThreadedServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadedServer]:
    running = ThreadedServer(tmp_path).start()
    yield running
    running.stop()


class Wire:
    """A connection between browser and server that can be cut at any moment, or made slow."""

    def __init__(self, url: str) -> None:
        self._to = int(url.rsplit(":", 1)[1])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.delay, self.dead = 0.0, False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cuts every open connection."""
        for end in list(self._open):
            self._close(end)

    def close(self) -> None:
        """Ends it."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                if self.dead:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
            except ConnectionRefusedError:
                near.close()
                continue
            except OSError:
                return
            self._open |= {near, far}
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                time.sleep(self.delay)
                target.sendall(data)
        except OSError:
            pass
        self._close(source)
        self._close(target)

    def _close(self, end: socket.socket) -> None:
        self._open.discard(end)
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@pytest.fixture
def wire(server: ThreadedServer) -> Iterator[Wire]:
    made = Wire(server.url)
    yield made
    made.close()


def said_and_answered(chat: ChatPage) -> tuple[list[str], list[str]]:
    """What the person said and what was answered, in order, by number."""
    mine = [re.sub(r"\D", "", text) for text in chat.log.locator(".me .bubble").all_inner_texts()]
    theirs = [re.sub(r"\D", "", text) for text in chat.log.locator(".bot .bubble").all_inner_texts()[1:]]
    return mine, theirs


@pytest.mark.parametrize("batch", range(int(os.environ.get("WEB_ROUNDS") or 25) // 25))
def test_nothing_is_lost_or_doubled_at_random_cuts_and_restarts(
    server: ThreadedServer, wire: Wire, chromium: Browser, batch: int
):
    """25 cuts and restarts in `make test`; WEB_ROUNDS=200 is the long run."""
    chance = random.Random(batch)
    with ChatPage(chromium) as chat:
        chat.open(wire.url + "/chat/")
        for number in range(25):
            chat.type(f"message {number}")
            time.sleep(chance.choice([0, 0.002, 0.01, 0.03, 0.1]))
            if number % 3 == 0:
                server.stop()
                time.sleep(chance.choice([0, 0.05]))
                server.start()
            else:
                wire.cut()
            time.sleep(chance.choice([0, 0.3, 0.8]))
        wanted = [str(number) for number in range(25)]
        _until(lambda: said_and_answered(chat) == (wanted, wanted), chat, 60)
        assert _stored(server) == [f"message {number}" for number in range(25)]


def _until(true, chat: ChatPage, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, said_and_answered(chat)
        chat.page.wait_for_timeout(100)


def _stored(server: ThreadedServer) -> list[str]:
    with sqlite3.connect(server._folder / "conversations.db") as connection:
        rows = connection.execute("select data from events where type_name = 'user' order by id")
        return [json.loads(data)["text"] for (data,) in rows]


def test_what_is_typed_while_the_bot_is_away_is_kept_told_and_sent(server: ThreadedServer, chromium: Browser):
    with ChatPage(chromium, PHONE) as chat:
        chat.open(server.url + "/chat/")
        chat.say("message 1", "You said: message 1")
        server.stop()
        expect(chat.status).to_contain_text("Not connected. What you type is kept")
        expect(chat.status).to_contain_text("In an emergency, call")
        chat.type("message 2")
        chat.type("message 3")
        expect(chat.log.locator(".me").last).to_contain_text("Waiting to be sent")
        assert chat.axe() == []
        chat.shot("offline")
        server.start()
        chat.wait_for("You said: message 3")
        assert said_and_answered(chat) == (["1", "2", "3"], ["1", "2", "3"])
        expect(chat.status).to_contain_text("Connected again")


def test_a_bot_that_hangs_is_told_before_ten_seconds_are_over(tmp_path: Path, chromium: Browser):
    async def hang(message: UserMessage) -> None:
        time.sleep(12)  # the whole process hangs: it cannot apologise either
        await message.output_channel.send_text_message(message.sender_id, f"You said: {message.text}")

    server = ThreadedServer(tmp_path, hang).start()
    with ChatPage(chromium, PHONE) as chat:
        chat.open(server.url + "/chat/")
        chat.type("message 1")
        expect(chat.status).to_contain_text("longer than usual", timeout=10_000)
        expect(chat.status).to_contain_text("In an emergency, call")
        assert chat.axe() == []
        chat.wait_for("You said: message 1")
        expect(chat.status).not_to_contain_text("longer")
    server.stop()


def test_a_reload_in_the_middle_of_a_turn_gives_its_reply_once(server: ThreadedServer, wire: Wire, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.open(wire.url + "/chat/")
        wire.delay = 0.05
        for number in range(5):
            chat.type(f"message {number}")
            chat.page.wait_for_timeout(20 * number)
            chat.page.reload()
            expect(chat.input).to_be_visible()
        wanted = [str(number) for number in range(5)]
        _until(lambda: said_and_answered(chat) == (wanted, wanted), chat, 20)
        assert _stored(server) == [f"message {number}" for number in range(5)]


def test_a_bot_that_was_down_from_the_start_is_told(server: ThreadedServer, wire: Wire, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.page.goto(wire.url + "/chat/")
        wire.dead = True
        wire.cut()  # the browser keeps spare connections
        chat.launcher.click()
        expect(chat.status).to_contain_text("In an emergency, call your local emergency number")
        chat.type("message 1")
        wire.dead = False
        chat.wait_for("You said: message 1")


def test_a_dead_line_is_noticed_on_waking_up(server: ThreadedServer, wire: Wire, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.page.clock.install()
        chat.open(wire.url + "/chat/")
        wire.dead = True
        wire.delay = 3600  # nothing passes any more, yet nothing is closed: as after a phone's sleep
        _visible(chat, False)
        chat.page.clock.fast_forward(30_000)
        wire.dead, wire.delay = False, 0
        _visible(chat, True)
        chat.page.clock.fast_forward(9_000)  # no acknowledgement: the widget connects anew
        chat.type("message 1")
        for _ in range(40):
            chat.page.clock.run_for(500)
            if "You said: message 1" in chat.log.inner_text():
                break
        assert said_and_answered(chat) == (["1"], ["1"])


def _visible(chat: ChatPage, visible: bool) -> None:
    chat.page.evaluate(
        "visible => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => !visible});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        visible,
    )


def test_two_tabs_of_one_session_show_the_same(server: ThreadedServer, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.open(server.url + "/chat/")
        chat.say("message 1", "You said: message 1")
        with chat.context.expect_page() as opened:
            chat.page.evaluate("window.open(location.href)")  # a duplicated tab takes the session along
        other = ChatPage.__new__(ChatPage)
        other.page = opened.value
        other.page.set_default_timeout(15_000)
        expect(other.log).to_contain_text("You said: message 1")
        other.say("message 2", "You said: message 2")
        chat.wait_for("You said: message 2")
        chat.say("message 3", "You said: message 3")
        other.wait_for("You said: message 3")
        assert said_and_answered(chat) == said_and_answered(other) == (["1", "2", "3"], ["1", "2", "3"])


def test_it_works_where_storage_is_blocked(server: ThreadedServer, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.page.add_init_script(
            "for (const name of ['sessionStorage', 'localStorage'])"
            " Object.defineProperty(window, name, {get() { throw new DOMException('blocked', 'SecurityError'); }});"
        )
        chat.open(server.url + "/chat/")
        chat.say("message 1", "You said: message 1")
        server.stop()
        chat.type("message 2")
        server.start()
        chat.wait_for("You said: message 2")
        assert said_and_answered(chat) == (["1", "2"], ["1", "2"]) and not [e for e in chat.errors if "blocked" in e]


def test_a_slow_network_neither_loses_nor_doubles(server: ThreadedServer, wire: Wire, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.open(wire.url + "/chat/")
        wire.delay = 0.7
        for number in range(3):
            chat.type(f"message {number}")
        wanted = ["0", "1", "2"]
        _until(lambda: said_and_answered(chat) == (wanted, wanted), chat, 40)


def test_writing_too_fast_is_told_and_loses_nothing(server: ThreadedServer, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.open(server.url + "/chat/")
        for number in range(9):
            chat.type(f"message {number}")
        expect(chat.status).to_contain_text("faster than I can answer")
        wanted = [str(number) for number in range(9)]
        _until(lambda: said_and_answered(chat) == (wanted, wanted), chat, 30)


def test_deleting_while_offline_reaches_the_server_later(server: ThreadedServer, wire: Wire, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.open(wire.url + "/chat/")
        chat.say("message 1", "You said: message 1")
        wire.dead = True
        wire.cut()
        expect(chat.status).to_contain_text("Not connected")
        chat.button("Options").click()
        chat.button("Delete chat").click()
        chat.button("Yes, delete it").click()
        assert "message 1" not in chat.page.evaluate("JSON.stringify(sessionStorage)")
        assert _stored(server) == ["message 1"]
        wire.dead = False
        expect(chat.log).to_contain_text("Hello.")
        _until(lambda: _stored(server) == [], chat, 20)


def test_another_key_begins_a_new_session_and_says_so(tmp_path: Path, chromium: Browser):
    server = ThreadedServer(tmp_path).start()
    with ChatPage(chromium) as chat:
        chat.open(server.url + "/chat/")
        chat.say("message 1", "You said: message 1")
        server.stop()
        (tmp_path / "web.key").unlink()
        server.start()
        expect(chat.status).to_contain_text("no longer has the earlier messages")
        chat.say("message 2", "You said: message 2")
    server.stop()
