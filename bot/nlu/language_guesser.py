"""Tells a message in another language from a misspelt one, so that it gets an honest answer."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from py3langid.langid import MODEL_FILE, LanguageIdentifier
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.constants import INTENT, PREDICTED_CONFIDENCE_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from spacy.tokens import Doc

from bot.knowledge.loader import load_knowledge
from bot.nlu.components import ConfiguredComponent
from bot.nlu.intent_classifier import NOTHING, QUESTIONS, RANKING
from bot.nlu.language_reader import DOC

# The key under which the language travels to the action server.
LANGUAGE = "foreign_language"
ENGLISH = "en"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class LanguageGuesser(ConfiguredComponent):
    """Counts a message as not understood if it is in one of the languages of languages.yml."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Gives the options; the reasons for the values stand in config.yml."""
        return {"sure": 0.99, "unknown_words": 0.5}

    def __init__(self, config: Dict[str, Any]) -> None:
        """Loads the identifier."""
        super().__init__(config)
        self._identifier = LanguageIdentifier.from_pickled_model(MODEL_FILE, norm_probs=True)
        self._identifier.set_languages([ENGLISH, *load_knowledge().languages])

    def process(self, messages: List[Message]) -> List[Message]:
        """Marks messages in another language; warnings of the screen stand, as the gate comes later."""
        for message in messages:
            doc = message.get(DOC)
            if doc is not None and (language := self._foreign(message.get(TEXT), doc)):
                message.set(LANGUAGE, language, add_to_output=True)
                intent = {"name": NOTHING, PREDICTED_CONFIDENCE_KEY: 1.0}
                message.set(INTENT, intent, add_to_output=True)
                message.set(RANKING, [intent], add_to_output=True)
                message.set(QUESTIONS, [NOTHING], add_to_output=True)
        return messages

    def _foreign(self, text: str, doc: Doc) -> Optional[str]:
        words = [token for token in doc if token.is_alpha]
        unknown = [token for token in words if not token._.known]
        if len(words) < 2 or len(unknown) < self._config["unknown_words"] * len(words):
            return None
        language, probability = self._identifier.classify(text)
        return language if language != ENGLISH and probability >= self._config["sure"] else None
