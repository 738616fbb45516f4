"""A day of the bot in a few seconds: all kinds of traffic and faults, each with a word that must not get about.

Run as a program, in a network without a way out where that is permitted: `python -m tests.state.day FOLDER`. Prints
what happened as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import sqlite3
import struct
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websockets
from processes import child, children
from telegram_api import TelegramApi

from bot.evaluation.live import LiveBot, free_port, live_bot
from tests.web.harness import visitor

# What people "say"; it is also part of every id.
WORD = "qzxywk"
TURNS = (
    "back cramp after lifting", "what causes it", "crushing chest pain and my left arm is numb", "i want to die",
    "how many ibuprofen can i take", "hello", "is it cancer", "quelle est la cause de mes crampes", "heat or cold?",
    "i am in australia", "note for the doctor", "no", "yes", "asdf", "where does it say that", "start over",
)  # fmt: skip
ODD = (
    "\ud800 half a letter",
    "\0nothing",
    "/restart",
    '/inform{"body_part": "',
    "‮backwards",
    "👩🏽‍🤝‍👨🏻",
    "{" * 500,
    "x " * 9000,
)
MALFORMED = (
    b"{", b'{"message": "%s"', b"%s", b'"%s"', b'["%s"]', b'{"message": {"text": "%s"}}', b'{"message": "\xff%s"}',
    b'{"sender": {"%s": 1}, "message": "hello"}', b"[" * 5000 + b"%s", b'{"message": null, "%s": 1}',
)  # fmt: skip
SOCKET = (
    '42["user_uttered",{"message":"%s"',
    '42["%s",{}]',
    "4%s",
    '451-["%s"]',
    '42{"%s":1}',
    "9%s",
    "b%s",
    "40/%s,{",
)
ACTIONS = (
    {"next_action": "action_answer", "sender_id": WORD, "tracker": {"latest_message": {"text": WORD}}},
    {"next_action": "action_answer", "sender_id": WORD, "tracker": {"slots": WORD, "latest_message": WORD}},
    {"next_action": WORD, "tracker": {"sender_id": WORD}, "domain": {}},
    {"next_action": {WORD: WORD}}, [WORD], WORD,
)  # fmt: skip


def main(folder: Path) -> None:
    """Lives through the day."""
    alone = os.environ.get("ALONE") == "1"
    if alone:
        _loopback_up()
    (folder / "tmp").mkdir()
    actions_port = free_port()
    with TelegramApi().running() as telegram:
        environment = {
            **telegram.environment, "TMPDIR": str(folder / "tmp"), "ACTIONS_PORT": str(actions_port),
            "PYTHONDEVMODE": "", "PYTHONFAULTHANDLER": "1",
        }  # fmt: skip
        with live_bot(folder, **environment) as bot:
            told: dict[str, Any] = {"limits": _core_limits(bot)}
            told["kinds"] = sorted(set(_people(bot)))
            _malformed(bot, actions_port)
            asyncio.run(_visitors(bot))
            _messages(telegram)
            told["kept"] = WORD.encode() in _bytes(folder, "conversations.db*")
            told["answered_without_store"] = _without_store(bot, folder)
            told["alarm_without_store"] = bot.say(f"crushing chest pain {WORD}", f"{WORD}-last").custom["kind"]
            if alone:
                told["unreachable"] = _unreachable()
            told["after_kill"] = _killed(bot)
    if alone:
        with contextlib.suppress(OSError):
            socket.create_connection(("203.0.113.1", 80), timeout=1)
        told["unreachable_when_tried"] = _unreachable()
    print(json.dumps(told))


def _people(bot: LiveBot) -> Iterator[str]:
    for number, text in enumerate([*TURNS, *ODD]):
        yield str(bot.say(f"{text} {WORD}", f"{WORD}-{number % 3}").custom["kind"])
    bot.say(f"{WORD} delete my data", f"{WORD}-0")
    bot.say("delete my data", f"{WORD}-1")


def _malformed(bot: LiveBot, actions_port: int) -> None:
    url, word = f"{bot.url}/webhooks/rest/webhook", WORD.encode()
    for body in MALFORMED:
        _post(url, body.replace(b"%s", word))
        _post(url, body.replace(b"%s", word), {"Content-Type": f"text/{WORD}", "X-Forwarded-For": WORD})
    for path in (f"/{WORD}", f"/webhooks/{WORD}", f"/webhooks/rest/webhook?message={WORD}", f"/chat/%ff{WORD}"):
        _post(bot.url + path, word)
    _post(f"{bot.url}/webhooks/rest/webhook", word * 2_000_000)
    for call in ACTIONS:
        _post(f"http://127.0.0.1:{actions_port}/webhook", json.dumps(call).encode())
    _post(f"http://127.0.0.1:{actions_port}/webhook", word)
    with socket.create_connection(("127.0.0.1", int(bot.url.rsplit(":", 1)[1]))) as raw:
        raw.sendall(b"POST /webhooks/rest/webhook HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + word)
    with socket.create_connection(("127.0.0.1", int(bot.url.rsplit(":", 1)[1]))) as raw:
        raw.sendall(b"\x16\x03" + word + b"\r\n\r\n")
        raw.recv(1000)


def _post(url: str, body: bytes, headers: dict[str, str] | None = None) -> None:
    request = urllib.request.Request(url, body, headers or {"Content-Type": "application/json"})
    with contextlib.suppress(urllib.error.HTTPError, urllib.error.URLError, OSError):
        urllib.request.urlopen(request, timeout=30).read()


async def _visitors(bot: LiveBot) -> None:
    async with visitor(bot.url) as one:
        await one.say(f"my calf cramps {WORD}", id=f"turn-{WORD}")
        await one.reply()
        await one.client.call("feedback", {"turn": f"turn-{WORD}", "value": "down", "reason": WORD})
        await one.client.call("feedback", {"turn": f"turn-{WORD}", "value": "down", "reason": "unclear"})
        await one.say(WORD * 2000, id="too-long-turn")
        for data in ({"message": {WORD: 1}}, [WORD], {"id": WORD}):
            await one.client.call("user_uttered", data)
        await one.client.call("session_request", {"session_id": WORD, "country": WORD})
    address = bot.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    for frame in SOCKET:
        with contextlib.suppress(websockets.exceptions.WebSocketException, OSError):
            async with websockets.connect(address) as raw:
                await raw.send("40")
                await raw.send(frame.replace("%s", WORD))
                await asyncio.sleep(0.05)


def _messages(telegram: TelegramApi) -> None:
    for number in range(3):
        telegram.push(message=telegram.message(7, text=f"cramp in my foot {WORD} {number}"))
    telegram.push(edited_message=telegram.message(7, text=f"cramp in my hand {WORD}"))
    telegram.push(message=telegram.message(8, text=f"{WORD} delete my data"))
    # The button that sends the changed message has its words, until the next reply.
    telegram.push(message=telegram.message(7, text=f"cramp in my neck {WORD}"))
    telegram.wait(lambda: len(telegram.texts(7)) >= 5 and telegram.texts(8), 30)
    telegram.settle(0.5)


def _bytes(folder: Path, pattern: str) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob(pattern))


def _without_store(bot: LiveBot, folder: Path) -> str:
    with sqlite3.connect(folder / "conversations.db") as store:
        store.execute("drop table events")
    return bot.say(f"back cramp after lifting {WORD}", f"{WORD}-last").text


def _killed(bot: LiveBot) -> str:
    """Kills the action server, which the supervisor starts again, and asks."""
    os.kill(child(bot.process.pid, "bot.action_server"), signal.SIGKILL)
    return bot.say(f"neck cramp {WORD}", f"{WORD}-last").text


def _core_limits(bot: LiveBot) -> list[str]:
    time.sleep(0.5)
    found = []
    for pid in children(bot.process.pid):
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        found.append(next(line.split()[4] for line in lines if line.startswith("Max core file size")))
    return found


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up and running


def _unreachable() -> int:
    """Counts packets of this network that had nowhere to go, or that asked a name server."""
    rows = Path("/proc/net/snmp").read_text().splitlines()
    table = {row.split(":")[0]: row.split()[1:] for row in rows[::2]}
    values = {row.split(":")[0]: row.split()[1:] for row in rows[1::2]}
    found = {f"{kind}{name}": int(values[kind][n]) for kind in table for n, name in enumerate(table[kind])}
    six = dict(row.split() for row in Path("/proc/net/snmp6").read_text().splitlines())
    return found["IpOutNoRoutes"] + found["UdpOutDatagrams"] + int(six.get("Ip6OutNoRoutes", 0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
