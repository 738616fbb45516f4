"""The red-flag screen's place in the pipeline: first, on the raw text of every message."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.knowledge.vocabulary import reading_digest
from bot.language.safety import load_reader

# The key under which the verdict travels to the gate and to the action server.
SAFETY = "safety"
RULE, REPLY = "rule", "reply"
# The verdict when the screen itself failed: the gate then answers cautiously.
FAILED = "screen-failed"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class SafetyScreen(GraphComponent):
    """Writes the screen's verdict on each message; decides nothing and never raises."""

    def __init__(self) -> None:
        """Loads the shared reader."""
        self._reader = load_reader()

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SafetyScreen:
        """Makes the component (see parent)."""
        return cls()

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
            message.set(SAFETY, self._verdict(message.get(TEXT) or ""), add_to_output=True)
        return messages

    def _verdict(self, text: str) -> Dict[str, str]:
        result = self._reader.read(text)
        if result.failed:
            return {RULE: FAILED, REPLY: FAILED}
        return {RULE: result.hits[0].rule, REPLY: result.hits[0].reply} if result.hits else {}
