"""The small language in which signs and cues are written, compiled to spaCy Matcher patterns.

    can't|unable to        -> see below: alternatives of single words, no spaces
    (can't|unable to)      alternatives of several words
    {back}                 any entry of a group
    word                   the word in any inflection; =word only as written
    word?                  may be absent (also group? and (...)?)
    /regex/                a token by regular expression
    ..   ...               up to 2, up to 5 other words of the same sentence
    a b ~ c                both sides in either order, up to 4 words between them

Words are compared by the pipeline's corrected spelling (`token.norm_`).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from itertools import product
from typing import Any, Union

from spacy.lang.en.stop_words import STOP_WORDS
from spacy.language import Language

from bot.errors import KnowledgeError

_ELEMENT = re.compile(r"/[^/]+/\??|\([^)]*\)\??|\S+")
_GAPS = {"..": 2, "...": 5}
_EITHER_ORDER_GAP = 4
# Words that a gap never skips: behind them stands another sentence, or the opposite.
_GAP_STOPS = (".", "!", "?", ";", "no", "not", "nt", "never", "without", "nor", "none", "nothing", "neither", "but")

Words = frozenset[str]
Step = Union[Words, re.Pattern[str], int]  # a word, a regular expression, or a gap of so many words
Variant = tuple[Step, ...]


@dataclass(frozen=True)
class Compiled:
    """Matcher patterns, and the words of which a text must hold one for any of them to match."""

    patterns: list[list[dict[str, Any]]]
    anchors: Words | None


class PatternCompiler:
    """Compiles patterns; knows the groups and the inflections of words."""

    def __init__(self, nlp: Language, groups: Mapping[str, str], lemmas: Mapping[str, str]) -> None:
        """Keeps what patterns refer to.

        Args:
            nlp: Its tokenizer splits the words of patterns as it splits messages.
            groups: Named alternatives, written like those of patterns.
            lemmas: Lemmas that depart from spaCy's table.
        """
        self._nlp = nlp
        self._groups = groups
        self._ours = lemmas

    def compile(self, sources: Iterable[str]) -> Compiled:
        """Compiles patterns that mean the same thing.

        Raises:
            KnowledgeError: A pattern names an unknown group or is empty.
        """
        variants = list(dict.fromkeys(v for source in sources for v in self._variants(source)))
        anchors: set[str] = set()
        for variant in variants:
            anchor = _anchor(variant)
            if anchor is None:
                return Compiled([_to_matcher(v) for v in variants], None)
            anchors |= anchor
        return Compiled([_to_matcher(v) for v in variants], frozenset(anchors))

    def _variants(self, source: str) -> list[Variant]:
        sides = [self._sequence(side) for side in source.split(" ~ ")]
        if len(sides) == 1:
            found = sides[0]
        else:
            gap: Variant = (_EITHER_ORDER_GAP,)
            left, right = sides
            found = [a + gap + b for a, b in product(left, right)] + [b + gap + a for a, b in product(left, right)]
        if not found or not all(any(not isinstance(step, int) for step in variant) for variant in found):
            raise KnowledgeError(f"pattern '{source}' matches nothing or anything; give it a word")
        return found

    def _sequence(self, source: str) -> list[Variant]:
        choices = [self._element(element) for element in _ELEMENT.findall(source)]
        return [tuple(step for part in combo for step in part) for combo in product(*choices)]

    def _element(self, element: str) -> list[Variant]:
        if element in _GAPS:
            return [(_GAPS[element],)]
        optional = element.endswith("?") and len(element) > 1
        element = element[:-1] if optional else element
        if element.startswith("/"):
            found: list[Variant] = [(re.compile(element[1:-1]),)]
        else:
            found = _merge(self._options(element.strip("()")))
        return [*found, ()] if optional else found

    def _options(self, alternatives: str) -> Iterable[Variant]:
        for option in alternatives.split("|"):
            parts = [self._part(word) for word in option.split()]
            for combo in product(*parts):
                yield tuple(step for part in combo for step in part)

    def _part(self, word: str) -> list[Variant]:
        if not word.startswith("{"):
            return [self._word(word)]
        name = word.strip("{}")
        if name not in self._groups:
            raise KnowledgeError(f"group '{name}' is used and not defined; add it under groups: or correct the name")
        return _merge(self._options(self._groups[name]))

    def _word(self, word: str) -> Variant:
        exact = word.startswith("=")
        norms = [token.norm_.lower() for token in self._nlp.tokenizer(word.lstrip("="))]
        return tuple(frozenset({norm}) if exact else self._forms(norm) for norm in norms)

    def _forms(self, word: str) -> Words:
        lemmas = {word, self._table.get(word, word), self._ours.get(word, word)}
        return frozenset({word}).union(*(self._inflections.get(lemma, ()) for lemma in lemmas))

    @cached_property
    def _table(self) -> dict[str, str]:
        source = resources.files("spacy_lookups_data") / "data" / "en_lemma_lookup.json.gz"
        table: dict[str, str] = json.loads(gzip.decompress(source.read_bytes()))
        return table

    @cached_property
    def _inflections(self) -> dict[str, set[str]]:
        forms: dict[str, set[str]] = {}
        for word, lemma in (*self._table.items(), *self._ours.items()):
            forms.setdefault(lemma, {lemma}).add(word)
        return forms


def _merge(variants: Iterable[Variant]) -> list[Variant]:
    """Makes one step of all alternatives that are a single word."""
    words: set[str] = set()
    longer: list[Variant] = []
    for variant in variants:
        if len(variant) == 1 and isinstance(variant[0], frozenset):
            words |= variant[0]
        else:
            longer.append(variant)
    return [(frozenset(words),), *longer] if words else longer


def _anchor(variant: Variant) -> Words | None:
    """Gives the words of the step that fewest texts hold: few words, and no everyday ones."""
    steps = [step for step in variant if isinstance(step, frozenset)]
    if not steps:
        return None
    return min(steps, key=lambda step: (bool(step & STOP_WORDS), len(step)))


def _to_matcher(variant: Variant) -> list[dict[str, Any]]:
    pattern: list[dict[str, Any]] = []
    for step in variant:
        if isinstance(step, int):
            pattern += [{"NORM": {"NOT_IN": list(_GAP_STOPS)}, "OP": "?"}] * step
        elif isinstance(step, frozenset):
            pattern.append({"NORM": {"IN": sorted(step)}} if len(step) > 1 else {"NORM": next(iter(step))})
        else:
            pattern.append({"NORM": {"REGEX": step.pattern}})
    return pattern
