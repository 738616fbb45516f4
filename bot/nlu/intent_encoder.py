"""The encoder fitted to the intents: what it takes the whole message for, and each clause of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Dict, List, Optional, Tuple, Type

import numpy as np
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from spacy.tokens import Doc

from bot.knowledge.vocabulary import reading_digest
from bot.language.adapter import Adapter
from bot.language.clauses import clauses
from bot.language.encoder import SentenceEncoder, aside, weights_folder
from bot.language.pipeline import plain, read
from bot.nlu.components import StoredComponent
from bot.nlu.intent_training import fitted
from bot.nlu.language_reader import DOC

# The key of what waits for the reading.
_READING = "reading"
ADAPTER = "adapter.npz"


@dataclass(frozen=True)
class Reading:
    """What a message and its clauses are taken for.

    Attributes:
        docs: The message, then its clauses if it has several.
        probabilities: Of the intents in alphabetical order, shape (docs, intents).
    """

    docs: Tuple[Doc, ...]
    probabilities: np.ndarray


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class IntentEncoder(StoredComponent):
    """Begins to read each message for `QuestionClassifier`, a long one beside the components between the two."""

    def __init__(
        self, config: Dict[str, Any], storage: ModelStorage, resource: Resource, adapter: Optional[Adapter] = None
    ) -> None:
        """Makes the fitted encoder, once there is an adapter."""
        super().__init__(config, storage, resource)
        self._adapter = adapter
        self._encoder = SentenceEncoder(weights_folder(), adapter=adapter) if adapter else None

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Has no options."""
        return {}

    @classmethod
    def required_components(cls) -> List[Type]:
        """Names what must stand before it in the pipeline."""
        return [Tokenizer]

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Makes Rasa train again when the reading code changed."""
        return reading_digest()

    def train(self, training_data: TrainingData) -> Resource:
        """Stores the adapter of the training phrases; it is fitted now only when these changed."""
        examples = ((e.get(TEXT), e.get(INTENT)) for e in training_data.intent_examples if e.get(TEXT))
        with self._storage.write_to(self._resource) as folder:
            fitted(examples).save(folder / ADAPTER)
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> IntentEncoder:
        """Reads the trained component from the model (see parent)."""
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, Adapter.load(folder / ADAPTER))

    def process(self, messages: List[Message]) -> List[Message]:
        """Sets what waits for the reading of each message."""
        for message in messages:
            doc = message.get(DOC)
            if doc is not None and self._encoder:
                message.set(_READING, aside(partial(self._read, doc), len(doc)))
        return messages

    def _read(self, doc: Doc) -> Reading:
        assert self._adapter and self._encoder
        parts = clauses(doc)
        docs = (doc, *map(read, parts)) if len(parts) > 1 else (doc,)
        return Reading(docs, self._adapter.probabilities(self._encoder.pool([plain(each) for each in docs])))


def reading(message: Message) -> Reading:
    """Waits for the reading of a message, which can be had once.

    Raises:
        ValueError: There is no `IntentEncoder` in the pipeline.
    """
    waiting = message.get(_READING)
    if waiting is None:
        raise ValueError("QuestionClassifier found no reading; put IntentEncoder before it in config.yml")
    message.set(_READING, None)
    read_as: Reading = waiting()
    return read_as
