"""Real PostgreSQL, Redis and nginx servers on loopback, and a cluster of them, each for the length of a block."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.evaluation.live import LiveBot, free_port, live_bot
from bot.evaluation.processes import tree
from bot.train import ROOT

START_SECONDS = 30
PASSWORD = "p4ssw0rd-of-the-tests"
# How often a service manager looks, and how long it waits before it starts again what died.
LOOK_SECONDS, RESTART_SECONDS = 0.1, 0.5
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
        """Kills it and all its processes, as a crash of its machine would."""
        self.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to each of its processes."""
        for pid in tree(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def again(self) -> None:
        """Starts it again on what it kept."""
        self.process = self.start()


@contextmanager
def kept_running(*servers: Server) -> Iterator[None]:
    """Starts servers again when they die, as systemd or a container's restart policy does."""
    ended = threading.Event()

    def keep(server: Server) -> None:
        while not ended.wait(LOOK_SECONDS):
            if server.process.poll() is not None and not ended.wait(RESTART_SECONDS):
                server.again()

    keepers = [threading.Thread(target=keep, args=(server,)) for server in servers]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        ended.set()
        for keeper in keepers:
            keeper.join()


@contextmanager
def postgres(*settings: str, within: Path | None = None) -> Iterator[Server]:
    """A PostgreSQL with one database whose owner needs a password.

    Args:
        settings: Settings such as `fsync=off`.
        within: Folder to keep it in, if not the one for temporary files.
    """
    folder, port = _folder("postgres", within), free_port()
    servant = {"user": SERVANT} if os.geteuid() == 0 else {}
    (folder / "password").write_text(PASSWORD)
    if servant:
        for path in (folder, folder / "password"):
            shutil.chown(path, SERVANT)
    data = folder / "data"
    _run(
        program("initdb"), "-D", str(data), "-U", "bot", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8",
        f"--pwfile={folder / 'password'}", **servant,
    )  # fmt: skip

    def start() -> subprocess.Popen[bytes]:
        (data / "postmaster.pid").unlink(missing_ok=True)
        own = (f"unix_socket_directories={folder}", "listen_addresses=127.0.0.1")
        options = [word for setting in (*own, *settings) for word in ("-c", setting)]
        command = [program("postgres"), "-D", str(data), "-p", str(port), *options]
        process = _start(command, folder / "log", **servant)
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        ask = [program("psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "bot", "-d", "postgres", "-c", "select 1"]
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
        command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir"]
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
        (folder / "nginx.pid").unlink(missing_ok=True)
        command = [program("nginx"), "-c", str(path), "-p", str(folder), "-g", "daemon off;"]
        process = _start(command, folder / "log")
        _wait(lambda: (folder / "nginx.pid").exists(), folder)
        return process

    with _served(Server(f"http://127.0.0.1:{port}", start(), folder / "log", start)) as server:
        yield server


def deployed_nginx(bots: list[str], port: int, tls_port: int, tls: Path) -> str:
    """Gives deploy/nginx.conf for these bots; but for addresses and folders it is what is deployed."""
    changes = {
        "server bot:5005 max_fails=0;": "\n".join(f"server {bot} max_fails=0;" for bot in bots),
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


@dataclass
class Cluster:
    """Bots, what they share, and what is in front of them."""

    bots: list[LiveBot]
    url: str
    tls_port: int
    postgres: Server
    redis: Server
    proxy: Server


@contextmanager
def cluster(
    folder: Path,
    postgres: Server,
    redis: Server,
    bots: int = 2,
    own: Callable[[Path], dict[str, Any]] = lambda _: {},
    **environment: str,
) -> Iterator[Cluster]:
    """Runs bots behind nginx as it is deployed.

    Args:
        folder: Folder for their state.
        postgres: What they store in.
        redis: What they share locks and sessions in.
        bots: How many.
        own: Gives the variables that one bot has for itself, by its folder.
        environment: Variables of all.
    """
    common: dict[str, Any] = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url, **environment}
    folders = [folder / f"bot-{number}" for number in range(bots)]
    for each in folders:
        each.mkdir()
    with ExitStack() as stack:
        with ThreadPoolExecutor() as pool:
            runs = [live_bot(each, **common, **own(each)) for each in folders]
            running = [future.result() for future in [pool.submit(stack.enter_context, run) for run in runs]]
        port, tls_port = free_port(), free_port()
        addresses = [bot.url.removeprefix("http://") for bot in running]
        configuration = deployed_nginx(addresses, port, tls_port, certificate(folder))
        proxy = stack.enter_context(nginx(configuration, port))
        yield Cluster(running, proxy.url, tls_port, postgres, redis, proxy)


def certificate(folder: Path) -> Path:
    """Makes a certificate that nobody vouches for."""
    _run(
        program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
        "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"),
    )  # fmt: skip
    return folder


def _folder(name: str, within: Path | None = None) -> Path:
    """Gives a folder that another user may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix=f"spasm-{name}-", dir=within))
    folder.chmod(0o755)
    return folder


def program(name: str) -> str:
    """Gives the path of a server's program.

    Raises:
        NotInstalled: It is not here.
    """
    found = shutil.which(name) or next((str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if not found:
        raise NotInstalled(f"{name} is not installed here")
    return found


def _run(*command: str, **options: Any) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/", **options)


def _start(command: list[str], log: Path, **options: Any) -> subprocess.Popen[bytes]:
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
            server.send_signal(signal.SIGCONT)
            server.process.send_signal(signal.SIGINT if "postgres" in server.url else signal.SIGTERM)
            server.process.wait(timeout=20)
        shutil.rmtree(server.log.parent, ignore_errors=True)
