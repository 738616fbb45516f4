"""What strangers can reach over HTTP, with which headers, and how much of it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest
import yaml
from processes import children, command

from bot.channels.guard import AT_ONCE, HEADERS
from bot.evaluation.live import LiveBot
from bot.train import ROOT

pytestmark = [pytest.mark.server, pytest.mark.model]
REST = "/webhooks/rest/webhook"
SAID = {"sender": "headers", "message": "hello"}


async def ask(method: str, url: str, **options: object) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as http, http.request(method, url, **options) as answer:
        return answer.status, await answer.text(), {name.lower(): value for name, value in answer.headers.items()}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/version", 200),
        ("GET", "/metrics", 200),
        ("GET", "/chat/", 200),
        ("GET", "/chat/widget.js", 200),
        ("GET", "/socket.io/?EIO=4&transport=polling", 200),
        ("GET", "/socket.io/", 400),
        ("POST", REST, 200),
        ("GET", "/", 404),
        ("GET", "/chat/../../etc/passwd", 404),
        ("DELETE", REST, 405),
    ],
)
async def test_every_answer_has_the_headers(bot: LiveBot, method: str, path: str, status: int):
    body = SAID if method == "POST" else None
    answered, text, headers = await ask(method, bot.url + path, json=body)
    assert answered == status
    assert not [name for name in HEADERS if name.lower() not in headers]
    assert headers["x-content-type-options"] == "nosniff" and "default-src 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers or path == "/chat/widget.js"
    assert "server" not in headers and not re.search(r"sanic|traceback|/site-packages/", text[:5000], re.I)
    if status in (404, 405):
        assert "112" in text and "3.6.21" not in text


API = [
    ("GET", "/model"), ("PUT", "/model"), ("DELETE", "/model"), ("POST", "/model/train"), ("POST", "/model/parse"),
    ("POST", "/model/predict"), ("POST", "/model/test/stories"), ("GET", "/domain"), ("GET", "/status"),
    ("GET", "/conversations/rest-me/tracker"), ("POST", "/conversations/rest-me/tracker/events"),
    ("POST", "/conversations/rest-me/messages"), ("POST", "/conversations/rest-me/trigger_intent"),
    ("POST", "/conversations/rest-me/execute"), ("GET", "/conversations/rest-me/story"), ("GET", "/docs"),
    ("GET", "/webhooks/rest/webhook/stream"), ("GET", "/webhooks/socketio"), ("GET", "/debug"), ("GET", "/.env"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), API)
async def test_rasas_api_is_not_served(bot: LiveBot, method: str, path: str):
    status, _, _ = await ask(method, bot.url + path, json={} if method != "GET" else None)
    assert status == 404


async def test_a_name_pointed_at_this_machine_is_refused(bot: LiveBot):
    for path in ("/health", REST, "/chat/", "/metrics", "/socket.io/?EIO=4&transport=polling"):
        status, text, _ = await ask("GET", bot.url + path, headers={"Host": "rebound.example"})
        assert status == 403 and "112" in text
    status, _, _ = await ask("GET", f"{bot.url}/health", headers={"Host": "localhost:1"})
    assert status == 200


async def test_rest_takes_no_page_of_another_site(bot: LiveBot):
    for origin, expected in (("https://evil.example", 403), ("null", 403), (bot.url, 200)):
        assert (await ask("POST", bot.url + REST, json=SAID, headers={"Origin": origin}))[0] == expected


async def test_the_action_server_answers_the_bot_alone(bot: LiveBot):
    server = next(pid for pid in children(bot.process.pid) if "bot.action_server" in command(pid))
    port = int(command(server).split()[-1])
    listening = [line.split() for line in Path(f"/proc/{server}/net/tcp").read_text().splitlines()[1:]]
    assert {row[1] for row in listening if row[3] == "0A" and row[1].endswith(f":{port:04X}")} == {
        f"0100007F:{port:04X}"
    }
    assert not [row for row in Path(f"/proc/{server}/net/tcp6").read_text().splitlines() if f":{port:04X} " in row]
    url = f"http://127.0.0.1:{port}/health"
    assert (await ask("GET", url))[0] == 200
    for headers in ({"Host": f"rebound.example:{port}"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        assert (await ask("GET", url, headers=headers))[0] == 403


async def test_a_flood_is_refused_politely_and_only_its_own_address(bot: LiveBot):
    async with aiohttp.ClientSession() as http:

        async def once(address: str) -> tuple[int, str, str | None]:
            async with http.get(f"{bot.url}/chat/page.css", headers={"X-Forwarded-For": address}) as answer:
                return answer.status, await answer.text(), answer.headers.get("Retry-After")

        answers = await asyncio.gather(*(once("203.0.113.77") for _ in range(AT_ONCE + 150)))
        refused = [answer for answer in answers if answer[0] == 429]
        assert refused and {answer[0] for answer in answers} == {200, 429}
        assert all("112" in text and "wait a moment" in text and after for _, text, after in refused)
        assert (await once("203.0.113.78"))[0] == 200
        # What the flooder wrote stands left of what our proxy appended.
        forged = await asyncio.gather(*(once(f"198.51.100.{n}, 203.0.113.77") for n in range(100)))
        assert 429 in {status for status, _, _ in forged}


def test_no_key_stands_in_a_file_or_an_argument(bot: LiveBot):
    for name in ("credentials.yml", "endpoints.yml"):
        text = (ROOT / name).read_text()
        assert not re.search(r"(token|secret|password|key)\s*:\s*[^\s$#]", text, re.I)
    assert all(values is None for values in yaml.safe_load((ROOT / "credentials.yml").read_text()).values())
    shown = " ".join(command(pid) for pid in children(bot.process.pid))
    assert "bot.rasa_cli" in shown and not re.search(r"token|secret|password|--enable-api|--cors|--debug", shown, re.I)
    key = (bot.log.parent / "web.key").read_text()
    assert key not in shown and key not in bot.log.read_text()
