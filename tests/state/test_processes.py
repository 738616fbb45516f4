"""Two bots behind nginx with one PostgreSQL and one Redis: one conversation, whichever of them is asked."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import socketio.exceptions
from processes import child
from sqlalchemy import create_engine, text

from bot.evaluation import servers
from bot.evaluation.live import LiveBot, free_port
from bot.evaluation.servers import PASSWORD, Server
from bot.feedback import Count, Feedback
from bot.train import ROOT
from tests.web.harness import Visitor, serving, visitor

pytestmark = [pytest.mark.server, pytest.mark.model]
CHEST = "crushing chest pain and my left arm is numb"


class Cluster(servers.Cluster):
    """Two bots, what they share, and what is in front of them."""

    def rows(self, sender: str) -> list[tuple[str, str | None]]:
        """The types and texts of a conversation's stored events."""
        engine = create_engine(self.postgres.url)
        with engine.connect() as connection:
            query = text("select type_name, data from events where sender_id = :sender order by id")
            found = [
                (kind, json.loads(data).get("text")) for kind, data in connection.execute(query, {"sender": sender})
            ]
        engine.dispose()
        return found

    def said(self, sender: str) -> list[str | None]:
        """What a person said, as stored."""
        return [words for kind, words in self.rows(sender) if kind == "user"]

    def said_in_time(self, sender: str, count: int) -> list[str | None]:
        """The same, once so many messages are stored: what the database did not take at once is stored later."""
        until = time.monotonic() + 20
        while len(said := self.said(sender)) < count and time.monotonic() < until:
            time.sleep(0.1)
        return said


@pytest.fixture(scope="module")
def cluster(model: str, postgres: Server, redis: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(servers.cluster(tmp_path_factory.mktemp("cluster"), postgres, redis))
        except servers.NotInstalled as error:
            pytest.skip(str(error))
        yield Cluster(**vars(running))


@asynccontextmanager
async def two_tabs(url: str) -> AsyncIterator[tuple[Visitor, Visitor]]:
    """One visitor with a socket to each of the two processes."""
    async with visitor(url, begun=False) as first:
        epoch = (await first.begin())["epoch"]
        for _ in range(10):
            async with visitor(url, begun=False) as second:
                if (await second.begin(session_id=first.session))["epoch"] != epoch:
                    yield first, second
                    return
        raise AssertionError("nginx sends everybody to one process")


def test_a_conversation_goes_on_whichever_process_is_asked(cluster: Cluster):
    sender = uuid.uuid4().hex
    texts = ["back cramp after lifting", "heat or cold?", "how do i prevent it", "what causes it"]
    replies = [bot.say(words, sender) for bot, words in zip(itertools.cycle(cluster.bots), texts)]
    assert [reply.custom["body_part"] for reply in replies] == ["back"] * 4
    assert cluster.said(f"rest-{sender}") == texts


def test_messages_at_the_same_moment_are_handled_one_after_another(cluster: Cluster):
    sender = uuid.uuid4().hex
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(cluster.bots[n % 2].say, f"calf cramp number {n}", sender) for n in range(12)]
        assert all(future.result().text for future in asked)
    kinds = [kind for kind, _ in cluster.rows(f"rest-{sender}") if kind in ("user", "bot")]
    assert kinds.count("user") == 12 and "user user" not in " ".join(kinds)
    assert len(set(cluster.said(f"rest-{sender}"))) == 12
    for bot in cluster.bots:
        assert "Lock" not in bot.log.read_text() and "not stored" not in bot.log.read_text()


async def test_both_tabs_of_a_visitor_hear_the_reply(cluster: Cluster):
    async with two_tabs(cluster.url) as tabs:
        for number, speaker in enumerate(tabs):
            await speaker.say("back cramp after lifting", id=f"turn-number-{number}")
            heard = [await tab.reply(20) for tab in tabs]
            assert [reply["metadata"]["turn"] for reply in heard] == [f"turn-number-{number}"] * 2
        assert await tabs[0].silence(0.3) and await tabs[1].silence(0)


async def test_messages_of_one_socket_are_answered_in_order_and_each_once(cluster: Cluster):
    async with visitor(cluster.url) as one:
        await asyncio.gather(*(one.say(f"calf cramp {n}", id=f"turn-number-{n // 2}") for n in (0, 1, 2, 3, 4, 5)))
        heard = [(await one.reply(20))["metadata"]["turn"] for _ in range(3)]
        assert heard == ["turn-number-0", "turn-number-1", "turn-number-2"] and await one.silence(0.5)
        assert cluster.said(f"web-{one.session.split('.')[0]}") == ["calf cramp 0", "calf cramp 2", "calf cramp 4"]


