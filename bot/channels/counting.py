"""Counts what turns are about, in a thread of its own: no person waits for it, and no fault of it reaches a reply."""

from __future__ import annotations

import logging
import time
from collections import deque
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
# Turns are counted together, as each writing ends with a wait for the disk.
GATHER_SECONDS = 0.25
_waiting: deque[tuple[str, Mapping[str, Any]]] = deque()


def count_turn(text: str, messages: Iterable[Mapping[str, Any]]) -> None:
    """Counts a turn soon; its words are kept only where that is switched on (`bot.texts`). It never raises."""
    try:
        for message in messages:
            if message.get("custom"):
                _waiting.append((text, message["custom"]))
                if len(_waiting) == 1:
                    _thread.submit(_write)
    except RuntimeError as error:  # the process is stopping
        _log.error("a turn was not counted: %s", type(error).__name__)


def _write() -> None:
    time.sleep(GATHER_SECONDS)
    try:
        # Until none is left, as only the first that comes to an empty queue starts the next writing.
        turns = []
        while _waiting:
            turns.append(_waiting.popleft())
        settings = read_settings()
        _feedback(settings.feedback_url).heard(*(custom for _, custom in turns))
        if settings.keep_texts:
            for text in (text for text, custom in turns if _may_keep(custom)):
                _texts(settings.state).keep(text, date.today())
    except Exception as error:
        _log.error("turns were not counted: %s", type(error).__name__)


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
