"""What every channel does with a message: no intent from typed text, never an empty reply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Dict, List, Optional

from rasa.core.channels.channel import CollectingOutputChannel, UserMessage

from bot.channels.counting import count_turn
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
    words = words.replace("\0", " ").strip().lstrip(_INTENT_PREFIX).strip()
    while words.startswith(_INTENT_PREFIX):
        words = words.lstrip(_INTENT_PREFIX).strip()
    if len(words) > MAX_CHARS:
        half = MAX_CHARS // 2
        words = f"{words[:half]}\n{words[-half:]}"
    return words


async def take_turn(
    on_new_message: OnNewMessage,
    text: Any,
    sender: str,
    channel: str,
    metadata: Optional[Dict[str, Any]] = None,
) -> List[Dict[str, Any]]:
    """Runs one turn and gives its messages; there is always at least one.

    Any failure, and a turn that says nothing (the action server is down), gives a sentence with the
    emergency line. Nobody's words are logged.
    """
    collector = WholeMessages()
    try:
        message = UserMessage(typed(text), collector, sender, input_channel=channel, metadata=metadata)
        await on_new_message(message)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        _log.error("a turn failed: %s", type(error).__name__)
    count_turn(typed(text), collector.messages)
    spoken = any((message.get("text") or "").strip() for message in collector.messages)
    return collector.messages if spoken else failure(sender)


async def erase(agent: Any, sender: str) -> None:
    """Deletes a conversation from the store; `agent` is Rasa's (`request.app.ctx.agent`)."""
    store = agent.tracker_store
    while not isinstance(store, ConversationStore):
        store = store._tracker_store  # Rasa wraps the store of endpoints.yml
    await store.erase(sender)


def failure(sender: str) -> List[Dict[str, Any]]:
    """Gives the reply when something went wrong on our side."""
    number = numbers(read_settings().country).emergency_number
    text = load_knowledge().phrases["failure"].format(emergency_number=number)
    custom = {
        "version": 1, "kind": "fallback", "intents": [], "body_part": None, "trigger": None, "facts": [],
        "sources": [], "rule": None, "safety_question": None, "emergency_number": number, "understood": None,
        "disclaimer": None,
    }  # fmt: skip
    return [{"recipient_id": sender, "text": text}, {"recipient_id": sender, "custom": custom}]