async def test_a_message_sent_again_to_another_process_is_answered_once(cluster: Cluster):
    async with two_tabs(cluster.url) as (one, other):
        await one.say("calf cramp at night", id="the-same-turn")
        await other.say("calf cramp at night", id="the-same-turn", again=True)
        first, *again = [await one.reply(20), await one.reply(20)]
        assert first["text"] == again[0]["text"]
        assert cluster.said(f"web-{one.session.split('.')[0]}") == ["calf cramp at night"]


async def test_a_message_that_its_repetition_overtakes_is_answered_once(cluster: Cluster):
    async with two_tabs(cluster.url) as (one, other):
        await other.say("calf cramp at night", id="the-same-turn", again=True)
        first = await one.reply(20)
        await one.say("calf cramp at night", id="the-same-turn")
        assert (await one.reply(20))["text"] == first["text"]
        assert cluster.said(f"web-{one.session.split('.')[0]}") == ["calf cramp at night"]


async def test_a_changed_thumb_is_counted_once_over_both_and_goes_with_the_conversation(cluster: Cluster):
    counts = Feedback(cluster.postgres.url)
    async with two_tabs(cluster.url) as (one, other):
        await one.say("hello", id="voted-turn")
        reply = await one.reply(20)
        intent = reply["metadata"]["custom"]["intents"][0]
        vote = {"turn": "voted-turn", "value": "up"}
        assert (await one.client.call("feedback", vote))["ok"]
        assert (await other.client.call("feedback", {**vote, "value": "down"}))["ok"]
        assert [c for c in counts.counts() if c.id == intent] == [Count("intent", intent, "down", "", 1)]
        assert (await other.client.call("erase", {}))["ok"]
        assert not [c for c in counts.counts() if c.id == intent]


async def test_deleting_in_one_process_deletes_everywhere(cluster: Cluster):
    async with two_tabs(cluster.url) as (one, other):
        sender = f"web-{one.session.split('.')[0]}"
        await one.say("back cramp after lifting", id="turn-number-1")
        await one.reply(20)
        assert cluster.said(sender)
        assert (await other.client.call("erase", {}))["ok"]
        await asyncio.wait_for(one.erased.wait(), 5)
        assert not cluster.rows(sender)
        epoch = (await one.begin(session_id=one.session))["epoch"]
        while not one.received.empty():
            one.received.get_nowait()
        await one.begin(session_id=one.session, last_seq=0, epoch=epoch)
        assert await one.silence(0.3), "the other process still remembered a reply"
        await one.say("calf cramp", id="turn-number-2")
        assert (await one.reply(20))["metadata"]["turn"] == "turn-number-2"
        assert cluster.said(sender) == ["calf cramp"]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("words", ["delete my data", "please erase everything i told you"])
def test_delete_my_data_leaves_nothing(request: pytest.FixtureRequest, kind: str, words: str):
    sender = uuid.uuid4().hex
    bot = request.getfixturevalue("bot") if kind == "sqlite" else request.getfixturevalue("cluster").bots[0]
    url = (
        request.getfixturevalue("cluster").postgres.url
        if kind == "postgres"
        else f"sqlite:///{bot.log.parent}/conversations.db"
    )
    bot.say("back cramp after lifting", sender)
    assert stored(url, sender) > 0
    reply = bot.say(words, sender)
    assert "delet" in reply.text.lower() and reply.custom.get("erase")
    assert stored(url, sender) == 0


