"""A real bot for tests and measurements: both processes, on free ports, with a store of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.chat import healthy
from bot.train import ROOT

START_SECONDS = 180


@dataclass(frozen=True)
class Reply:
    """One turn's reply: the text, its buttons and the contract's custom object."""

    text: str
    buttons: tuple[dict[str, str], ...]
    custom: dict[str, Any]
    messages: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class LiveBot:
    """A running bot."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def say(self, text: str, sender: str) -> Reply:
        """Sends one message over REST and gives the reply."""
        body = json.dumps({"sender": sender, "message": text}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/webhooks/rest/webhook", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            messages = json.load(answer)
        return Reply(
            text="\n".join(m["text"] for m in messages if m.get("text")),
            buttons=tuple(b for m in messages for b in m.get("buttons") or []),
            custom=next((m["custom"] for m in messages if m.get("custom")), {}),
            messages=tuple(messages),
        )

    def conversation(self) -> str:
        """Gives a sender of its own for a new conversation."""
        return uuid.uuid4().hex


def free_port() -> int:
    """Gives a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def live_bot(
    folder: Path,
    root: Path = ROOT,
    command: Sequence[str] = ("-m", "bot.serve"),
    patience: float = START_SECONDS,
    **environment: str,
) -> Iterator[LiveBot]:
    """Runs the bot as `make run` does, its conversations and log in `folder`; on a free port unless PORT is given.

    Args:
        folder: Folder for its state.
        root: The project to run.
        command: What Python is to run there, if not this project's own bot.
        patience: Seconds that it may take to come up.
        environment: Variables to set besides.

    Raises:
        RuntimeError: It did not come up; the message holds the end of its log.
    """
    port = int(environment.get("PORT") or free_port())
    log = folder / "bot.log"
    variables = {**os.environ, "PORT": str(port), "HOST": "127.0.0.1", "STATE_FOLDER": str(folder), **environment}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=root, env=variables, stdout=stream, stderr=subprocess.STDOUT
        )
    bot = LiveBot(f"http://127.0.0.1:{port}", process, log)
    try:
        until = time.monotonic() + patience
        while not healthy(bot.url):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the bot did not start:\n" + log.read_text(errors="replace")[-3000:])
            time.sleep(0.2)
        yield bot
    finally:
        process.terminate()
        process.wait(timeout=30)
