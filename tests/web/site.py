"""A site of somebody else's, for pages that embed the widget."""

from __future__ import annotations

import http.server
import threading
from typing import Any


class Site:
    """A site of somebody else's that embeds the widget."""

    def __init__(self) -> None:
        pages: dict[str, tuple[str, dict[str, str]]] = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                html, headers = pages.get(self.path, ("", {}))
                self.send_response(200 if html else 404)
                for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(html.encode())

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._pages = pages
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def serve(self, html: str, **headers: str) -> str:
        """Puts a page up and gives its address."""
        path = f"/{len(self._pages)}"
        self._pages[path] = (html, {name.replace("_", "-"): value for name, value in headers.items()})
        return self.url + path

    def __enter__(self) -> Site:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
