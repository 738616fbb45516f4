"""Synapse, the Matrix home server, on loopback, in a cached environment of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from bot.evaluation.live import free_port

LOCK = Path(__file__).resolve().parents[2] / "requirements" / "synapse.lock"
START_SECONDS = 60
PASSWORD = "a password of the tests"
_UNLIMITED = {"per_second": 1000, "burst_count": 1000}


class NotInstallable(Exception):
    """Synapse can neither be found nor installed here; the message says why."""


@dataclass(frozen=True)
class Synapse:
    """A running home server with the bot's account."""

    url: str
    shared_secret: str
    bot: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What makes a bot use this server."""
        return {"MATRIX_HOMESERVER": self.url, "MATRIX_USER": self.bot, "MATRIX_PASSWORD": PASSWORD}

    def with_bot(self, name: str) -> Synapse:
        """Gives the same server with an account for another bot."""
        return replace(self, bot=self.register(name))

    def register(self, name: str) -> str:
        """Makes an account with the tests' password and gives its id."""
        return self.account(name)["user_id"]

    def account(self, name: str) -> dict[str, str]:
        """Makes an account and gives its session: user_id, device_id and access_token."""
        address = f"{self.url}/_synapse/admin/v1/register"
        nonce = _json(urllib.request.Request(address))["nonce"]
        proof = "\0".join([nonce, name, PASSWORD, "notadmin"]).encode()
        mac = hmac.new(self.shared_secret.encode(), proof, hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": name, "password": PASSWORD, "admin": False, "mac": mac}
        return _json(urllib.request.Request(address, json.dumps(body).encode()))


@contextmanager
def running_synapse(folder: Path) -> Iterator[Synapse]:
    """Runs a home server in `folder`, without federation or limits.

    Raises:
        NotInstallable: There is no Synapse and none can be installed.
    """
    python = _environment()
    server = Synapse(f"http://127.0.0.1:{(port := free_port())}", secrets.token_hex(32))
    config = folder / "homeserver.yaml"
    config.write_text(yaml.safe_dump(_config(folder, port, server.shared_secret)))
    command = [str(python), "-m", "synapse.app.homeserver", "-c", str(config)]
    log = (folder / "out.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + START_SECONDS
        while not _up(server.url):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("Synapse did not start:\n" + (folder / "out.log").read_text()[-2000:])
            time.sleep(0.1)
        yield server.with_bot("spasms")
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def _environment() -> Path:
    """Gives the Python that has Synapse; installs the locked packages once a lock.

    It stands on the system's Python, not on this project's environment: the cache outlives the
    folder in which the tests happen to run.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "muscle-spasm-assistant"
    home = cache / f"synapse-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    python = home / "bin" / "python"
    if (home / "installed").exists() and _starts(python):
        return python
    shutil.rmtree(home, ignore_errors=True)
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    for command in (
        [_system_python(), "-m", "venv", str(home)],
        [*pip, "--no-deps", "--require-hashes", "-r", str(LOCK)],
    ):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise NotInstallable(f"Synapse, the tests' Matrix server, could not be installed: {reason}")
    (home / "installed").touch()
    return python


def _system_python() -> str:
    return str(Path(sys.base_exec_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def _starts(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", "import synapse"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _config(folder: Path, port: int, shared_secret: str) -> dict[str, object]:
    key = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    (folder / "signing.key").write_text(f"ed25519 a_test {key}\n")
    log = folder / "log.yaml"
    handler = {"class": "logging.FileHandler", "filename": str(folder / "synapse.log")}
    logging = {"version": 1, "handlers": {"file": handler}, "root": {"level": "WARNING", "handlers": ["file"]}}
    log.write_text(yaml.safe_dump(logging))
    resources = [{"names": ["client"], "compress": False}]
    listener = {"port": port, "bind_addresses": ["127.0.0.1"], "tls": False, "type": "http", "resources": resources}
    return {
        "server_name": "localhost",
        "pid_file": str(folder / "synapse.pid"),
        "listeners": [listener],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "synapse.db")}},
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "log_config": str(log),
        "registration_shared_secret": shared_secret,
        "macaroon_secret_key": secrets.token_hex(32),
        "form_secret": secrets.token_hex(32),
        "report_stats": False,
        "trusted_key_servers": [],
        "federation_domain_whitelist": [],
        "presence": {"enabled": False},
        "url_preview_enabled": False,
        "bcrypt_rounds": 4,
        "rc_message": _UNLIMITED,
        "rc_registration": _UNLIMITED,
        "rc_login": {"address": _UNLIMITED, "account": _UNLIMITED, "failed_attempts": _UNLIMITED},
        "rc_joins": {"local": _UNLIMITED, "remote": _UNLIMITED},
        "rc_invites": {"per_room": _UNLIMITED, "per_user": _UNLIMITED, "per_issuer": _UNLIMITED},
        "rc_room_creation": _UNLIMITED,
    }


def _up(url: str) -> bool:
    try:
        return bool(_json(urllib.request.Request(f"{url}/_matrix/client/versions")))
    except (urllib.error.URLError, OSError):
        return False


def _json(request: urllib.request.Request) -> dict[str, str]:
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
