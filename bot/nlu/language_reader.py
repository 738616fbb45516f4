"""Tokenizer: reads the message with the shared spaCy pipeline and keeps the spaCy document."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.knowledge.vocabulary import reading_digest
from bot.language.pipeline import read

# The key under which later components find the spaCy document.
DOC = "spacy_doc"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class LanguageReader(Tokenizer):
    """Tokenises with `bot.language.pipeline`.

    Rasa's SpacyNLP is not used: it loads a folder by name and does not notice when the folder's
    content, which comes from the knowledge base, has changed.
    """

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Gives the options of Rasa's tokenizers with their defaults."""
        return {"intent_tokenization_flag": False, "intent_split_symbol": "_", "token_pattern": None}

    @staticmethod
    def required_packages() -> List[str]:
        """Names the packages that must be installed."""
        return ["spacy", "symspellpy"]

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Makes Rasa run this component again when knowledge or reading code changed."""
        return reading_digest()

    def process(self, messages: List[Message]) -> List[Message]:
        """Reads each message and keeps its spaCy document for later components."""
        for message in messages:
            message.set(DOC, read(message.get(TEXT) or ""))
        return super().process(messages)

    def tokenize(self, message: Message, attribute: str) -> List[Token]:
        """Gives the tokens of one attribute, lemmas included."""
        doc = message.get(DOC) if attribute == TEXT else None
        doc = doc if doc is not None else read(message.get(attribute) or "")
        tokens = [Token(t.text, t.idx, lemma=t.lemma_) for t in doc if t.text.strip()]
        return self._apply_token_pattern(tokens)
