"""The files under /chat/: the page that shows the widget, and the widget itself."""

from __future__ import annotations

from pathlib import Path

from sanic import Blueprint
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.channels.static import FOREVER, StaticFile

WEB = Path(__file__).resolve().parents[1] / "web"
JAVASCRIPT = "text/javascript; charset=utf-8"
# Any site may load the widget; what it may do is decided when its socket connects.
SHARED = {"Access_Control_Allow_Origin": "*", "Cross_Origin_Resource_Policy": "cross-origin"}
# `lit-html` is the policy by which Lit makes its templates; nothing else may turn text into markup.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; require-trusted-types-for 'script'; trusted-types lit-html"
)


def add_pages(blueprint: Blueprint) -> None:
    """Adds the routes; the files are read once, at start."""
    widget = StaticFile.of((WEB / "dist" / "widget.js").read_bytes(), JAVASCRIPT)
    style = StaticFile.of((WEB / "page" / "page.css").read_bytes(), "text/css; charset=utf-8")
    page = StaticFile.of(_page(widget), "text/html; charset=utf-8")

    @blueprint.route("/", methods=["GET", "HEAD"])
    async def chat(request: Request) -> HTTPResponse:
        return page.serve(request, "no-cache", Content_Security_Policy=PAGE_POLICY)

    @blueprint.route("/page.css", methods=["GET", "HEAD"])
    async def page_style(request: Request) -> HTTPResponse:
        return style.serve(request)

    @blueprint.route("/widget.js", methods=["GET", "HEAD"])
    async def newest(request: Request) -> HTTPResponse:
        return widget.serve(request, **SHARED)

    @blueprint.route(f"/widget-{widget.digest}.js", methods=["GET", "HEAD"])
    async def pinned(request: Request) -> HTTPResponse:
        return widget.serve(request, FOREVER, **SHARED)


def _page(widget: StaticFile) -> bytes:
    """Fills the widget's digests into the page, for those who pin it."""
    html = (WEB / "page" / "index.html").read_text(encoding="utf-8")
    filled = html.replace("{widget}", f"widget-{widget.digest}.js").replace("{integrity}", widget.integrity)
    return filled.encode()
