"""A gateway for text messages, as the example of docs/adding-a-channel.md takes it for granted."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LONGEST_POLL_SECONDS = 1.0


class Gateway:
    """Keeps messages of people until they are fetched, and each reply once."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.replies: dict[str, list[str]] = defaultdict(list)
        self._keys: set[str] = set()

    def say(self, sender: str, text: str) -> None:
        self.messages.append({"id": str(len(self.messages) + 1), "from": sender, "text": text})

    def fetch(self, after: int) -> list[dict[str, str]]:
        until = time.monotonic() + LONGEST_POLL_SECONDS
        while not self.messages[after:] and time.monotonic() < until:
            time.sleep(0.01)
        return self.messages[after:]

    def take(self, reply: dict[str, str]) -> None:
        if reply["key"] not in self._keys:
            self._keys.add(reply["key"])
            self.replies[reply["to"]].append(reply["text"])

    @contextmanager
    def running(self) -> Iterator[Gateway]:
        """Serves on a free port of loopback."""
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                after = parse_qs(urlsplit(self.path).query)["after"][0]
                self._answer(gateway.fetch(int(after)))

            def do_POST(self) -> None:
                gateway.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer({})

            def _answer(self, body: Any) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                with suppress(BrokenPipeError):  # the bot was stopped while it waited
                    self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                """Stays quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
