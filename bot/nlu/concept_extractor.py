"""Entity extractor: canonical body parts, triggers, illnesses, medicines and measures."""

from __future__ import annotations

from typing import Any, Dict, List, Type

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import (
    ENTITIES,
    ENTITY_ATTRIBUTE_END,
    ENTITY_ATTRIBUTE_START,
    ENTITY_ATTRIBUTE_TYPE,
    ENTITY_ATTRIBUTE_VALUE,
)
from rasa.shared.nlu.training_data.message import Message

from bot.core.turn import Mention
from bot.language.concepts import load_finder
from bot.nlu.components import ConfiguredComponent
from bot.nlu.language_reader import DOC


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class ConceptExtractor(ConfiguredComponent, EntityExtractorMixin):
    """Adds what the knowledge base's words find; keeps what other extractors found."""

    def __init__(self, config: Dict[str, Any]) -> None:
        """Loads the shared finder."""
        super().__init__(config)
        self._finder = load_finder()

    @classmethod
    def required_components(cls) -> List[Type]:
        """Names what must stand before it in the pipeline."""
        return [Tokenizer]

    @staticmethod
    def required_packages() -> List[str]:
        """Names the packages that must be installed."""
        return ["spacy"]

    def process(self, messages: List[Message]) -> List[Message]:
        """Finds the concepts of each message; of each kind the most relevant comes first."""
        for message in messages:
            doc = message.get(DOC)
            found = [self._entity(mention) for mention in self._finder.find(doc)] if doc is not None else []
            found = self.add_extractor_name(found)
            message.set(ENTITIES, [*(message.get(ENTITIES) or []), *found], add_to_output=True)
        return messages

    def _entity(self, mention: Mention) -> Dict[str, Any]:
        return {
            ENTITY_ATTRIBUTE_TYPE: mention.kind,
            ENTITY_ATTRIBUTE_VALUE: mention.id,
            ENTITY_ATTRIBUTE_START: mention.start,
            ENTITY_ATTRIBUTE_END: mention.end,
        }
