"""Fills the emergency numbers into the domain's responses, inside the bot's own process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, Optional

from rasa.core.nlg.response import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.core.checks import region_of
from bot.knowledge.loader import load_knowledge
from bot.knowledge.numbers import numbers
from bot.knowledge.safety import load_safety
from bot.settings import read_settings


class SafetyNLG(TemplatedNaturalLanguageGenerator):
    """Rasa's response templates with the emergency numbers and crisis lines filled in.

    Emergency replies are domain responses, so they do not need the action server.
    """

    def __init__(self, endpoint_config: Optional[EndpointConfig], domain: Domain) -> None:
        """Keeps the responses and the configured country."""
        super().__init__(domain.responses)
        self._country = read_settings().country
        numbers(self._country)  # a wrong COUNTRY stops the start, not an emergency reply

    async def generate(
        self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any
    ) -> Optional[Dict[str, Any]]:
        """Gives a filled response; the country the person named comes before the configured one.

        An action may choose the reply, the rule and the country by keyword: what it sets as slots counts only later.
        """
        chosen = {name: kwargs[name] for name in ("safety_rule", "safety_reply", "country") if kwargs.get(name)}
        slots = {**tracker.current_slot_values(), **chosen}
        known = numbers(slots.get("country") or self._country)
        values = {
            "emergency_number": known.emergency_number,
            "crisis_line": known.crisis_line,
            "urgent_care": known.urgent_care,
            "tel": known.tel,
        }
        response = self.generate_from_slots(utter_action, slots, output_channel, **{**kwargs, **values})
        if response and response.get("custom", {}).get("rule"):
            response["custom"]["why"] = why(str(slots.get("safety_rule")))
            response["custom"]["intents"] = list(_read(tracker, "questions") or [])
            if foreign := _in_their_language(_read(tracker, "foreign_language"), response["custom"]["kind"]):
                response["text"] = f"{foreign.format(**values)}\n\n{response['text']}"
        return response


def _read(tracker: DialogueStateTracker, key: str) -> Any:
    """Gives what the pipeline read in the latest message."""
    latest = tracker.latest_message
    return latest.parse_data.get(key) if latest else None


def _in_their_language(code: Optional[str], kind: str) -> Optional[str]:
    """Gives what to say first to somebody who writes in another language, since the reply itself is in English."""
    language = load_knowledge().languages.get(code or "")
    if language is None:
        return None
    return language.emergency if kind in ("emergency", "crisis") else language.text


@lru_cache(maxsize=256)
def why(rule: str) -> Optional[Dict[str, Any]]:
    """Gives where a rule or a safety question comes from, or None for one that is not in the knowledge base."""
    flag = next((flag for flag in load_safety().red_flags if flag.id == rule), None)
    if flag:
        return {"rule": rule, "source": flag.source, "date": flag.source_date, "reviewed": flag.reviewed}
    net = load_knowledge().safety_nets.get(region_of(rule) or "")
    return {"rule": rule, "source": net.source, "date": None, "reviewed": net.reviewed} if net else None
