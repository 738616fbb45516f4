"""Runs bot and action server under one supervisor (`python -m bot.serve`), which starts again what dies or hangs."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from bot import logs
from bot.database import check_database
from bot.discretion import refuse_debugging
from bot.environment import quiet_environment
from bot.errors import BotError, ConfigError
from bot.knowledge.loader import load_knowledge
from bot.knowledge.numbers import numbers
from bot.language.encoder import check_weights
from bot.metrics import MULTIPROCESS
from bot.settings import Settings, read_settings
from bot.shared import check_redis
from bot.supervisor import Part, Supervisor
from bot.train import ROOT, current_model

# Has no protection: any page or program that reaches it can talk as anybody.
LOCAL_ONLY = "bot.channels.rest.LoopbackRest"
STOPPED_BY_SIGNAL = (130, 143)
READY_SECONDS = 120
# Seconds without an answer after which a part hangs. An action takes milliseconds; the bot may compute for a while.
ACTIONS_PATIENCE, BOT_PATIENCE = 2.0, 30.0


def main() -> int:
    """Checks, trains when needed, and serves until stopped.

    Returns:
        0 when stopped by a signal, else what the part that died returned (never 0).
    """
    try:
        settings = read_settings()
        check(settings)
        model = current_model()
    except BotError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    supervisor = _supervisor(settings, model)
    _tell(settings, "Starting bot and action server (about 15 seconds)")
    threading.Thread(target=_announce, args=(settings,), daemon=True).start()
    supervisor.loop()
    code = supervisor.returncode or 1
    return 0 if code in STOPPED_BY_SIGNAL else code


def check(settings: Settings) -> None:
    """Checks what can be wrong before anything is started.

    Raises:
        BotError: Something is wrong; the message says what to do.
    """
    refuse_debugging(sys.argv[1:], os.environ)
    load_knowledge()
    check_weights()
    numbers(settings.country)
    if settings.database_url:
        check_database(settings.database_url)
    if settings.redis_url:
        check_redis(settings.redis_url)
    if _taken(settings.host, settings.port):
        raise ConfigError(
            f"Port {settings.port} on {settings.host} is taken: something else runs there, perhaps this bot. "
            f"Stop it, or choose another port, for example `PORT={settings.port + 1} make run`."
        )


def _supervisor(settings: Settings, model: Path) -> Supervisor:
    state = settings.state
    state.mkdir(parents=True, exist_ok=True)
    if shared := os.environ.get(MULTIPROCESS):
        Path(shared).mkdir(parents=True, exist_ok=True)
    port = settings.actions_port or _free_port()
    environment = quiet_environment(
        ACTION_ENDPOINT_URL=f"http://127.0.0.1:{port}/webhook",
        CONVERSATIONS_URL=settings.conversations_url,
        RETENTION_DAYS=str(settings.retention_days),
        REDIS_URL=settings.redis_url or "",
        # One process serves in one worker; more are started beside it (docs/scaling.md).
        SANIC_WORKERS="1",
        HOST=settings.host,
        PORT=str(settings.port),
    )
    python = shlex.quote(sys.executable)
    # The actions listen on loopback only (bot.action_server); Rasa's own command listens everywhere.
    actions = f"exec {python} -m bot.action_server {port}"
    bot = (
        f"exec {python} -m bot.rasa_cli run --quiet --model {shlex.quote(str(model))} --endpoints endpoints.yml "
        f"--credentials {shlex.quote(str(credentials(settings)))} --interface {settings.host} --port {settings.port}"
    )
    parts = {
        "actions": Part(actions, f"http://127.0.0.1:{port}/health", ACTIONS_PATIENCE),
        "bot": Part(bot, _url(settings), BOT_PATIENCE),
    }
    return Supervisor(parts, environment, str(ROOT), json_lines=settings.log_format == "json")


def _url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _tell(settings: Settings, text: str) -> None:
    print(logs.line(text) if settings.log_format == "json" else f"==> {text}", flush=True)


def credentials(settings: Settings) -> Path:
    """Gives the list of channels to run; the REST channel is left out where other machines could reach it."""
    listed = ROOT / settings.credentials
    channels = yaml.safe_load(listed.read_text(encoding="utf-8"))
    if settings.loopback or LOCAL_ONLY not in channels:
        return listed
    _tell(
        settings,
        f"HOST is {settings.host}, which other machines can reach: the REST channel stays off (it has no "
        "protection). The web widget and the other channels are on.",
    )
    del channels[LOCAL_ONLY]
    path = settings.state / "credentials.yml"
    path.write_text(yaml.safe_dump(channels), encoding="utf-8")
    return path


def _announce(settings: Settings) -> None:
    """Says where to chat as soon as the bot can answer."""
    url = _url(settings)
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                if json.load(answer)["status"] == "ok":
                    _tell(settings, f"Ready. Chat at {url}/chat/ or in a terminal with `make chat`. Ctrl-C stops.")
                    return
        except (urllib.error.URLError, OSError, ValueError, KeyError):
            pass
        time.sleep(0.5)


def _taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
