"""What the web channel says besides replies: greeting, numbers, the intended purpose."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.channels.web_messages import MAX_CHARS
from bot.core import dialogue
from bot.core.answering import Setting
from bot.core.turn import State, Turn
from bot.knowledge.loader import load_knowledge
from bot.knowledge.numbers import UNKNOWN, numbers
from bot.knowledge.safety import load_safety

INTENDED_PURPOSE = Path(__file__).resolve().parents[2] / "docs" / "intended-purpose.md"
GREETING = ("greet", "web_greeting", "web_privacy")


def sentence(phrase: str, country: str | None) -> str:
    """Gives a sentence of phrases.yml with the emergency number filled in."""
    return load_knowledge().phrases[phrase].format(emergency_number=numbers(country).emergency_number)


def number(country: str | None) -> dict[str, str | None]:
    """Gives the permanent disclaimer and what its call link needs."""
    known = numbers(country)
    return {
        "country": country,
        "text": known.emergency_number,
        "tel": known.tel,
        "disclaimer": sentence("web_disclaimer", country),
    }


@lru_cache(maxsize=64)
def welcome(country: str | None) -> dict[str, Any]:
    """Gives what the widget shows and needs to know before the first message."""
    knowledge = load_knowledge()
    phrases = knowledge.phrases
    setting = Setting(knowledge, numbers(country).emergency_number)
    hello, _ = dialogue.small_talk(Turn(("greet",)), State(introduced=True), setting)
    return {
        "text": "\n\n".join(phrases[key] for key in GREETING),
        "quick_replies": [{"title": button.title, "payload": button.payload} for button in hello.buttons],
        "number": number(country),
        "sources": phrases["sources"],
        "body_parts": [{"id": part.id, "name": part.name} for part in knowledge.body_parts.values()],
        "max_chars": MAX_CHARS,
    }


@lru_cache(maxsize=1)
def about() -> str:
    """Gives the intended purpose word for word."""
    if INTENDED_PURPOSE.exists():
        return INTENDED_PURPOSE.read_text(encoding="utf-8")
    return load_knowledge().phrases["web_about_missing"]


@lru_cache(maxsize=1)
def _countries() -> Mapping[str, str]:
    return {row.id: row.emergency for row in load_safety().countries if row.id != UNKNOWN}


def known_country(value: Any) -> str | None:
    """Gives the id of a country that we have numbers for, else None."""
    country = value.strip().lower() if isinstance(value, str) else None
    return country if country in _countries() else None


def numbered(custom: Mapping[str, Any]) -> str | None:
    """Gives the country whose emergency number a reply names, if it tells one apart."""
    named = known_country(custom.get("country"))
    if named:
        return named
    fitting = [country for country, text in _countries().items() if text == custom.get("emergency_number")]
    return fitting[0] if fitting else None
