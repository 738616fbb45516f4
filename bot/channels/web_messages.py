"""The web channel's messages: what a visitor may send, and how a turn's messages become one reply.

Clients such as rasa-webchat show a message only when its keys are exactly `text`, or `text` and `quick_replies`;
so everything else of ours rides under `metadata`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rasa.shared.core.events import BotUttered, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.channels.turns import failure

MAX_CHARS = 4000
# The largest socket.io frame: MAX_CHARS of the widest characters, each escaped, and room for the rest.
MAX_FRAME = 32_768
_TURN = re.compile(r"[A-Za-z0-9-]{8,64}")


@dataclass(frozen=True)
class Message:
    """One message of a visitor.

    Attributes:
        text: What the person typed, or a button's plain text.
        turn: Id of the message, chosen by the client, so that sending it twice does no harm.
        again: Whether the client has sent it before and saw no reply.
    """

    text: str
    turn: str
    again: bool


class Refused(Exception):
    """A request that is not taken; `phrase` names the sentence in phrases.yml that says why."""

    def __init__(self, phrase: str) -> None:
        """Keeps the reason."""
        super().__init__(phrase)
        self.phrase = phrase


def read_message(data: Any) -> Message:
    """Reads what a client sent with `user_uttered`.

    Raises:
        Refused: It is no message, or too long.
    """
    fields = data if isinstance(data, dict) else {}
    text = fields.get("message")
    if not isinstance(text, str) or not text.strip():
        raise Refused("web_not_text")
    if len(text) > MAX_CHARS:
        raise Refused("web_too_long")
    turn = fields["id"] if has_turn(data) else uuid.uuid4().hex
    return Message(text, turn, fields.get("again") is True)


def has_turn(data: Any) -> bool:
    """Tells whether the client gave the message an id; one that does reads acknowledgements too."""
    turn = data.get("id") if isinstance(data, dict) else None
    return isinstance(turn, str) and bool(_TURN.fullmatch(turn))


def reply(messages: Sequence[dict[str, Any]], sender: str, turn: str, said: str) -> dict[str, Any]:
    """Makes one reply of a turn's messages; it always has text."""
    texts = [m["text"] for m in messages if m.get("text")]
    if not texts:
        messages = failure(sender)
        texts = [messages[0]["text"]]
    buttons = [button for m in messages for button in m.get("buttons") or []]
    custom: dict[str, Any] = next((m["custom"] for m in messages if isinstance(m.get("custom"), dict)), {})
    made: dict[str, Any] = {"text": "\n\n".join(texts)}
    if buttons:
        made["quick_replies"] = [
            {"content_type": "text", "title": str(b["title"]), "payload": str(b.get("payload") or b["title"])}
            for b in buttons
        ]
    # `said` lets another tab of the same visitor, or one that lost its copy, show the question too.
    made["metadata"] = {"turn": turn, "said": said, "custom": custom}
    return made


def stored_reply(tracker: DialogueStateTracker | None, turn: str) -> dict[str, Any] | None:
    """Gives the reply to a message from the stored conversation: the server that made it may be gone."""
    events = list(tracker.events) if tracker else []
    for index, event in enumerate(events):
        if isinstance(event, UserUttered) and (event.metadata or {}).get("turn") == turn and tracker:
            uttered = _until_next(events[index + 1 :])
            return reply([_message(event) for event in uttered], tracker.sender_id, turn, event.text or "")
    return None


def _until_next(events: Iterable[Any]) -> list[BotUttered]:
    found = []
    for event in events:
        if isinstance(event, UserUttered):
            break
        if isinstance(event, BotUttered):
            found.append(event)
    return found


def _message(event: BotUttered) -> dict[str, Any]:
    data = event.data or {}
    return {"text": event.text, "buttons": data.get("buttons"), "custom": data.get("custom")}
