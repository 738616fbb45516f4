"""Files served from memory with the headers that browsers and caches need."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass

from sanic.request import Request
from sanic.response import HTTPResponse, raw

FOREVER = "public, max-age=31536000, immutable"
FIVE_MINUTES = "public, max-age=300, must-revalidate"


@dataclass(frozen=True)
class StaticFile:
    """One file: its bytes, plain and compressed, and its digest."""

    body: bytes
    content_type: str
    packed: bytes
    digest: str

    @classmethod
    def of(cls, body: bytes, content_type: str) -> StaticFile:
        """Prepares a file; compressed without a time stamp, so that every process serves the same bytes."""
        return cls(body, content_type, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:20])

    @property
    def integrity(self) -> str:
        """The value for a script tag's `integrity`."""
        return "sha384-" + base64.b64encode(hashlib.sha384(self.body).digest()).decode()

    def serve(self, request: Request, cache: str = FIVE_MINUTES, **headers: str) -> HTTPResponse:
        """Answers a request for the file; 304 when the browser has it already."""
        packed = "gzip" in request.headers.get("accept-encoding", "")
        tag = f'"{self.digest}{"-gzip" if packed else ""}"'
        common = {
            "ETag": tag,
            "Cache-Control": cache,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if tag in request.headers.get("if-none-match", ""):
            return HTTPResponse(status=304, headers=common)
        if packed:
            common["Content-Encoding"] = "gzip"
        body = self.packed if packed else self.body
        return raw(b"" if request.method == "HEAD" else body, headers=common, content_type=self.content_type)
