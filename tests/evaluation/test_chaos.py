"""The chaos report calls things by their names: a report that cannot find a fault proves nothing."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.channels.turns import failure
from bot.evaluation import chaos, harms
from bot.evaluation.chaos import EMERGENCY, FAULTS, Person, Report, Talk
from bot.evaluation.harms import ALONE, CLOCK, CLUSTER, Target, adjustable_clock
from bot.evaluation.live import LiveBot
from bot.evaluation.stored import compare, exchanges, is_sound
from bot.evaluation.visitors import Sent, visitor
from tests.web.harness import ThreadedServer

ANSWER = {"kind": "answer", "body_part": "calf"}
SEEN = [("t1", "one"), ("t2", "two"), ("t3", "three")]


@pytest.mark.parametrize(
    ("knows", "text", "custom", "said", "verdict"),
    [
        (True, "what causes it?", ANSWER, "I understood: calf", "answered"),
        (True, "what causes it?", {**ANSWER, "body_part": "foot"}, "x", "wrong_person"),
        (True, "what causes it?", {**ANSWER, "body_part": None}, "x", "lost_conversation"),
        (False, "what causes it?", {**ANSWER, "body_part": None}, "x", "answered"),
        (True, EMERGENCY, {"kind": "emergency"}, "Call 112", "answered"),
        (True, EMERGENCY, ANSWER, "x", "unscreened"),
        (True, EMERGENCY, {"kind": "fallback"}, failure("s")[0]["text"], "apology"),
        (True, "what causes it?", {"kind": "fallback"}, failure("s", "crowded")[0]["text"], "apology"),
    ],
)
def test_each_reply_is_called_what_it_is(knows: bool, text: str, custom: dict, said: str, verdict: str):
    assert Person("calf", knows=knows).judge(text, custom, said) == verdict


@pytest.mark.parametrize(
    ("stored", "differences"),
    [
        (SEEN, []),
        ([("t0", "never seen"), *SEEN], []),
        (SEEN[:2], [("not_stored", "t3")]),
        ([*SEEN, SEEN[0]], [("stored_twice", "t1")]),
        ([("t0", "x"), ("t0", "x"), *SEEN], [("stored_twice", "t0")]),
        ([SEEN[0], SEEN[2], SEEN[1]], [("out_of_order", "t3")]),
        ([*SEEN[:2], ("t3", "another")], [("reply_changed", "t3")]),
    ],
)
def test_each_difference_to_what_is_stored_is_found(stored: list, differences: list):
    assert [(each.fault, each.turn) for each in compare(SEEN, stored)] == differences


def test_exchanges_are_read_from_rasas_events():
    events = [
        ("action", {}),
        ("user", {"text": "a", "metadata": {"turn": "t1"}}),
        ("bot", {"text": "one"}),
        ("bot", {"text": None, "data": {"custom": {}}}),
        ("user", {"text": "b"}),
    ]
    assert exchanges((kind, json.dumps(data)) for kind, data in events) == [("t1", "one"), ("", "")]


def test_a_damaged_database_is_told(tmp_path: Path):
    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table t (x)');"
    code += "c.executemany('insert into t values (?)', [('x' * 500,)] * 200); c.commit()"
    subprocess.run([sys.executable, "-c", code, str(whole)], check=True)
    data = bytearray(whole.read_bytes())
    data[4096:4196] = b"\xff" * 100
    broken.write_bytes(data)
    assert is_sound(f"sqlite:///{whole}") and not is_sound(f"sqlite:///{broken}")


def test_what_must_never_be_makes_a_report_unclean():
    clean = {**dict.fromkeys(FAULTS, 0), "recovered": True, "sound": True}
    assert chaos.is_clean(clean) and {"unscreened", "wrong_person", "lost_conversation"} < set(FAULTS)
    assert not any(chaos.is_clean({**clean, fault: 1}) for fault in FAULTS)
    assert not chaos.is_clean({**clean, "recovered": False}) and not chaos.is_clean({**clean, "sound": False})


def test_all_that_can_be_struck_has_a_name():
    assert set(ALONE) == {"kill-bot", "kill-actions", "hang-actions", "slow-store", "full-disk", "clock-jump"}
    servers = {"kill-postgres", "hang-postgres", "kill-redis", "hang-redis", "kill-nginx"}
    assert set(CLUSTER) == set(ALONE) | servers
    alone = Target("", [], "sqlite:///x", [])
    assert set(harms.possible(alone)) == set(ALONE) - {"full-disk"} | {"two-together"}


def test_people_tell_where_it_hurts_first_and_have_an_emergency_now_and_then():
    person = Person("foot")
    said = []
    for _ in range(16):
        said.append(person.next_message())
        person.judge(said[-1], {"kind": "emergency" if said[-1] == EMERGENCY else "answer", "body_part": "foot"}, "x")
    assert "foot" in said[0] and said[1] == "what causes it?" and said.count(EMERGENCY) == 2


def test_people_take_an_emergency_back_before_they_go_on():
    person = Person("foot", said=7)
    assert person.judge(person.next_message(), {"kind": "emergency"}, "Call 999 now.") == "answered"
    assert person.judge("what causes it?", {"kind": "emergency", "body_part": "chest"}, "Call 999 now.") == "answered"
    taken_back = person.next_message()
    assert "foot" not in taken_back and person.next_message() == taken_back, "until it is answered"
    assert person.judge(taken_back, {"kind": "answer", "body_part": "chest"}, "Good.") == "answered"
    assert "foot" in person.next_message()
    assert person.judge("what causes it?", {"kind": "answer", "body_part": "chest"}, "x") == "wrong_person"


def test_people_say_again_where_it_hurts_until_that_is_answered():
    person = Person("foot")
    place = person.next_message()
    assert person.judge(place, {"kind": "fallback"}, failure("s")[0]["text"]) == "apology"
    assert person.next_message() == place
    assert person.judge(place, {"kind": "answer", "body_part": "foot"}, "x") == "answered"
    assert person.next_message() == "what causes it?"


async def test_a_clock_jumps_for_the_process_that_follows_it(tmp_path: Path):
    code = "import time\nfor _ in range(2): print(time.time(), flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], env=adjustable_clock(tmp_path), text=True, **pipes) as process:
        before = float(process.stdout.readline())
        (tmp_path / CLOCK).write_text("-3000")
        await asyncio.sleep(0.3)
        process.stdin.write("\n")
        process.stdin.flush()
        after = float(process.stdout.readline())
        process.stdin.write("\n")
    assert -3000 < after - before < -2990


async def test_who_is_not_answered_in_time_is_counted_by_what_their_widget_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chaos, "PATIENCE_SECONDS", 0.05)
    report = Report()
    for offline in (True, False):
        silent = SimpleNamespace(say=lambda text, offline=offline: Sent(text, offline))
        await Talk(Person("calf"), silent).turn(report)
    assert report.as_dict() | {"unreachable": 1, "late": 1, "answered_percent": 0.0} == report.as_dict()


async def test_a_fault_is_told_with_its_moment_and_the_harm_before_it():
    def say(text: str) -> Sent:
        sent = Sent(text, False)
        sent.reply.set_result({"text": "x", "metadata": {"custom": {**ANSWER, "body_part": "foot"}}})
        return sent

    report = Report(harm="kill-bot")
    await Talk(Person("calf"), SimpleNamespace(say=say)).turn(report)
    assert report.faults == ["wrong_person: 0 s, kill-bot"]


async def test_a_visitor_sends_again_what_a_bot_took_with_it_when_it_died(tmp_path: Path):
    server = await asyncio.to_thread(ThreadedServer(tmp_path).start)
    try:
        async with visitor(server.url, 1) as one:
            assert (await asyncio.wait_for(one.say("hello").reply, 10))["text"] == "You said: hello"
            await asyncio.to_thread(server.stop)
            message = one.say("are you there?")
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.start)
            assert (await asyncio.wait_for(message.reply, 10))["text"] == "You said: are you there?"
            assert message.offline and one.conversation.startswith("web-") and not one.strange
    finally:
        await asyncio.to_thread(server.stop)


@pytest.mark.server
@pytest.mark.model
async def test_a_short_chaos_loses_nothing(bot: LiveBot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(harms, "HELD_SECONDS", 1.0)
    monkeypatch.setattr(chaos, "PEOPLE_PER_RATE", 4)
    target = Target(bot.url, [bot], f"sqlite:///{bot.log.parent}/conversations.db", [])
    found = await chaos.run(target, rate=4, minutes=0.15, pause=2, names=["kill-actions", "slow-store"])
    assert chaos.is_clean(found) and found["messages"] > 20
    assert sum(row["times"] for row in found["harms"].values()) > 1
    told = {"setting": "alone", "rate": 4, "minutes": 0.15, "when": "now", "machine": "here"}
    assert "| all |" in chaos.table(found | told)
