"""Finds the facts that a question asks for: nearest questions by meaning and by words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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
        # Rows of one key stand together, so that its nearest question is found by one pass over all.
        order = sorted(range(len(keys)), key=lambda row: keys[row])
        self._starts = np.searchsorted([keys[row] for row in order], self.keys)
        self.texts = [spoken[row] for row in order]
        self._written = [texts[row] for row in order]
        self._meanings = encoder.encode(self.texts)
        # With their weights, and turned, as `likeness` multiplies them.
        self._worded = (mix.words * self._words.transform(self.texts)).T.tocsr()
        self._lettered = (mix.letters * self._letters.transform(self.texts)).T.tocsr()

    def likeness(self, spoken: Sequence[str], meanings: Scores) -> Scores:
        """Gives the likeness of texts to each known question, shape (texts, known questions).

        Args:
            spoken: Texts in plain form.
            meanings: Their sentence vectors.
        """
        spelled = self._words.transform(spoken) @ self._worded + self._letters.transform(spoken) @ self._lettered
        return np.asarray(self._mix.meaning * (meanings @ self._meanings.T) + spelled.toarray(), dtype=np.float32)

    def by_key(self, likeness: Scores) -> Scores:
        """Gives the likeness to each key: its nearest question, and the second nearest for steadiness."""
        nearest = np.maximum.reduceat(likeness, self._starts, axis=1)
        counts = np.diff([*self._starts, likeness.shape[1]])
        below = np.where(likeness < np.repeat(nearest, counts, axis=1), likeness, -1.0)
        second = np.maximum.reduceat(below, self._starts, axis=1)
        second = np.where(second < 0, nearest, second)
        return np.asarray(0.75 * nearest + 0.25 * second, dtype=np.float32)

    def ranked(self, likeness: Scores, count: int = 3) -> list[tuple[str, float]]:
        """Gives the nearest keys of one text, best first, with their likeness."""
        scores = self.by_key(likeness)[0]
        return [(self.keys[place], float(scores[place])) for place in np.argsort(-scores)[:count]]

    def nearest(self, likeness: Scores, least: float) -> str:
        """Gives the known question nearest to one text, as it is written, or "" if none is as near as `least`."""
        place = int(likeness[0].argmax())
        return self._written[place] if likeness[0, place] >= least else ""
