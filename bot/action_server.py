"""Runs the action server on loopback (`python -m bot.action_server PORT`), for the bot alone.

Rasa's own command listens on all addresses and answers any web page's requests.
"""

from __future__ import annotations

import sys
import warnings

warnings.showwarning = lambda *_, **__: None  # sanic_cors warns at every start of something that we cannot change

from rasa_sdk.endpoint import create_app  # noqa: E402
from sanic.request import Request  # noqa: E402
from sanic.response import HTTPResponse, empty  # noqa: E402

from bot import discretion, logs, prefork  # noqa: E402
from bot.knowledge.loader import load_knowledge  # noqa: E402
from bot.settings import read_settings  # noqa: E402


def main() -> None:
    """Serves the package `actions` until stopped."""
    if read_settings().log_format == "json":
        logs.set_up()
    app = create_app("actions", cors_origins=[])
    app.register_listener(lambda *_: discretion.install(), "after_server_start")
    address = f"127.0.0.1:{int(sys.argv[1])}"

    @app.on_request
    async def only_for_the_bot(request: Request) -> HTTPResponse | None:
        """Turns web pages away: their requests name where they come from, or the name that they were loaded by."""
        ours = request.headers.get("host") == address and not request.headers.get("origin")
        return None if ours else empty(403)

    load_knowledge()
    prefork.serve(lambda: app.run("127.0.0.1", int(sys.argv[1]), access_log=False, motd=False, workers=1))


if __name__ == "__main__":
    main()