def stored(url: str, sender: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        count = connection.execute(text("select count(*) from events where sender_id like :s"), {"s": f"%{sender}%"})
        found = int(count.scalar_one())
    engine.dispose()
    return found


def test_the_proxy_speaks_tls_and_passes_on_only_what_visitors_need(cluster: Cluster):
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(f"https://127.0.0.1:{cluster.tls_port}/chat/", context=anyone, timeout=10) as answer:
        assert answer.status == 200 and "max-age" in answer.headers["Strict-Transport-Security"]
    for path in ("/health", "/webhooks/rest/webhook", "/webhooks/web/", "/version", "/status"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(cluster.url + path, timeout=10)
    with pytest.raises(urllib.error.HTTPError, match="413"):
        urllib.request.urlopen(cluster.url + "/chat/", b"x" * 100_000, timeout=10)


async def test_the_proxy_names_the_visitor_and_the_site_to_sockets_too(cluster: Cluster):
    """A browser names its page's origin, which must be the bot's own as the visitor sees it."""
    async with visitor(cluster.url, Origin=cluster.url) as one:
        await one.say("calf cramp")
        assert await one.reply(20)
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with visitor(cluster.url, Origin="https://elsewhere.example"):
            raise AssertionError


@pytest.mark.parametrize("server", ["redis", "postgres"])
def test_people_are_answered_while_a_server_is_away_and_all_recovers(cluster: Cluster, server: str):
    sender, word = uuid.uuid4().hex, "qzxywk"
    one, other = cluster.bots
    patient = uuid.uuid4().hex
    assert one.say(f"back cramp after lifting {word}", sender).custom["kind"] == "answer"
    assert one.say("my calf cramps after running", patient).custom["body_part"] == "calf"
    getattr(cluster, server).kill()
    try:
        started = time.monotonic()
        assert one.say(f"{CHEST} {word}", sender).custom["kind"] == "emergency"
        assert time.monotonic() - started < 10
        assert one.say("what causes it?", patient).custom["body_part"] == "calf", "what was said is not forgotten"
        assert other.say(f"calf cramp {word}", sender).text
    finally:
        getattr(cluster, server).again()
    # Each process stores what it answered meanwhile by itself, so what comes first is not settled.
    first, *meanwhile = f"back cramp after lifting {word}", f"{CHEST} {word}", f"calf cramp {word}"
    said = cluster.said_in_time(f"rest-{sender}", 3)
    assert said[0] == first and sorted(said[1:]) == sorted(meanwhile)
    assert other.say("heat or cold?", sender).text
    assert cluster.said_in_time(f"rest-{sender}", 4)[3:] == ["heat or cold?"]
    for bot in cluster.bots:
        log = bot.log.read_text()
        assert word not in log and PASSWORD not in log and sender not in log


async def test_a_visitor_whose_process_is_killed_is_answered_by_the_other(cluster: Cluster):
    """The last test of this module: a bot is started again for a while."""
    async with visitor(cluster.url, begun=False) as one:
        epoch = (await one.begin())["epoch"]
        victim = await _process_of(cluster, epoch)
        killer = asyncio.get_running_loop().run_in_executor(None, _kill, victim)
        with suppress(Exception):
            await one.say("back cramp after lifting", id="the-broken-turn")
        await killer
        started = time.monotonic()
        async with visitor(cluster.url, begun=False) as again:
            assert (await again.begin(session_id=one.session))["epoch"] != epoch
            await again.say("back cramp after lifting", id="the-broken-turn", again=True)
            assert "back" in (await again.reply(10))["text"]
        assert time.monotonic() - started < 10
    assert cluster.said(f"web-{one.session.split('.')[0]}") == ["back cramp after lifting"]


async def test_whoever_is_back_takes_all_visitors_of_the_next_that_dies(tmp_path: Path):
    """nginx gives a process that it marked as failed one socket in a while; so it must mark none."""
    ports = [free_port(), free_port()]
    proxy_port, tls_port = free_port(), free_port()
    addresses = [f"127.0.0.1:{port}" for port in ports]
    configuration = servers.deployed_nginx(addresses, proxy_port, tls_port, servers.certificate(tmp_path))
    with servers.nginx(configuration, proxy_port) as proxy:
        # These are tried at the first one too, which is not there.
        async with serving(tmp_path, port=ports[1]), visitor(proxy.url), visitor(proxy.url):
            pass
        async with serving(tmp_path, port=ports[0]), AsyncExitStack() as stack:
            for _ in range(5):
                await stack.enter_async_context(visitor(proxy.url))


async def _process_of(cluster: Cluster, epoch: str) -> LiveBot:
    for bot in cluster.bots:
        async with visitor(bot.url, begun=False) as direct:
            if (await direct.begin())["epoch"] == epoch:
                return bot
    raise AssertionError


def _kill(bot: LiveBot) -> None:
    os.kill(child(bot.process.pid, "bot.rasa_cli"), signal.SIGKILL)


def test_processes_refuse_to_start_without_their_servers(tmp_path: Path):
    for name, url in (
        ("DATABASE_URL", f"postgresql://bot:{PASSWORD}@127.0.0.1:{free_port()}/x"),
        ("REDIS_URL", f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"),
    ):
        environment = {**os.environ, name: url, "PORT": str(free_port()), "STATE_FOLDER": str(tmp_path)}
        command = [sys.executable, "-m", "bot.serve"]
        result = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        message = result.stderr.strip()
        assert result.returncode == 1 and name in message and "\n" not in message and PASSWORD not in message
        assert re.search(r"(Start it|correct)", message) and "Traceback" not in message
