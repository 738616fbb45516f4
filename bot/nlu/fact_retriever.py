"""Retriever: the facts that a specific question asks for, whatever its intent."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Optional, Type

import joblib
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.knowledge.loader import Knowledge, load_knowledge
from bot.knowledge.vocabulary import reading_digest
from bot.language.encoder import load_encoder
from bot.language.pipeline import plain
from bot.language.retrieval import UNANSWERED, WHOLE, QuestionIndex
from bot.nlu.components import StoredComponent
from bot.nlu.language_reader import DOC

# The keys under which the action server finds the facts asked for, whether the documents are silent, and the known
# question that is nearest: our own words, by which a message that nothing answers is counted.
FACTS, SILENT, NEAREST = "facts", "documents_silent", "nearest_question"
# Facts that are near without being sure, with their likeness: what the talk is about may single one out.
NEAR = "near_facts"
INDEX = "index.joblib"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=True)
class FactRetriever(StoredComponent):
    """Compares a message with questions that facts answer and with questions that the documents do not answer."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Gives the options; the reasons for the values stand in config.yml."""
        return {"sure": 0.5, "lead": 0.1, "near": 0.06, "count": 3, "nearby": 15, "akin": 0.35}

    def __init__(self, config: Dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        """Makes an untrained component (see parent)."""
        super().__init__(config, storage, resource)
        self._index: Optional[QuestionIndex] = None

    @classmethod
    def required_components(cls) -> List[Type]:
        """Names what must stand before it in the pipeline."""
        return [Featurizer]

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Makes Rasa train again when the facts, their questions, the words or the reading code changed."""
        return hashlib.sha256(repr((entries(load_knowledge()), reading_digest())).encode()).hexdigest()

    def train(self, training_data: TrainingData) -> Resource:
        """Builds the index of the knowledge base."""
        index = QuestionIndex(entries(load_knowledge()), load_encoder())
        with self._storage.write_to(self._resource) as folder:
            joblib.dump(index, folder / INDEX)
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> FactRetriever:
        """Reads the index from the model (see parent)."""
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            component._index = joblib.load(folder / INDEX)
        return component

    def process(self, messages: List[Message]) -> List[Message]:
        """Adds the facts asked for, if it is sure of them, best first."""
        for message in messages:
            doc = message.get(DOC)
            _, sentence = message.get_dense_features(TEXT)
            if self._index is None or doc is None or sentence is None:
                continue
            compared = self._index.compare(plain(doc), sentence.features[0])
            found = compared.ranked(self._config["nearby"])
            silent = dict(found).get(UNANSWERED, 0.0)
            facts = facts_of(found)
            message.set(FACTS, self.told(found), add_to_output=True)
            message.set(NEAR, [[key, round(score, 3)] for key, score in facts], add_to_output=True)
            best = facts[0][1] if facts else 0.0
            message.set(SILENT, silent >= max(self._config["sure"], best + self._config["lead"]), add_to_output=True)
            message.set(NEAREST, compared.nearest(self._config["akin"]), add_to_output=True)
        return messages

    def told(self, found: List[tuple[str, float]]) -> List[str]:
        """Gives the facts to tell: near enough, nearer than what no fact answers, and about as near as the best."""
        facts, others = facts_of(found), dict(found)
        best = facts[0][1] if facts else 0.0
        least = max(self._config["sure"], others.get(UNANSWERED, 0.0) + self._config["lead"], others.get(WHOLE, 0.0))
        if best < least:
            return []
        return [key for key, score in facts[: self._config["count"]] if score >= best - self._config["near"]]


def facts_of(found: List[tuple[str, float]]) -> List[tuple[str, float]]:
    """Gives the keys that are facts, with their scores."""
    return [(key, score) for key, score in found if key not in (UNANSWERED, WHOLE)]


def entries(k: Knowledge) -> List[tuple[str, str]]:
    """Gives the index's entries: facts said alike share a key, and each fact's own sentence counts as well."""
    asked = [(k.lead(fact), text) for fact, texts in k.questions.items() for text in texts]
    told = [(k.lead(fact.id), fact.text) for fact in k.facts.values()]
    whole = [(WHOLE, text) for goal in k.goals.values() for text in goal.whole]
    return [*asked, *told, *whole, *((UNANSWERED, text) for text in k.unanswered)]
