"""Featurizer: the sentence embedding of each text."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Type

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.knowledge.vocabulary import reading_digest
from bot.language.encoder import WEIGHTS_SHA256, load_encoder
from bot.language.pipeline import read, respelled, symbols_named
from bot.nlu.language_reader import DOC


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceEmbedder(DenseFeaturizer, GraphComponent):
    """Adds one dense sentence feature of 384 numbers a text."""

    def __init__(self, config: Dict[str, Any], name: str) -> None:
        """Loads the shared encoder."""
        super().__init__(name, config)
        self._encoder = load_encoder()

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceEmbedder:
        """Makes the component (see parent)."""
        return cls(config, execution_context.node_name)

    @classmethod
    def required_components(cls) -> List[Type]:
        """Names what must stand before it in the pipeline."""
        return [Tokenizer]

    @staticmethod
    def required_packages() -> List[str]:
        """Names the packages that must be installed."""
        return ["ctranslate2", "tokenizers", "safetensors"]

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Makes Rasa run this component again when the weights, the words or the reading code change."""
        return WEIGHTS_SHA256 + reading_digest()

    @classmethod
    def validate_config(cls, config: Dict[str, Any]) -> None:
        """Has nothing to check."""

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Embeds all training texts in batches."""
        self.process(training_data.training_examples)
        return training_data

    def process(self, messages: List[Message]) -> List[Message]:
        """Embeds the spelling-corrected text of each message; a message of symbols alone is read by their names."""
        spoken = [message for message in messages if message.get(TEXT)]
        docs = (message.get(DOC) for message in spoken)
        read_as = (respelled(d if d is not None else read(m.get(TEXT))) for d, m in zip(docs, spoken, strict=True))
        texts = [symbols_named(text) for text in read_as]
        if texts:
            for message, vector in zip(spoken, self._encoder.encode(texts), strict=True):
                self._add(message, vector.reshape(1, -1))
        return messages

    def _add(self, message: Message, vector: np.ndarray) -> None:
        message.add_features(Features(vector, FEATURE_TYPE_SENTENCE, TEXT, self._identifier))
