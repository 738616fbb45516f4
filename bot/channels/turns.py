"""What every channel does with a message: no intent from typed text, never an empty reply."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Dict, List, Optional

from rasa.core.channels.channel import CollectingOutputChannel, UserMessage

from bot import metrics
from bot.channels.counting import count_turn
from bot.channels.fairness import Crowded, FairQueue
from bot.knowledge.loader import load_knowledge
from bot.knowledge.numbers import numbers
from bot.settings import read_settings
from bot.tracker_store import ConversationStore

_log = logging.getLogger(__name__)

OnNewMessage = Callable[[UserMessage], Awaitable[Any]]
# A slash at the start would make Rasa take the text for an intent and skip the pipeline, the screen
# included; Rasa strips white space first, so that goes too.
_INTENT_PREFIX = "/"
# The screen reads far more than a person types; beyond this the middle is left out.
MAX_CHARS = 12_000
# No word is that long. spaCy's tokenizer takes the cube of the length of an unbroken row of signs, minutes for 4000.
_UNBROKEN = re.compile(r"\S{60}(?=\S)")
# People wait ten seconds before they take silence for an answer.
TURN_SECONDS = 9.0
# Why a turn failed, in metrics.
_LATE, _CROWDED, _ERROR, _SILENT = "late", "crowded", "error", "silent"
_queue = FairQueue()


class WholeMessages(CollectingOutputChannel):
    """Collects replies; keeps a text with blank lines in one message, unlike its parent."""

    async def send_text_message(self, recipient_id: str, text: str, **kwargs: Any) -> None:
        """Collects one text message (see parent)."""
        await self._persist_message(self._message(recipient_id, text=text))


def typed(text: Any) -> str:
    """Gives a person's text in a form that can never be an intent.

    Buttons carry plain text too, so whatever a person sends passes through the whole pipeline.
    """
    words = text if isinstance(text, str) else ""
    # Half a character can neither be stored nor read, and would fail the whole turn.
    words = words.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    words = words.replace("\0", " ").strip().lstrip(_INTENT_PREFIX).strip()
    while words.startswith(_INTENT_PREFIX):
        words = words.lstrip(_INTENT_PREFIX).strip()
    if len(words) > MAX_CHARS:
        half = MAX_CHARS // 2
        words = f"{words[:half]}\n{words[-half:]}"
    return _UNBROKEN.sub(r"\g<0> ", words)


async def take_turn(
    on_new_message: OnNewMessage,
    text: Any,
    sender: str,
    channel: str,
    metadata: Optional[Dict[str, Any]] = None,
    address: Optional[str] = None,
) -> List[Dict[str, Any]]:
    """Runs one turn and gives its messages; there is always at least one, and in time.

    Any failure, and a turn that says nothing (the action server is down), gives a sentence with the
    emergency line. Nobody's words are logged. Who writes much, from one `address` too, waits for the others.
    """
    started = time.perf_counter()
    collector = WholeMessages()
    message = UserMessage(typed(text), collector, sender, input_channel=channel, metadata=metadata)
    with metrics.UNDER_WAY.track_inprogress():
        cause = await _run(on_new_message, message, address)
    seconds = time.perf_counter() - started
    count_turn(message.text or "", collector.messages)
    if not any((each.get("text") or "").strip() for each in collector.messages):
        metrics.count_turn(channel, seconds, {"kind": metrics.FAILURE}, cause or _SILENT)
        return failure(sender, "crowded" if cause == _CROWDED else "failure")
    custom: Dict[str, Any] = next((m["custom"] for m in collector.messages if m.get("custom")), {})
    metrics.count_turn(channel, seconds, custom, cause)
    return collector.messages


async def _run(on_new_message: OnNewMessage, message: UserMessage, address: Optional[str]) -> Optional[str]:
    """Runs a turn when its time comes; gives why it failed, or None."""

    async def queued() -> None:
        async with _queue.turn(message.sender_id, address, len(message.text or "")):
            await on_new_message(message)

    try:
        await asyncio.wait_for(queued(), TURN_SECONDS)
    except asyncio.CancelledError:
        raise
    except Crowded:
        return _CROWDED
    except asyncio.TimeoutError:
        _log.error("a turn took too long")
        return _LATE
    except Exception as error:
        _log.error("a turn failed: %s", type(error).__name__)
        return _ERROR
    return None


def store_of(agent: Any) -> ConversationStore:
    """Gives our store; Rasa wraps it into one that hides its errors. `agent` is Rasa's (`request.app.ctx.agent`).

    Where endpoints.yml names another store, as the bot of `make bench` does, it is that one.
    """
    store = agent.tracker_store
    while hasattr(store, "_tracker_store"):
        store = store._tracker_store
    found: ConversationStore = store
    return found


async def erase(agent: Any, sender: str) -> None:
    """Deletes a conversation from the store."""
    await store_of(agent).erase(sender)


def owes(agent: Any, sender: str) -> bool:
    """Tells whether what was said in a conversation waits to be stored."""
    store = store_of(agent)
    return isinstance(store, ConversationStore) and store.owes(sender)


def failure(sender: str, phrase: str = "failure") -> List[Dict[str, Any]]:
    """Gives the reply when something went wrong on our side, or there are too many people."""
    number = numbers(read_settings().country).emergency_number
    text = load_knowledge().phrases[phrase].format(emergency_number=number)
    custom = {
        "version": 1, "kind": "fallback", "intents": [], "body_part": None, "trigger": None, "facts": [],
        "sources": [], "rule": None, "safety_question": None, "emergency_number": number, "understood": None,
        "disclaimer": None,
    }  # fmt: skip
    return [{"recipient_id": sender, "text": text}, {"recipient_id": sender, "custom": custom}]
