"""Spelling correction and splitting of run-together words, with symspellpy.

Only words that neither English nor the knowledge base knows are touched, so that "calm" is never
taken for "calf". Corrections go to the words of the knowledge base and to common English words.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from importlib import resources

from symspellpy import SymSpell, Verbosity

# Common words win over rare ones as a correction: the list's head covers everyday messages, and
# its tail (names, rare nouns) would only attract misspellings. The count was chosen by eye.
COMMON_WORDS = 20_000
# A word of the knowledge base beats a common word at the same distance.
DOMAIN_COUNT = 10**11
# Words that are written without their vowels ("crmp"): those of the knowledge base and the head of the list. Three
# letters fit too many words.
SHORTENED_WORDS, SHORTENED_LETTERS = 3_000, 4
_SHORTEST = 3
_LONG_RUN = re.compile(r"(.)\1{2,}")
_VOWELS = re.compile(r"(?<=.)[aeiou]")


class Speller:
    """Corrects single words; never raises and remembers nothing of what it saw."""

    def __init__(
        self,
        domain_words: Iterable[str],
        written: Mapping[str, str] | None = None,
        asked: Mapping[str, int] | None = None,
    ) -> None:
        """Builds the word lists.

        Args:
            domain_words: Lower-case words of the knowledge base; always taken as known.
            written: Words by the forms in which people write them.
            asked: How often words stand in questions: of equally near words the one asked most wins.
        """
        self._domain = {word for word in domain_words if word.isalpha()}
        self._written, asked = written or {}, asked or {}
        counts = _english_counts()
        self._known = set(counts) | self._domain
        self._symspell = SymSpell(max_dictionary_edit_distance=2, prefix_length=6)
        for word in list(counts)[:COMMON_WORDS]:
            self._symspell.create_dictionary_entry(word, counts[word])
        # Sorted: symspellpy takes the first of equally good corrections, and a set's order changes with the process.
        for word in sorted(self._domain):
            self._symspell.create_dictionary_entry(word, DOMAIN_COUNT * (1 + asked.get(word, 0)))
        self._shortened = _shortened([*sorted(self._domain), *list(counts)[:SHORTENED_WORDS]], asked)

    def known(self, word: str) -> bool:
        """Tells whether a lower-case word needs no correction."""
        return not word.isalpha() or not word.isascii() or len(word) < 3 or word in self._known

    def correct(self, word: str) -> str:
        """Gives the likeliest known word for an unknown one, or the word itself."""
        if word in self._written:
            return self._written[word]
        if self.known(word):
            return word
        if word in self._shortened:
            return self._shortened[word]
        squeezed = _LONG_RUN.sub(r"\1", word)
        if squeezed in self._known:
            return squeezed
        doubled = _LONG_RUN.sub(r"\1\1", word)
        if doubled in self._known:
            return doubled
        distance = 2 if len(squeezed) >= 7 else 1
        found = self._symspell.lookup(squeezed, Verbosity.CLOSEST, max_edit_distance=distance)
        # People rarely mistype a first letter; corrections that change it are mostly wrong. So are those of a word of
        # three letters to another with other letters ("hgv" is not "hiv").
        likely = (str(item.term) for item in found if item.term[0] == squeezed[0])
        fits = (term for term in likely if len(squeezed) > _SHORTEST or _same_letters(term, squeezed))
        return next(fits, word)

    def split(self, word: str) -> list[str]:
        """Splits a run-together word ("chestpain") into known words, or gives it back whole."""
        if len(word) < 7 or self.known(word):
            return [word]
        parts = self._symspell.word_segmentation(word, max_edit_distance=0).segmented_string.split()
        fits = len(parts) <= 5 and all(len(part) > 2 or part in _SHORT for part in parts)
        touches_domain = any(part in self._domain and len(part) > 3 for part in parts)
        if fits and touches_domain and "".join(parts) == word and all(p in self._known for p in parts):
            return parts
        return [word]


_SHORT = frozenset("i a my me is it in on of to no so do go he we up am an at be by".split())


def _same_letters(term: str, word: str) -> bool:
    """Tells whether a word has lost or swapped letters of a term, and has no other."""
    return not Counter(word) - Counter(term)


def _shortened(words: Iterable[str], asked: Mapping[str, int]) -> dict[str, str]:
    """Gives words by their consonants, of several the one asked most."""
    rivals: dict[str, list[str]] = defaultdict(list)
    for word in words:
        rivals[_VOWELS.sub("", word)].append(word)
    return {
        short: max(full, key=lambda word: asked.get(word, 0))
        for short, full in rivals.items()
        if len(short) >= SHORTENED_LETTERS
    }


def _english_counts() -> dict[str, int]:
    """Gives symspellpy's English frequency list, most frequent first."""
    source = resources.files("symspellpy") / "frequency_dictionary_en_82_765.txt"
    counts: dict[str, int] = {}
    for line in source.read_text(encoding="utf-8-sig").splitlines():
        word, _, count = line.partition(" ")
        counts[word] = int(count)
    return counts
