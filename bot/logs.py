"""Logs as lines of JSON (LOG_FORMAT=json), for programs that collect them."""

from __future__ import annotations

import json
import logging
import logging.config
import traceback
from datetime import datetime, timezone
from typing import Any

# Sanic's loggers pass nothing on.
_SEPARATE = ("sanic.root", "sanic.error", "sanic.access")


def set_up(level: int | str | None = None) -> None:
    """Makes all of this process's logs lines of JSON on its output."""
    handlers = ["lines"]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"lines": {"()": JsonLines}},
            "handlers": {
                "lines": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stdout"}
            },
            "root": {"level": level or logging.WARNING, "handlers": handlers},
            "loggers": {name: {"handlers": handlers, "propagate": False} for name in _SEPARATE},
        }
    )


def line(message: str, **fields: Any) -> str:
    """Gives one line for what is told outside of any logger."""
    time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return json.dumps({"time": time, "level": "info", "logger": "bot.serve", "message": message, **fields})


class JsonLines(logging.Formatter):
    """One object a line. Of an exception its type and places: its message could quote what somebody wrote."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats a record (see parent)."""
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        line.update(_said(record.getMessage()))
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["where"] = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames]
        return json.dumps(line, ensure_ascii=False, default=str)


def _said(message: str) -> dict[str, Any]:
    """Gives the fields of a message; Rasa's structured ones are JSON already."""
    try:
        fields = json.loads(message)
    except ValueError:
        return {"message": message}
    if not isinstance(fields, dict):
        return {"message": message}
    fields.pop("exception", None)
    return {"message": fields.pop("event", ""), **{key: fields[key] for key in fields if key != "level"}}
