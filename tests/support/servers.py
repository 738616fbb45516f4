"""Real PostgreSQL, Redis and nginx servers on loopback, each for the length of a block."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bot.evaluation.live import free_port
from bot.train import ROOT

START_SECONDS = 30
PASSWORD = "p4ssw0rd-of-the-tests"
# PostgreSQL refuses to run as root.
SERVANT = "nobody"


class NotInstalled(Exception):
    """A server's program is not here."""


@dataclass
class Server:
    """A running server; `stop` is for faults, the block ends it anyway."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    start: Callable[[], subprocess.Popen[bytes]]

    def kill(self) -> None:
        """Kills it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def again(self) -> None:
        """Starts it again on what it kept."""
        self.process = self.start()


@contextmanager
def postgres() -> Iterator[Server]:
    """A PostgreSQL with one database, `bot`, whose owner needs a password."""
    folder, port = _folder("postgres"), free_port()
    servant = {"user": SERVANT} if os.geteuid() == 0 else {}
    (folder / "password").write_text(PASSWORD)
    if servant:
        for path in (folder, folder / "password"):
            shutil.chown(path, SERVANT)
    data = folder / "data"
    _run(
        _program("initdb"), "-D", str(data), "-U", "bot", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8",
        f"--pwfile={folder / 'password'}", **servant,
    )  # fmt: skip

    def start() -> subprocess.Popen[bytes]:
        (data / "postmaster.pid").unlink(missing_ok=True)
        options = ("-c", "fsync=off", "-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1")
        command = [_program("postgres"), "-D", str(data), "-p", str(port), *options]
        process = _start(command, folder / "log", **servant)
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        ask = [_program("psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "bot", "-d", "postgres", "-c", "select 1"]
        _wait(lambda: subprocess.run(ask, env=environment, capture_output=True, check=False).returncode == 0, folder)
        return process

    url = f"postgresql://bot:{PASSWORD}@127.0.0.1:{port}/postgres"
    with _served(Server(url, start(), folder / "log", start)) as server:
        yield server


@contextmanager
def redis() -> Iterator[Server]:
    """A Redis that keeps nothing on disk and needs a password."""
    folder, port = _folder("redis"), free_port()
    client = [shutil.which("redis-cli") or "", "-p", str(port), "-a", PASSWORD, "ping"]

    def start() -> subprocess.Popen[bytes]:
        command = [_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        process = _start([*command, str(folder), "--requirepass", PASSWORD], folder / "log")
        _wait(lambda: b"PONG" in subprocess.run(client, capture_output=True, check=False).stdout, folder)
        return process

    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    with _served(Server(url, start(), folder / "log", start)) as server:
        yield server


@contextmanager
def nginx(configuration: str, port: int) -> Iterator[Server]:
    """An nginx with a configuration, in which {folder} stands for a folder of its own."""
    folder = _folder("nginx")
    path = folder / "nginx.conf"
    path.write_text(configuration.replace("{folder}", str(folder)))

    def start() -> subprocess.Popen[bytes]:
        command = [_program("nginx"), "-c", str(path), "-p", str(folder), "-g", "daemon off;"]
        process = _start(command, folder / "log")
        _wait(lambda: (folder / "nginx.pid").exists(), folder)
        return process

    with _served(Server(f"http://127.0.0.1:{port}", start(), folder / "log", start)) as server:
        yield server


def deployed_nginx(bots: list[str], port: int, tls_port: int, tls: Path) -> str:
    """Gives deploy/nginx.conf for these bots; but for addresses and folders it is what is deployed."""
    changes = {
        "server bot:5005 max_fails=1 fail_timeout=5s;": "\n".join(
            f"server {bot} max_fails=1 fail_timeout=5s;" for bot in bots
        ),
        "server messaging:5005;": f"server {bots[0]};",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{tls_port} ssl http2; listen 127.0.0.1:{port};",
        "/etc/nginx/tls": str(tls),
        "/tmp/nginx": "{folder}/nginx",
        "worker_processes auto;": "worker_processes 1;",
    }
    configuration = (ROOT / "deploy" / "nginx.conf").read_text()
    for before, after in changes.items():
        assert before in configuration, before
        configuration = configuration.replace(before, after)
    return configuration


def certificate(folder: Path) -> Path:
    """Makes a certificate that nobody vouches for."""
    _run(
        _program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
        "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"),
    )  # fmt: skip
    return folder


def _folder(name: str) -> Path:
    """Gives a folder that another user may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix=f"spasm-{name}-"))
    folder.chmod(0o755)
    return folder


def _program(name: str) -> str:
    found = shutil.which(name) or next((str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if not found:
        raise NotInstalled(f"{name} is not installed here")
    return found


def _run(*command: str, **options: str) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/", **options)


def _start(command: list[str], log: Path, **options: str) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, cwd="/", **options)


def _wait(ready: Callable[[], bool], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > until:
            raise RuntimeError("a server did not start:\n" + (folder / "log").read_text(errors="replace")[-2000:])
        time.sleep(0.05)


@contextmanager
def _served(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        with suppress(ProcessLookupError):
            server.process.send_signal(signal.SIGINT if "postgres" in server.url else signal.SIGTERM)
            server.process.wait(timeout=20)
        shutil.rmtree(server.log.parent, ignore_errors=True)
