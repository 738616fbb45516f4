"""Classifier: what is asked, for the whole message and for each clause of it."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple, Type

import joblib
import numpy as np
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.nlu.constants import INTENT, PREDICTED_CONFIDENCE_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix, hstack
from scipy.special import softmax
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from spacy.tokens import Doc

from bot.core.questions import CLAUSE_CONFIDENCE, Guess, is_question, questions
from bot.core.turn import CUE, NOT_COVERED, TOPIC
from bot.knowledge.vocabulary import reading_digest
from bot.language.concepts import load_finder
from bot.language.encoder import DIMENSIONS, load_encoder
from bot.language.pipeline import read, respelled
from bot.language.weights import TermWeights
from bot.nlu.components import StoredComponent
from bot.nlu.intent_encoder import Reading, reading
from bot.nlu.language_reader import DOC

# The key under which the action server finds the intents of all questions in a message.
QUESTIONS = "questions"
RANKING = "intent_ranking"
# The key for whether a clause takes an alarm back ("no that was years ago. Do strokes leave spasms?"), and how sure it
# must be: a wrong one would end an emergency.
TAKES_BACK, FALSE_ALARM, SURE = "takes_back", "false_alarm", 0.6
# Of these kinds of mention it matters which one it is; of body parts and the like only that there is one.
_TELLING = frozenset({TOPIC, CUE, NOT_COVERED})
# The intent of a message without words; FallbackClassifier sets the same when unsure.
NOTHING = "nlu_fallback"
# What the model keeps of it.
REGRESSION = "classifier.joblib"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class QuestionClassifier(StoredComponent, IntentClassifier):
    """Two guesses, averaged: that of the encoder fitted to the intents, and logistic regression over what a text says.

    The regression sees the sentence embedding, character n-grams and the concepts that are named. Either errs where the
    other does not: the fitted encoder reads loose wordings better, the regression rare ones.
    """

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Gives the options; the reasons for the values stand in config.yml."""
        return {
            "C": 20.0,
            "min_ngram": 2,
            "max_ngram": 4,
            "min_df": 2,
            "concepts": 0.6,
            "max_iter": 100,
            "fitted": 0.5,
            "ranking_length": 5,
        }

    def __init__(
        self,
        config: Dict[str, Any],
        storage: ModelStorage,
        resource: Resource,
        vectorizer: Optional[TfidfVectorizer] = None,
        concepts: Optional[DictVectorizer] = None,
        classifier: Optional[LogisticRegression] = None,
    ) -> None:
        """Keeps the options and, once trained, the vectorizers and the classifier."""
        super().__init__(config, storage, resource)
        self._encoder = load_encoder()
        self._finder = load_finder()
        self._vectorizer = vectorizer
        self._terms = TermWeights(vectorizer) if vectorizer else None
        self._concepts = concepts
        self._classifier = classifier
        # Which intents count in a clause.
        names = classifier.classes_ if classifier else ()
        self._counted = np.array([is_question(name) or name == FALSE_ALARM for name in names], dtype=bool)
        # The parts of the weights, for `_regression`.
        weights, intercept = _of_each_intent(classifier) if classifier else (np.zeros((0, 0)), np.zeros(0))
        self._intercept = intercept
        named = len(weights) - (len(concepts.feature_names_) if concepts else 0)
        parts = np.split(weights, [DIMENSIONS, named])
        # In the order and size of number of what they are multiplied with; SciPy would copy them for each message.
        self._meaning, self._spelling, self._named = (np.ascontiguousarray(part, dtype=np.float32) for part in parts)

    @classmethod
    def required_components(cls) -> List[Type]:
        """Names what must stand before it in the pipeline."""
        return [Featurizer]

    @staticmethod
    def required_packages() -> List[str]:
        """Names the packages that must be installed."""
        return ["sklearn", "scipy", "joblib"]

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Makes Rasa train again when the reading code changed."""
        return reading_digest()

    def train(self, training_data: TrainingData) -> Resource:
        """Fits the classifier on the intent examples and keeps it in the model."""
        examples = [e for e in training_data.intent_examples if e.get(TEXT) and e.get(INTENT)]
        texts = [example.get(TEXT) for example in examples]
        self._vectorizer = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(self._config["min_ngram"], self._config["max_ngram"]),
            min_df=self._config["min_df"],
            sublinear_tf=True,
            dtype=np.float32,
        ).fit(texts)
        named = [self._name(read(text)) for text in texts]
        self._concepts = DictVectorizer(dtype=np.float32).fit(named)
        embeddings = csr_matrix(np.vstack([_embedding(e) for e in examples]))
        matrix = hstack([embeddings, self._vectorizer.transform(texts), self._concepts.transform(named)]).tocsr()
        self._classifier = LogisticRegression(
            C=self._config["C"], class_weight="balanced", max_iter=self._config["max_iter"]
        ).fit(matrix, [e.get(INTENT) for e in examples])
        with self._storage.write_to(self._resource) as folder:
            joblib.dump((self._vectorizer, self._concepts, self._classifier), folder / REGRESSION)
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> QuestionClassifier:
        """Reads the trained component from the model (see parent)."""
        with model_storage.read_from(resource) as folder:
            vectorizer, concepts, classifier = joblib.load(folder / REGRESSION)
        return cls(config, model_storage, resource, vectorizer, concepts, classifier)

    def process(self, messages: List[Message]) -> List[Message]:
        """Sets intent, ranking and the questions of each message."""
        for message in messages:
            text = message.get(TEXT) or ""
            embedding = _embedding(message) if text.strip() else None
            doc = message.get(DOC)
            if self._classifier is None or embedding is None or doc is None or _gibberish(doc):
                message.set(INTENT, {"name": NOTHING, PREDICTED_CONFIDENCE_KEY: 1.0}, add_to_output=True)
                message.set(QUESTIONS, [NOTHING], add_to_output=True)
                continue
            whole, *ranked = self._guesses(text, reading(message), embedding)
            parts = [guesses[0] for guesses in ranked]
            asked = questions(whole[0], parts, len(doc))
            # A question in what is none as a whole decides what is done, so it leads the ranking, from which Rasa's SDK
            # takes the intent.
            first = max((part for part in parts if part.intent == asked[0]), key=_confidence, default=whole[0])
            # What leads is as sure as what it leads, or FallbackClassifier takes the two for a doubt.
            leading = Guess(first.intent, max(first.confidence, whole[0].confidence))
            led = whole if whole[0].intent in asked else [leading, *(g for g in whole if g.intent != first.intent)]
            ranking = [{"name": g.intent, PREDICTED_CONFIDENCE_KEY: g.confidence} for g in led]
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set(RANKING, ranking[: self._config["ranking_length"]], add_to_output=True)
            message.set(QUESTIONS, list(asked), add_to_output=True)
            taken_back = any(part.intent == FALSE_ALARM and part.confidence >= SURE for part in parts)
            message.set(TAKES_BACK, taken_back, add_to_output=True)
        return messages

    def _guesses(self, text: str, read_as: Reading, embedding: np.ndarray) -> List[List[Guess]]:
        """Gives the intents for the message, whose embedding is known, and for each clause, likeliest first."""
        assert self._classifier is not None
        found, heard = read_as.probabilities.copy(), self._worth_hearing(read_as.probabilities)
        docs = [read_as.docs[place] for place in heard]
        regression = self._regression([text, *(doc.text for doc in docs[1:])], docs, embedding)
        # The fitted encoder knows symbols only by their names.
        share = self._config["fitted"] * np.array([[any(token.is_alpha for token in doc)] for doc in docs])
        found[heard] = (1 - share) * regression + share * found[heard]
        names = self._classifier.classes_
        return [[Guess(str(names[i]), float(row[i])) for i in np.argsort(-row)] for row in found]

    def _worth_hearing(self, worded: np.ndarray) -> List[int]:
        """Gives the whole and the clauses in which the regression may yet find what clauses are read for.

        Only a question counts in a clause, or that an alarm is taken back. Where the fitted encoder finds so little of
        either, no regression could lift it to the confidence that it needs; half of all clauses need no second guess.
        """
        share = self._config["fitted"]
        most = share * worded[:, self._counted].max(axis=1, initial=0.0) + 1 - share
        return [0, *(np.flatnonzero(most[1:] >= min(CLAUSE_CONFIDENCE, SURE)) + 1)]

    def _regression(self, texts: List[str], docs: List[Doc], embedding: np.ndarray) -> np.ndarray:
        """Gives the regression's probabilities of the intents."""
        assert self._terms is not None and self._concepts is not None
        others = [respelled(doc) for doc in docs[1:]]
        embeddings = np.vstack([embedding, self._encoder.encode(others)]) if others else embedding
        # The same as predict_proba of the joined matrix, without joining it: a third of the time.
        spelled = self._terms.transform(texts) @ self._spelling
        named = self._concepts.transform([self._name(doc) for doc in docs]) @ self._named
        return np.asarray(softmax(embeddings @ self._meaning + spelled + named + self._intercept, axis=1))

    def _name(self, doc: Doc) -> Dict[str, float]:
        """Gives the features of what a text names: of each kind whether it does, and which topic or cue."""
        found = self._finder.find(doc)
        kinds = {mention.kind for mention in found}
        which = {f"{mention.kind}|{mention.id}" for mention in found if mention.kind in _TELLING}
        return dict.fromkeys((*kinds, *which), float(self._config["concepts"]))


def _confidence(guess: Guess) -> float:
    return guess.confidence


def _of_each_intent(classifier: LogisticRegression) -> Tuple[np.ndarray, np.ndarray]:
    """Gives the weights and the intercept of each intent; of two intents scikit-learn keeps those of the second."""
    weights, intercept = classifier.coef_.T, classifier.intercept_
    if len(classifier.classes_) > 2:
        return weights, intercept
    return np.hstack([np.zeros_like(weights), weights]), np.array([0.0, *intercept])


def _gibberish(doc: Doc) -> bool:
    """Tells whether a message is one word that is none, nor like one."""
    words = [token for token in doc if token.is_alpha]
    return len(words) == 1 and len(doc) == 1 and not (words[0]._.known or words[0]._.corrected)


def _embedding(message: Message) -> np.ndarray:
    _, sentence = message.get_dense_features(TEXT)
    if sentence is None:
        raise ValueError("QuestionClassifier found no sentence feature; put SentenceEmbedder before it in config.yml")
    return sentence.features
