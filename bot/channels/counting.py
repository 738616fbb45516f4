"""Counts what turns are about, in a thread of its own: no person waits for it, and no fault of it reaches a reply."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot import texts
from bot.core.turn import NOT_UNDERSTOOD, UNSERVED
from bot.feedback import Feedback
from bot.settings import read_settings

_log = logging.getLogger(__name__)
_thread = ThreadPoolExecutor(1, thread_name_prefix="counting")


def count_turn(text: str, messages: Iterable[Mapping[str, Any]]) -> None:
    """Counts a turn; its words are kept only where that is switched on (`bot.texts`). It never raises."""
    try:
        for message in messages:
            if message.get("custom"):
                _thread.submit(_write, text, message["custom"])
    except RuntimeError as error:  # the process is stopping
        _log.error("a turn was not counted: %s", type(error).__name__)


def _write(text: str, custom: Mapping[str, Any]) -> None:
    try:
        settings = read_settings()
        _feedback(settings.feedback_url).heard(custom)
        if settings.keep_texts and _may_keep(custom):
            _texts(settings.state).keep(text, date.today())
    except Exception as error:
        _log.error("a turn was not counted: %s", type(error).__name__)


def _may_keep(custom: Mapping[str, Any]) -> bool:
    """Tells whether a message was not understood, from a person who had been told that such messages are kept."""
    unserved = custom.get(UNSERVED) or {}
    return unserved.get("why") == NOT_UNDERSTOOD and bool(unserved.get("introduced"))


@lru_cache(maxsize=1)
def _feedback(url: str) -> Feedback:
    return Feedback(url)


@lru_cache(maxsize=1)
def _texts(state: Path) -> texts.Texts:
    return texts.Texts(state / texts.FILE)
