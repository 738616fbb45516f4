"""Finds the facts that a question asks for: nearest questions by meaning and by words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from bot.language.encoder import SentenceEncoder
from bot.language.pipeline import plain, read

Scores = npt.NDArray[np.float32]
# The key of questions that the documents do not answer.
UNANSWERED = ""


@dataclass(frozen=True)
class Mix:
    """How much meaning, words and letters count; `python -m bot.evaluation.retrieval --mix` compares others."""

    meaning: float = 0.6
    words: float = 0.2
    letters: float = 0.2


class QuestionIndex:
    """Known questions, each with the key that answers it, as vectors whose dot product is the likeness."""

    def __init__(self, entries: Iterable[tuple[str, str]], encoder: SentenceEncoder, mix: Mix = Mix()) -> None:
        """Builds the index.

        Args:
            entries: Keys and texts; the key `UNANSWERED` stands for questions without an answer.
            encoder: The sentence encoder.
            mix: The parts of the likeness.
        """
        keys, texts = zip(*entries, strict=True)
        spoken = [plain(read(text)) for text in texts]
        self._mix = mix
        self._words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32).fit(spoken)
        self._letters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2, dtype=np.float32
        ).fit(spoken)
        self.keys = tuple(sorted(set(keys)))
        rows = defaultdict(list)
        for row, key in enumerate(keys):
            rows[key].append(row)
        self.rows = tuple(np.array(rows[key]) for key in self.keys)
        self._matrix = self.vectors(spoken, encoder.encode(spoken))

    def vectors(self, spoken: Sequence[str], meanings: Scores) -> csr_matrix:
        """Gives texts as vectors of the index, from their plain form and their sentence vectors."""
        parts = [
            csr_matrix(meanings) * self._mix.meaning**0.5,
            self._words.transform(spoken) * self._mix.words**0.5,
            self._letters.transform(spoken) * self._mix.letters**0.5,
        ]
        return hstack(parts).tocsr()

    def likeness(self, vectors: csr_matrix) -> Scores:
        """Gives the likeness of texts to each known question, shape (texts, known questions)."""
        return np.asarray((vectors @ self._matrix.T).todense(), dtype=np.float32)

    def by_key(self, likeness: Scores) -> Scores:
        """Gives the likeness to each key: its nearest question, and the second nearest for steadiness."""
        columns = []
        for rows in self.rows:
            nearest = np.sort(likeness[:, rows], axis=1)[:, -2:]
            columns.append((nearest[:, -1] + nearest.mean(axis=1)) / 2)
        return np.stack(columns, axis=1)

    def search(self, text: str, meaning: Scores, count: int = 3) -> list[tuple[str, float]]:
        """Gives the nearest keys of a text in plain form, best first, with their likeness."""
        scores = self.by_key(self.likeness(self.vectors([text], meaning)))[0]
        return [(self.keys[place], float(scores[place])) for place in np.argsort(-scores)[:count]]
