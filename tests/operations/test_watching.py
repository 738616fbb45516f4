"""Versions, metrics, dashboard and logs: they tell what happened, and nothing of anybody."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import __version__, metrics
from bot.errors import ConfigError
from bot.evaluation.live import LiveBot
from bot.knowledge.loader import load_knowledge
from bot.logs import JsonLines
from bot.settings import read_settings
from bot.train import ROOT

Samples = dict[tuple[str, ...], float]


def fetch(url: str, **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=named), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(text: str) -> Samples:
    return {
        (sample.name, *sorted(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.server
@pytest.mark.model
def test_version_names_what_runs(bot: LiveBot, model: str):
    status, body = fetch(f"{bot.url}/version")
    assert status == 200 and json.loads(body) == {
        "bot": __version__,
        "rasa": version("rasa"),
        "model": Path(model).name.removesuffix(".tar.gz"),
        "knowledge": load_knowledge().digest[:12],
    }


def test_the_project_has_one_version():
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.server
@pytest.mark.model
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("what causes cramp in my zygomaticus?", "answer"),
        ("crushing chest pain and my left arm is numb", "emergency"),
        ("flurbish quonk znarf", "fallback"),
    ],
)
def test_a_turn_is_counted_by_channel_kind_and_rule(bot: LiveBot, text: str, kind: str):
    before = samples(fetch(f"{bot.url}/metrics")[1])
    sender = bot.conversation()
    reply = bot.say(text, sender)
    body = fetch(f"{bot.url}/metrics")[1]
    after = samples(body)

    def grown(*key: str) -> float:
        return after.get(key, 0) - before.get(key, 0)

    assert reply.custom["kind"] == kind
    assert grown("bot_turns_total", "channel=rest", f"kind={kind}") == 1
    assert grown("bot_turn_seconds_count", "channel=rest") == 1
    assert 0 < grown("bot_turn_seconds_sum", "channel=rest") < 10
    assert grown("bot_rules_fired_total", f"rule={reply.custom['rule']}") == (kind == "emergency")
    assert sender not in body and not set(text.split()) & {"zygomaticus?", "znarf"} & set(body.split())


async def test_failures_are_counted_by_cause():
    from bot.channels.turns import take_turn

    async def broken(_):
        raise RuntimeError

    async def silent(_):
        return None

    for turn, cause in ((broken, "error"), (silent, "silent")):
        key = ("bot_turn_failures_total", f"cause={cause}", "channel=rest")
        before = samples(metrics.exposition().decode()).get(key, 0)
        await take_turn(turn, "x", "s", "rest")
        after = samples(metrics.exposition().decode())
        assert after[key] == before + 1
    assert after["bot_turns_total", "channel=rest", "kind=failure"] >= 2
    assert after["bot_turns_under_way",] == 0


def test_a_kind_that_nobody_knows_makes_no_new_label():
    metrics.count_turn("rest", 0.1, {"kind": "made up"}, None)
    assert "made up" not in metrics.exposition().decode()


@pytest.mark.server
@pytest.mark.model
@pytest.mark.parametrize("page", ["version", "metrics"])
def test_pages_for_operators_are_hidden_from_others(bot: LiveBot, page: str):
    status, body = fetch(f"{bot.url}/{page}", X_Forwarded_For="203.0.113.9")
    assert status == 404 and "bot" not in json.loads(body)


async def test_a_token_lets_operators_ask_from_elsewhere(tmp_path: Path):
    from types import SimpleNamespace

    from bot.channels.operations import Operations

    token = "0123456789abcdef0123456789abcdef"
    may_ask = Operations(read_settings({"METRICS_TOKEN": token}))._may_ask
    for shown, allowed in ((token, True), ("", False), (token[:-1], False), ("é" * 32, False)):
        request = SimpleNamespace(ip="203.0.113.9", headers={"authorization": f"Bearer {shown}"})
        assert may_ask(request) is allowed


def test_processes_that_share_a_folder_count_together(tmp_path: Path):
    environment = {**os.environ, metrics.MULTIPROCESS: str(tmp_path), "PYTHONPATH": str(ROOT)}
    code = "from bot import metrics; metrics.count_turn('rest', 0.1, {'kind': 'answer'}, None); print(%s)"
    run = [sys.executable, "-c"]
    for shown in ("''", "metrics.exposition().decode()"):
        done = subprocess.run(
            [*run, code % shown], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
        )
    assert samples(done.stdout)["bot_turns_total", "channel=rest", "kind=answer"] == 2


def exposed() -> set[str]:
    return {family.name for family in text_string_to_metric_families(metrics.exposition().decode())}


def test_the_dashboard_asks_for_metrics_that_exist():
    dashboard = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
    asked = {
        name for panel in dashboard["panels"] for target in panel["targets"]
        for name in re.findall(r"\b(?:bot|process)_\w+", target["expr"])
    }  # fmt: skip
    stems = {re.sub(r"_(total|bucket)$", "", name) for name in asked}
    assert len(stems) >= 8 and stems <= exposed()
    assert stems >= {name for name in exposed() if name.startswith("bot_")}, "a metric is shown nowhere"


def test_every_metric_is_described():
    page = (ROOT / "docs" / "operations.md").read_text()
    ours = {name for name in exposed() if name.startswith("bot_")}
    assert ours and not [name for name in ours if f"`{name}" not in page]


def test_a_line_of_the_log_tells_an_exceptions_type_and_never_its_message():
    try:
        raise ValueError("SECRET words")
    except ValueError:
        record = logging.LogRecord("bot.x", logging.ERROR, __file__, 1, "it %s", ("failed",), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "it failed" and line["level"] == "error" and line["error"] == "ValueError"
    assert line["where"] and "SECRET" not in json.dumps(line)


def test_rasas_structured_messages_become_fields():
    record = logging.LogRecord("rasa", logging.WARNING, "", 1, '{"event": "x.y", "level": "warning", "n": 1}', (), None)
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["n"], line["level"]) == ("x.y", 1, "warning")


@pytest.mark.parametrize(
    ("name", "value"), [("LOG_FORMAT", "xml"), ("METRICS_TOKEN", "short"), ("WEB_SECRET", "a" * 64)]
)
def test_settings_that_cannot_be_used_are_told(name: str, value: str):
    with pytest.raises(ConfigError, match=name):
        read_settings({name: value})
