"""Runs the action server on loopback (`python -m bot.action_server PORT`).

Rasa's own command listens on all addresses and answers any web page's requests.
"""

from __future__ import annotations

import sys
import warnings

warnings.showwarning = lambda *_, **__: None  # sanic_cors warns at every start of something that we cannot change

from rasa_sdk.endpoint import create_app  # noqa: E402

from bot import discretion  # noqa: E402


def main() -> None:
    """Serves the package `actions` until stopped."""
    app = create_app("actions", cors_origins=[])
    app.register_listener(lambda *_: discretion.install(), "after_server_start")
    app.run("127.0.0.1", int(sys.argv[1]), access_log=False, motd=False, workers=1)


if __name__ == "__main__":
    main()
