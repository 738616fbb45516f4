"""Requests that nobody in good faith would send: each gets an answer, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from sanic import Sanic, response

from bot.channels import guard
from bot.evaluation.live import LiveBot, free_port
from bot.settings import Settings

REST = "/webhooks/rest/webhook"
POST = f"POST {REST} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
MEGABYTE = 1_000_000
CHEST = "crushing chest pain and my left arm is numb"
# One sample of each kind of Unicode that breaks programs; repeated to a megabyte.
KINDS = {
    "letters": "calf cramp ",
    "one word": "a",
    "blank": " \t\n\u00a0\u2003\u200b",
    "emoji": "👩🏽‍⚕️😖",
    "stacked marks": "ca\u0300\u0301\u0302\u0303lf",
    "right to left": "\u202eabc\u202c مرحبا שלום",
    "no letters": "\u0000\u0001\u001b\u007f\u0085\ufeff\ufffe\uffff",
    "half characters": "\ud83d\ude00"[:1] + "\ude00\ud83d",
    "far planes": "𝕔𝕒𝕝𝕗 𐍈 󠁧󠁢",
    "other scripts": "चक्कर 筋肉痙攣 ภาษาไทย ქართული",
    "look-alikes": "сhest pаin ",
    "full width": "ｃｈｅｓｔ　ｐａｉｎ",
    "markup": "<b>{{7*7}}</b> ${x} %s {0} ' -- ; \\ ",
    "punctuation": "(((((.....",
    "digits": "1",
    "negations": "no not never ",
}
BODIES = {
    "nothing": b"",
    "no JSON": b"\xff\xfe\x00not json",
    "bad UTF-8": b'{"sender": "a", "message": "\xff\xc3("}',
    "open": b'{"sender": "a", "message": "x',
    "deep list": b"[" * 200_000,
    "deep list, closed": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "deep message": b'{"message": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "huge number": b'{"sender": "a", "message": ' + b"9" * 500_000 + b"}",
    "huge exponent": b'{"sender": 1e999999, "message": 1e-999999}',
    "not a number": b'{"sender": NaN, "message": Infinity}',
    "many keys": json.dumps({str(number): number for number in range(50_000)}).encode(),
    "key twice": b'{"message": 5, "message": {"message": "x"}}',
    "list": b'["message"]',
    "null": b"null",
}


def post(bot: LiveBot, body: bytes, **headers: str) -> tuple[int, str]:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(bot.url + REST, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.server
@pytest.mark.model
@pytest.mark.parametrize("kind", KINDS)
def test_text_of_any_kind_is_answered(bot: LiveBot, kind: str):
    assert bot.say(KINDS[kind] * (600 // len(KINDS[kind])), bot.conversation()).text.strip()


@pytest.mark.server
@pytest.mark.model
@pytest.mark.parametrize("kind", ["emoji", "one word", "half characters"])
def test_an_emergency_after_a_megabyte_is_heard(bot: LiveBot, kind: str):
    text = KINDS[kind] * (MEGABYTE // len(KINDS[kind].encode(errors="surrogatepass"))) + "\n" + CHEST
    half = any("\ud800" <= letter < "\ue000" for letter in KINDS[kind])
    said = json.dumps({"sender": bot.conversation(), "message": text}, ensure_ascii=half).encode()
    status, reply = post(bot, said)
    assert status == 200 and json.loads(reply)[1]["custom"]["kind"] == "emergency"


@pytest.mark.server
@pytest.mark.model
@pytest.mark.parametrize("name", BODIES)
def test_huge_and_odd_bodies_are_answered(bot: LiveBot, name: str):
    status, said = post(bot, BODIES[name])
    assert status == 400 and "message" in json.loads(said)["error"]


@pytest.mark.server
@pytest.mark.model
def test_what_is_too_large_is_told_with_the_emergency_line(bot: LiveBot):
    with socket.create_connection(("127.0.0.1", int(bot.url.rsplit(":", 1)[1])), timeout=20) as raw:
        head = f"POST {REST} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {guard.MAX_BYTES * 100}\r\n\r\n"
        raw.sendall(head.encode() + b"x" * 1000)
        said = raw.recv(65536).decode()
    assert said.startswith("HTTP/1.1 413") and "112" in said and "nosniff" in said


@pytest.mark.server
@pytest.mark.model
@pytest.mark.parametrize(
    "head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /%00%ff%c0%ae%c0%ae/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST " + REST.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST "
        + REST.encode()
        + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"\r\n" * 10_000,
    ],
    ids=["tls", "version", "path", "headers", "long path", "negative length", "endless chunk", "blank lines"],
)
def test_what_is_no_request_harms_nobody(bot: LiveBot, head: bytes):
    with socket.create_connection(("127.0.0.1", int(bot.url.rsplit(":", 1)[1])), timeout=20) as raw:
        raw.sendall(head)
        raw.shutdown(socket.SHUT_WR)
        try:
            said = raw.recv(65536).decode(errors="replace")
        except ConnectionResetError:
            said = ""
    assert not said or said.startswith("HTTP/1.1 4") or said.startswith("HTTP/1.1 5")
    assert "raceback" not in said
    assert bot.say("hello", bot.conversation()).text


@asynccontextmanager
async def protected() -> AsyncIterator[tuple[str, int]]:
    """A server with one page behind the guard."""
    Sanic.test_mode = True
    app = Sanic(f"guarded_{uuid.uuid4().hex}", configure_logging=False)
    guard.protect(app, Settings())

    @app.get("/page")
    async def page(_):
        return response.text("here")

    port = free_port()
    server = await app.create_server("127.0.0.1", port, return_asyncio_server=True, access_log=False)
    await server.startup()
    try:
        yield "127.0.0.1", port
    finally:
        server.close()
        await server.wait_closed()


async def test_slow_requests_are_cut_and_others_answered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guard, "ARRIVAL_SECONDS", 0.6)
    async with protected() as (host, port):
        slow = [await asyncio.open_connection(host, port) for _ in range(200)]
        for _, writer in slow:
            writer.write(b"POST /page HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n")

        async def drip() -> None:
            while True:
                for _, writer in slow:
                    writer.write(b"X-a: b\r\n")
                await asyncio.sleep(0.2)

        dripping = asyncio.ensure_future(drip())
        started = time.monotonic()
        async with aiohttp.ClientSession() as http, http.get(f"http://{host}:{port}/page") as answer:
            assert answer.status == 200
        assert time.monotonic() - started < 0.6
        reading = asyncio.gather(*(reader.read() for reader, _ in slow), return_exceptions=True)
        ends = await asyncio.wait_for(reading, 10)
        dripping.cancel()
        for _, writer in slow:
            writer.close()
        # What is still on its way when the connection is cut resets it.
        told = [end for end in ends if not isinstance(end, ConnectionResetError)]
        assert all(isinstance(end, bytes) and end.startswith(b"HTTP/1.1 408") for end in told)
