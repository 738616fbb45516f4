"""Keeps people's words out of logs, error reports and crash dumps.

Libraries put values into their messages and exceptions: a text that could not be parsed, the parameters of a statement,
a whole request. Which of them do, and when, cannot be listed. So once the bot talks with people, a record of any logger
but our own says where in which code it was written and the kinds of exceptions, and nothing else. Our own name kinds
only, and a test greps for the rest.
"""

from __future__ import annotations

import logging
import resource
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from bot.errors import ConfigError

OURS = ("bot.", "actions.")
# Rasa's options and variables that let debug messages out.
_OPTIONS = ("--verbose", "--debug", "--logging-config-file")
_SHORT = ("-v", "-vv")
_VARIABLE = "LOG_LEVEL"
_LOUD = frozenset({"DEBUG", "NOTSET"})
# Calls of a trace, from where the exception was raised.
_CALLS = 8

_log = logging.getLogger(__name__)
_whole = logging.LogRecord


def refuse_debugging(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Refuses what would make Rasa log debug messages, which hold people's words.

    Raises:
        ConfigError: An option or a variable asks for it.
    """
    found = [word for word in arguments if _asks(word.split("=")[0])]
    found += [f"{name}={level}" for name, level in environ.items() if _loud(name, level)]
    if found:
        raise ConfigError(
            f"{found[0]} would let debug messages into the log, and Rasa's hold people's words. Leave it out; to look "
            "for a fault, run `python -m bot.rasa_cli shell --debug` with words of your own."
        )


def install() -> None:
    """From now on, in this process, nothing but kinds and places is logged of what others wrote."""
    logging.setLogRecordFactory(_record)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def forbid_dumps() -> None:
    """From now on neither this process nor its children leave their memory in a file when they crash."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def kinds(error: BaseException | None) -> str:
    """Names the kinds of an exception and of what it came from, and where it was raised."""
    named = []
    while error is not None:
        calls = traceback.extract_tb(error.__traceback__)[: -_CALLS - 1 : -1]
        named.append(
            " < ".join([type(error).__name__, *(f"{Path(call.filename).name}:{call.lineno}" for call in calls)])
        )
        error = error.__cause__ or error.__context__
    return "; from ".join(named)


def _asks(word: str) -> bool:
    shortened = len(word) > 3 and any(option.startswith(word) for option in _OPTIONS)
    return shortened or word in _SHORT or word == "--v"


def _loud(name: str, level: str) -> bool:
    return name.startswith(_VARIABLE) and level.strip().upper() in _LOUD


def _record(
    name: str,
    level: int,
    path: str,
    line: int,
    msg: object,
    args: Any,
    exc_info: Any,
    func: str | None = None,
    sinfo: str | None = None,
    **more: Any,
) -> logging.LogRecord:
    if not name.startswith(OURS):
        msg, args = f"{name}: {Path(path).name}:{line}", ()
    if exc_info:
        msg = f"{msg} ({kinds(exc_info[1] if isinstance(exc_info, tuple) else exc_info).replace('%', '%%')})"
    return _whole(name, level, path, line, msg, args, None, func, None, **more)


def _uncaught(kind: type[BaseException], error: BaseException | None, _: TracebackType | None) -> None:
    _log.critical("something broke that nothing caught: %s", kinds(error) or kind.__name__)
