"""Finds the facts that a question asks for: nearest questions by meaning and by words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from bot.language.encoder import SentenceEncoder
from bot.language.pipeline import plain, read
from bot.language.weights import TermWeights

Scores = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
# The key of questions that the documents do not answer.
UNANSWERED = ""
# The key of questions that ask for all there is on something ("what causes cramps?"), which no single fact answers.
WHOLE = "*"
# With more questions than this a text is compared with those alone whose keys come nearest by the outlines of their
# meanings. With 30,000 facts the nearest three and the facts told were the same for all of evaluation/questions.jsonl.
MOST_COMPARED = 10_000
DIRECTIONS, NEAR = 96, 1_000


@dataclass(frozen=True)
class Mix:
    """How much meaning, words and letters count; `python -m bot.evaluation.retrieval --mix` compares others."""

    meaning: float = 0.6
    words: float = 0.2
    letters: float = 0.2


@dataclass(frozen=True)
class Compared:
    """A text compared with known questions, those of one key together.

    Attributes:
        likeness: The likeness to each question.
        keys: The key of each, as a number that rises.
        questions: The number of each.
        index: Where the numbers come from.
    """

    likeness: Scores
    keys: Places
    questions: Places
    index: QuestionIndex

    def ranked(self, count: int = 3) -> list[tuple[str, float]]:
        """Gives the nearest keys, best first, with their likeness.

        The likeness to a key is that to its nearest question, and to the second nearest for steadiness.
        """
        starts = np.flatnonzero(np.diff(self.keys, prepend=-1))
        nearest = np.maximum.reduceat(self.likeness, starts)
        counts = np.diff(starts, append=len(self.likeness))
        below = np.where(self.likeness < np.repeat(nearest, counts), self.likeness, -1.0)
        second = np.maximum.reduceat(below, starts)
        scores = 0.75 * nearest + 0.25 * np.where(second < 0, nearest, second)
        best = np.argsort(-scores)[:count]
        return [(self.index.keys[self.keys[starts[place]]], float(scores[place])) for place in best]

    def nearest(self, least: float) -> str:
        """Gives the nearest question as it is written, or "" if none is as near as `least`."""
        place = int(self.likeness.argmax())
        return self.index.written[self.questions[place]] if self.likeness[place] >= least else ""


class QuestionIndex:
    """Known questions, each with the key that answers it, as vectors whose dot product is the likeness."""

    def __init__(self, entries: Iterable[tuple[str, str]], encoder: SentenceEncoder, mix: Mix = Mix()) -> None:
        """Builds the index.

        Args:
            entries: Keys and texts; the key `UNANSWERED` stands for questions without an answer, `WHOLE` for those that
                ask for more than facts.
            encoder: The sentence encoder.
            mix: The parts of the likeness.
        """
        # Questions of one key stand together, so that its nearest one is found by one pass over all.
        owners, self.written = zip(*sorted(entries, key=lambda entry: entry[0]), strict=True)
        self.keys = tuple(dict.fromkeys(owners))
        _, self._owners = np.unique(owners, return_inverse=True)
        self._numbers = np.arange(len(owners))
        spoken = [plain(read(text)) for text in self.written]
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32).fit(spoken)
        letters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2, dtype=np.float32
        ).fit(spoken)
        self._words, self._letters = TermWeights(words), TermWeights(letters)
        # A row for each term: a text has few of them.
        spelled = [mix.words * words.transform(spoken), mix.letters * letters.transform(spoken)]
        self._spelled_with = hstack(spelled).T.tocsr()
        self._meanings = encoder.encode(spoken)
        self._mix = mix
        # The directions in which the meanings differ most, and each meaning in these alone.
        _, directions = np.linalg.eigh(self._meanings.T @ self._meanings)
        self._directions = np.ascontiguousarray(directions[:, -DIRECTIONS:], dtype=np.float32)
        self._outlines = self._meanings @ self._directions

    def compare(self, spoken: str, meaning: Scores) -> Compared:
        """Compares a text with the known questions, or if there are many with those that may be near.

        Args:
            spoken: The text in plain form.
            meaning: Its sentence vector.
        """
        spelled = self._spelled(spoken)
        rows = self._outlined(spelled, meaning) if len(spelled) > MOST_COMPARED else slice(None)
        likeness = self._mix.meaning * (self._meanings[rows] @ meaning) + spelled[rows]
        return Compared(likeness, self._owners[rows], self._numbers[rows], self)

    def _spelled(self, spoken: str) -> Scores:
        """Gives the likeness of words and letters."""
        terms = hstack([self._words.transform([spoken]), self._letters.transform([spoken])], format="csr")
        likeness: Scores = self._spelled_with[terms.indices].T @ terms.data
        return likeness

    def _outlined(self, spelled: Scores, meaning: Scores) -> Places:
        """Gives the questions of the keys that are near by the outlines of the meanings."""
        rough = self._mix.meaning * (self._outlines @ (meaning @ self._directions)) + spelled
        near = np.zeros(len(self.keys), dtype=bool)
        near[self._owners[np.argpartition(rough, -NEAR)[-NEAR:]]] = True
        return np.flatnonzero(near[self._owners])
