"""Fills the emergency numbers into the domain's responses, inside the bot's own process."""

from __future__ import annotations

from typing import Any, Dict, Optional

from rasa.core.nlg.response import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.knowledge.numbers import numbers
from bot.settings import read_settings


class SafetyNLG(TemplatedNaturalLanguageGenerator):
    """Rasa's response templates with `{emergency_number}` and `{crisis_line}` filled in.

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
        """Gives a filled response; the country the person named comes before the configured one."""
        known = numbers(tracker.get_slot("country") or self._country)
        values = {"emergency_number": known.emergency_number, "crisis_line": known.crisis_line}
        return await super().generate(utter_action, tracker, output_channel, **{**values, **kwargs})
