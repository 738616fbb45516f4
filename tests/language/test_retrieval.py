"""The index of known questions: what is left out of the comparison changes nothing near."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from bot.knowledge.loader import load_knowledge
from bot.language import retrieval
from bot.language.encoder import load_encoder
from bot.language.pipeline import plain, read
from bot.language.retrieval import QuestionIndex
from bot.language.weights import TermWeights
from bot.nlu.fact_retriever import FactRetriever, entries

TEXTS = ("why does my calf cramp at night", "can i take magnesium", "heat or ice for a stiff neck", "hello", "", "qqq")


@pytest.fixture(scope="module")
def index() -> QuestionIndex:
    return QuestionIndex(entries(load_knowledge()), load_encoder())


@pytest.mark.parametrize("analyzer", ["word", "char_wb"])
def test_weights_are_those_of_the_vectorizer(analyzer):
    vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=(1, 3), sublinear_tf=True, dtype=np.float32)
    vectorizer.fit([text for texts in load_knowledge().questions.values() for text in texts])
    texts = [*TEXTS, "cramp cramp cramp calf calf night"]
    ours, theirs = TermWeights(vectorizer).transform(texts), vectorizer.transform(texts)
    assert ours.shape == theirs.shape
    assert np.allclose(ours.toarray(), theirs.toarray(), atol=1e-6)


@pytest.mark.parametrize("text", TEXTS[:4])
def test_a_large_index_gives_what_comparing_with_all_gives(index, text, monkeypatch):
    spoken = plain(read(text))
    meaning = load_encoder().encode([spoken])[0]
    every = index.compare(spoken, meaning)
    monkeypatch.setattr(retrieval, "MOST_COMPARED", 100)
    monkeypatch.setattr(retrieval, "NEAR", 300)
    near = index.compare(spoken, meaning)
    assert len(near.likeness) < len(every.likeness)
    assert [key for key, _ in near.ranked(10)] == [key for key, _ in every.ranked(10)]
    assert np.allclose([score for _, score in near.ranked(10)], [score for _, score in every.ranked(10)])
    assert near.nearest(0.0) == every.nearest(0.0)


@pytest.mark.parametrize("text", ["what causes muscle spasms", "muscle spasm prevention", "how to treat muscle spasms"])
def test_no_single_fact_answers_what_asks_for_all_there_is(text: str, index: QuestionIndex):
    retriever = FactRetriever(FactRetriever.get_default_config(), None, None)
    spoken = plain(read(text))
    assert retriever.told(index.compare(spoken, load_encoder().encode([spoken])[0]).ranked(15)) == []
