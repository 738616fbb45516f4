"""Starting and stopping: clear errors, what dies is started again, and everything stops together."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from honcho.printer import Message
from processes import children, command, running

from bot import train
from bot.chat import healthy
from bot.errors import ConfigError, KnowledgeError, ModelError
from bot.evaluation.live import live_bot
from bot.knowledge.numbers import numbers
from bot.serve import check, credentials
from bot.settings import Settings, read_settings
from bot.supervisor import JsonPrinter, Part, PatientPrinter, Supervisor

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[2]
# Places among a part's processes.
COPIED, SERVES = 0, -1


def serve(**environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environment}
    command = [sys.executable, "-m", "bot.serve"]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False)


def test_taken_port_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = serve(PORT=str(port))
    assert result.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in result.stderr and f"PORT={port + 1} make run" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_open_host_runs_without_the_rest_channel(tmp_path: Path, capsys):
    settings = read_settings({"HOST": "0.0.0.0", "STATE_FOLDER": str(tmp_path)})
    channels = yaml.safe_load(credentials(settings).read_text())
    assert "bot.channels.web.Web" in channels and not [name for name in channels if "rest" in name]
    assert "REST channel stays off" in capsys.readouterr().out
    assert credentials(Settings()) == ROOT / "credentials.yml"


@pytest.mark.parametrize("name", ["WEB_SECRET", "WEB_ORIGINS", "WEB_PROXIES"])
@pytest.mark.parametrize("value", ["short", "https://site.example/path", "example.com"])
def test_web_settings_that_cannot_be_used_are_told(name: str, value: str):
    with pytest.raises(ConfigError, match=name):
        read_settings({name: value})


@pytest.mark.parametrize("value", ["x", "-1", "70000"])
def test_impossible_port_is_told(value: str):
    with pytest.raises(ConfigError, match=r"PORT is .* a port is a number"):
        read_settings({"PORT": value})


def test_unknown_country_is_told():
    with pytest.raises(ConfigError, match=r"COUNTRY is 'atlantis'.*gb"):
        numbers("atlantis")


def test_fault_in_the_knowledge_stops_the_start(monkeypatch: pytest.MonkeyPatch):
    def faulty():
        raise KnowledgeError("1 fault(s) in the knowledge base:\nfacts/000.yml: …")

    monkeypatch.setattr("bot.serve.load_knowledge", faulty)
    with pytest.raises(KnowledgeError):
        check(Settings())


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> Path:
    """A copy of the trained model and its stamp."""
    folder = tmp_path / "models"
    folder.mkdir()
    for source in (Path(model), train.STAMP):
        (folder / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(train, "MODELS", folder)
    monkeypatch.setattr(train, "STAMP", folder / "current.json")
    return folder


@pytest.mark.model
def test_whole_model_is_used_again(models: Path):
    assert train.current_model().parent == models


@pytest.mark.model
@pytest.mark.parametrize("harm", ["truncate", "unstamp", "other inputs"])
def test_broken_half_written_or_outdated_model_is_retrained(models: Path, monkeypatch, harm: str):
    path = next(models.glob("*.tar.gz"))
    if harm == "truncate":
        path.write_bytes(path.read_bytes()[:1000])
    elif harm == "unstamp":
        train.STAMP.write_text("{")
    else:
        monkeypatch.setattr(train, "inputs_digest", lambda: "other")
    trained = []
    monkeypatch.setattr(train, "_train", lambda inputs: trained.append(inputs) or path)
    train.current_model()
    assert trained


@pytest.mark.model
def test_model_of_another_version_is_told(model: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train, "version", lambda name: "9.9.9")
    with pytest.raises(ModelError, match=r"made by Rasa 3\.6\.21, but Rasa 9\.9\.9 is installed"):
        train.check_model(Path(model))


def test_damaged_model_named_by_hand_is_told(tmp_path: Path):
    broken = tmp_path / "m.tar.gz"
    broken.write_bytes(b"x")
    with pytest.raises(ModelError, match="missing or damaged"):
        train.check_model(broken)


def test_training_failure_names_the_fault(monkeypatch: pytest.MonkeyPatch):
    output = "progress\rbar\nSomeWarning: x\nYamlSyntaxException: Failed to read data/nlu/x.yml\n  in line 3\n"
    assert train._reason(output).startswith("YamlSyntaxException: Failed to read data/nlu/x.yml")


@pytest.mark.model
def test_what_dies_or_hangs_is_started_again_and_every_turn_is_answered(model: str, tmp_path: Path):
    with live_bot(tmp_path, LOG_FORMAT="json") as bot:
        sender = bot.conversation()
        for part in ("bot.action_server", "bot.rasa_cli"):  # what has threads cannot be copied
            assert len(running(bot.process.pid, part)) == 2

        def harm(part: str, which: int, number: signal.Signals) -> None:
            os.kill(running(bot.process.pid, part)[which], number)

        for which, number in ((SERVES, signal.SIGKILL), (SERVES, signal.SIGSTOP), (COPIED, signal.SIGKILL)):
            harm("bot.action_server", which, number)
            assert bot.say("what causes calf cramps?", sender).custom["kind"] == "answer"
            _until_well(bot.url)
        for which in (SERVES, COPIED):
            harm("bot.rasa_cli", which, signal.SIGKILL)
            _until_well(bot.url)
            assert "calf" in bot.say("what helps?", sender).text  # what was said before is still known
    lines = [json.loads(line) for line in bot.log.read_text().splitlines()]
    told = [(line["process"], line["message"]) for line in lines if {"process", "message"} <= line.keys()]
    assert [name for name, text in told if "takes its place" in text] == ["actions", "bot"]
    again = [text.split()[0] for _, text in told if "is started again" in text]
    assert again == ["actions", "actions", "bot"]


def _until_well(url: str) -> None:
    until = time.monotonic() + 90
    time.sleep(0.5)
    while not healthy(url):
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_full_disk_under_the_log_does_not_end_the_supervisor():
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    line = Message("line", b"{}\n", datetime.now(), "bot", None)
    for printer in (PatientPrinter(Full()), JsonPrinter(Full())):
        printer.write(line)


def test_a_part_that_never_comes_up_ends_everything(capfd):
    parts = {"one": Part("exec false", "http://127.0.0.1:1", 1.0), "other": Part("exec sleep 60", "http://x", 1.0)}
    supervisor = Supervisor(parts, dict(os.environ), str(ROOT), json_lines=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        supervisor.loop()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert supervisor.returncode == 1 and not parts["other"].pid
    assert "one could not start" in capfd.readouterr().out


@pytest.mark.model
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything(model: str, tmp_path: Path, signum: int):
    with live_bot(tmp_path) as bot:
        started = children(bot.process.pid)
        bot.process.send_signal(signum)
        assert bot.process.wait(timeout=30) == 0
        time.sleep(0.5)
        assert len(started) >= 2 and not [
            pid for pid in started if Path(f"/proc/{pid}/cmdline").exists() and command(pid)
        ]
