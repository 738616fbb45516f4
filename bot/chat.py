"""The bot in the terminal (`make chat`): talks to a running bot, or starts one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bot.serve import READY_SECONDS
from bot.settings import Settings, read_settings

LEAVE = frozenset({"exit", "quit", "/quit", "/exit"})


def main() -> int:
    """Reads lines and prints replies until the person leaves."""
    settings = read_settings()
    url = f"http://{settings.host}:{settings.port}"
    with _bot(url, settings):
        print("Type what hurts. Ctrl-D or “quit” leaves.\n")
        sender = uuid.uuid4().hex
        for line in _lines():
            for message in _post(url, sender, line):
                if "text" in message:
                    print(f"\n{message['text']}")
                    titles = [button["title"] for button in message.get("buttons") or []]
                    print(f"\n   [ {' | '.join(titles)} ]\n" if titles else "")
    return 0


def _lines() -> Iterator[str]:
    while True:
        try:
            line = input("You: ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if line.lower() in LEAVE:
            return
        if line:
            yield line


def _post(url: str, sender: str, text: str) -> list[dict[str, Any]]:
    body = json.dumps({"sender": sender, "message": text}).encode()
    request = urllib.request.Request(f"{url}/webhooks/rest/webhook", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            messages: list[dict[str, Any]] = json.load(answer)
            return messages
    except (urllib.error.URLError, OSError) as error:
        return [{"text": f"The bot cannot be reached ({error}). In an emergency call your local emergency number."}]


def healthy(url: str) -> bool:
    """Tells whether a bot at this address can answer."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(json.load(answer)["status"] == "ok")
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return False


@contextmanager
def _bot(url: str, settings: Settings) -> Iterator[None]:
    """Uses the bot that runs at the address, or runs one for as long as the chat lasts."""
    if healthy(url):
        yield
        return
    print("==> Starting the bot", flush=True)
    command = [sys.executable, "-m", "bot.serve"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + READY_SECONDS
        while not healthy(url):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("The bot did not start; `make run` shows why.")
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


if __name__ == "__main__":
    sys.exit(main())
