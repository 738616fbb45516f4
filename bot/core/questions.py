"""Which questions a message asks, from the guess for the whole of it and for each of its clauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.turn import unique

QUESTION = "ask_"
# A clause counts as a question of its own from this confidence on. Chosen on evaluation/utterances.jsonl and
# dialogues.jsonl: lower splits single questions in two, higher misses second questions.
CLAUSE_CONFIDENCE = 0.55
# What is no question as a whole is one after all if a clause is one for sure ("I have no pad. What else can I do?").
STRAY_CONFIDENCE = 0.75
# From this length on (tokens) the whole is mostly story, and its clauses tell better what is asked.
STORY_LENGTH = 30
MOST_QUESTIONS = 2
_MODIFIERS = frozenset({"ask_more", "ask_source"})
# Intents that answer the bot; what such a message asks besides is answered too ("no, I have none now. How do I …").
_ANSWERS = frozenset({"affirm", "deny", "false_alarm", "unsure", "thank", "greet"})


@dataclass(frozen=True)
class Guess:
    """An intent and how likely it is (0 to 1)."""

    intent: str
    confidence: float


def questions(whole: Guess, parts: Sequence[Guess], length: int) -> tuple[str, ...]:
    """Gives the intents of a message, in the order in which they are asked.

    Args:
        whole: The guess for the whole message.
        parts: The best guess for each clause, in order.
        length: Tokens in the message.
    """
    sure = [part for part in parts if is_question(part.intent) and part.confidence >= CLAUSE_CONFIDENCE]
    asked = unique(part.intent for part in sure)
    if not asked:
        return (whole.intent,)
    if whole.intent in _ANSWERS:
        return (whole.intent, *asked[-MOST_QUESTIONS:])
    asks = whole.intent.startswith(QUESTION)
    surer = asks and whole.intent not in asked and sure[-1].confidence > whole.confidence
    if length >= STORY_LENGTH or surer or (whole.intent in asked and len(asked) > 1):
        return asked[-MOST_QUESTIONS:]
    if asks or whole.intent in _CARED_FOR:
        return (whole.intent,)
    stray = unique(part.intent for part in sure if part.confidence >= max(STRAY_CONFIDENCE, whole.confidence))
    return stray[-MOST_QUESTIONS:] or (whole.intent,)


# Intents that a clause never outweighs: what they ask for is more than information.
_CARED_FOR = frozenset({"human_handoff", "set_country", "bot_challenge", "goodbye", "nlu_fallback"})


def is_question(intent: str) -> bool:
    """Tells whether an intent of a clause counts as a question of its own."""
    return intent.startswith(QUESTION) and intent not in _MODIFIERS
