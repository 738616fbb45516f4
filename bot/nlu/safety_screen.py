"""The red-flag screen's place in the pipeline: first, on the raw text of every message."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.core.context import Category
from bot.core.screen import ScreenResult
from bot.knowledge.vocabulary import reading_digest
from bot.language.safety import load_reader
from bot.nlu.components import ConfiguredComponent

# The key under which the verdict travels to the gate and to the action server.
SAFETY = "safety"
RULE, REPLY, FIRM = "rule", "reply", "firm"
# A question that need not hold back the answer: both are said.
BESIDE = "beside"
# Whether the message denies some sign of danger: what is denied need not be asked about.
DENIED_SIGNS = "denied_signs"
# The verdict when the screen itself failed: the gate then answers cautiously.
FAILED = "screen-failed"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class SafetyScreen(ConfiguredComponent):
    """Writes the screen's verdict on each message; decides nothing and never raises."""

    def __init__(self, config: Dict[str, Any]) -> None:
        """Loads the shared reader."""
        super().__init__(config)
        self._reader = load_reader()

    @staticmethod
    def required_packages() -> List[str]:
        """Names the packages that must be installed."""
        return ["spacy"]

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Makes Rasa run this component again when knowledge or reading code changed."""
        return reading_digest()

    def process(self, messages: List[Message]) -> List[Message]:
        """Screens the text of each message."""
        for message in messages:
            result = self._reader.read(message.get(TEXT) or "")
            message.set(SAFETY, _verdict(result), add_to_output=True)
            denied = any(finding.status is Category.NEGATED for finding in result.findings)
            message.set(DENIED_SIGNS, denied, add_to_output=True)
        return messages


def _verdict(result: ScreenResult) -> Dict[str, str]:
    if result.failed:
        return {RULE: FAILED, REPLY: FAILED}
    if not result.hits:
        return {}
    worst = result.hits[0]
    return {RULE: worst.rule, REPLY: worst.reply, **({FIRM: FIRM} if worst.firm else {})}
