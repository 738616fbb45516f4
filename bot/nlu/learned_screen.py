"""The learned screen beside the rules: danger in wordings that no rule foresaw."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Type, Union

import joblib
import numpy as np
import yaml
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from spacy.tokens import Doc, Span

from bot.knowledge.vocabulary import FOLDER, reading_digest
from bot.language.encoder import load_encoder
from bot.language.pipeline import read, respelled
from bot.nlu.language_reader import DOC
from bot.nlu.safety_screen import REPLY, RULE, SAFETY
from bot.nlu.sentence_encoder import SentenceEmbedder

EXAMPLES = FOLDER / "screen_examples"
LEARNED = "learned-screen"
# The key under which the probability travels, for evaluation.
PROBABILITY = "danger_probability"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LearnedScreen(GraphComponent):
    """Logistic regression over the sentence embedding and words, trained on examples of its own.

    It only adds: what a rule has found stands, and it never takes a warning back.
    """

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Gives the options; the reasons for the values stand in config.yml."""
        return {"C": 10.0, "threshold": 0.95, "window": 40, "reply": "emergency-now", "phrase_weight": 0.5}

    def __init__(self, config: Dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        """Keeps the options."""
        self._config = config
        self._storage = storage
        self._resource = resource
        self._encoder = load_encoder()
        self._trained: Optional[Tuple[TfidfVectorizer, LogisticRegression]] = None

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LearnedScreen:
        """Makes an untrained component (see parent)."""
        return cls(config, model_storage, resource)

    @classmethod
    def required_components(cls) -> List[Type]:
        """Names what must stand before it in the pipeline."""
        return [SentenceEmbedder]

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Makes Rasa train again when the examples or the reading code changed."""
        digest = hashlib.sha256(reading_digest().encode())
        for path in sorted(EXAMPLES.glob("*.yml")):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def train(self, training_data: TrainingData) -> Resource:
        """Fits on the screen's examples; the intents' phrases are further harmless ones."""
        danger, harmless = read_examples(EXAMPLES)
        phrases = [e.get(TEXT) for e in training_data.intent_examples if e.get(TEXT) and e.get(INTENT)]
        texts = [_plain(read(text)) for text in (*danger, *harmless, *phrases)]
        labels = [1] * len(danger) + [0] * (len(harmless) + len(phrases))
        weights = [1.0] * (len(danger) + len(harmless)) + [self._config["phrase_weight"]] * len(phrases)
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, dtype=np.float32).fit(texts)
        model = LogisticRegression(C=self._config["C"], max_iter=200)
        matrix = hstack([csr_matrix(self._encoder.encode(texts)), vectorizer.transform(texts)]).tocsr()
        model.fit(matrix, labels, sample_weight=weights)
        with self._storage.write_to(self._resource) as folder:
            joblib.dump((vectorizer, model), folder / "screen.joblib")
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> LearnedScreen:
        """Reads the trained component from the model (see parent)."""
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            component._trained = joblib.load(folder / "screen.joblib")
        return component

    def process(self, messages: List[Message]) -> List[Message]:
        """Writes a verdict where the rules found nothing and the model is sure."""
        for message in messages:
            doc = message.get(DOC)
            probability = self._probability(message, doc) if doc is not None else 0.0
            message.set(PROBABILITY, round(probability, 3), add_to_output=True)
            if probability >= self._config["threshold"] and not message.get(SAFETY):
                message.set(SAFETY, {RULE: LEARNED, REPLY: self._config["reply"]}, add_to_output=True)
        return messages

    def _probability(self, message: Message, doc: Doc) -> float:
        """Gives the probability of danger; a long message is judged by its worst part.

        The whole of a long story says little: what matters is one sentence of it.
        """
        if not any(token.is_alpha for token in doc) or self._trained is None:
            return 0.0
        vectorizer, model = self._trained
        size = self._config["window"]
        _, sentence = message.get_dense_features(TEXT)
        if len(doc) <= 1.5 * size and sentence is not None:
            texts, vectors = [_plain(doc)], sentence.features
        else:
            texts = [_plain(doc[start : start + size]) for start in range(0, max(len(doc) - size // 2, 1), size // 2)]
            vectors = self._encoder.encode(texts)
        matrix = hstack([csr_matrix(vectors), vectorizer.transform(texts)]).tocsr()
        return float(model.predict_proba(matrix)[:, 1].max())


def read_examples(folder: Path) -> Tuple[List[str], List[str]]:
    """Gives the texts that are dangers and those that are not."""

    def texts(name: str) -> List[str]:
        data = yaml.load((folder / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return [text for group in data["examples"] for text in group["texts"]]

    return texts("true.yml"), texts("false.yml")


def _plain(doc: Union[Doc, Span]) -> str:
    """Gives a text as the model sees it: corrected, in lower case."""
    return respelled(doc).lower()
