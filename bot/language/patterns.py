"""The small language in which signs and cues are written, compiled to spaCy Matcher patterns.

    word          the word in any inflection; =word only as written
    a|b           either word
    (a b|c d)     either phrase
    {group}       any entry of a group
    #6-99         a number from 6 to 99; #38-41c with a unit written on to it
    word?         may be missing (also {group}? and (...)?)
    ..   ...      up to 2, up to 5 other words of the same sentence
    this ~ that   both sides in either order, up to 4 words between them

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
from itertools import permutations, product
from typing import Any, Union

from spacy.lang.en.stop_words import STOP_WORDS
from spacy.language import Language

from bot.errors import KnowledgeError

_ELEMENT = re.compile(r"\([^)]*\)\??|\S+")
_RANGE = re.compile(r"#(\d+)-(\d+)([a-z]*)")
_DECIMALS_UP_TO = 45  # temperatures are written with decimals, years and doses are not
_GAPS = {"..": 2, "...": 5}
# Words that a gap never skips: behind them stands another sentence, or the opposite.
_GAP_STOPS = (".", "!", "?", ";", "no", "not", "nt", "never", "without", "nor", "none", "nothing", "neither", "but")

Words = frozenset[str]
Step = Union[Words, int]  # a word, or a gap of so many words
Variant = tuple[Step, ...]
_EITHER_ORDER: list[Variant] = [(4,)]  # the gap on either side of ~


@dataclass(frozen=True)
class Compiled:
    """Matcher patterns, and sets of words of each of which a text must hold one for any to match."""

    patterns: list[list[dict[str, Any]]]
    needs: tuple[Words, ...]


class PatternCompiler:
    """Compiles patterns; knows the groups and the inflections of words."""

    def __init__(
        self, nlp: Language, groups: Mapping[str, str], lemmas: Mapping[str, str], exact: bool = False
    ) -> None:
        """Keeps what patterns refer to.

        Args:
            nlp: Its tokenizer splits the words of patterns as it splits messages.
            groups: Named alternatives, written like those of patterns.
            lemmas: Lemmas that depart from spaCy's table.
            exact: Words match only as written, never in other inflections.
        """
        self._nlp = nlp
        self._groups = groups
        self._ours = lemmas
        self._exact = exact
        self._words: dict[str, Variant] = {}

    def compile(self, source: str) -> Compiled:
        """Compiles one pattern.

        Raises:
            KnowledgeError: The pattern names an unknown group or holds no word.
        """
        sides = [self._choices(side) for side in source.split(" ~ ")]
        needs = tuple(need for side in sides for choice in side if (need := _need(choice)))
        if not needs:
            raise KnowledgeError(f"pattern '{source}' fits any text; give it a word that must be there")
        if len(sides) > 2:
            raise KnowledgeError(f"pattern '{source}' has more than one ~; write it as two patterns")
        orders = [sides[0]] if len(sides) == 1 else [[*a, _EITHER_ORDER, *b] for a, b in permutations(sides)]
        variants = dict.fromkeys(_joined(parts) for order in orders for parts in product(*order))
        return Compiled([_to_matcher(variant) for variant in variants], tuple(sorted(needs, key=_commonness)))

    def _choices(self, source: str) -> list[list[Variant]]:
        return [self._element(element) for element in _ELEMENT.findall(source)]

    def _element(self, element: str) -> list[Variant]:
        if element in _GAPS:
            return [(_GAPS[element],)]
        optional = element.endswith("?") and len(element) > 1
        element = element[:-1] if optional else element
        found = _merge(self._options(element.strip("()")))
        return [*found, ()] if optional else found

    def _options(self, alternatives: str) -> Iterable[Variant]:
        for option in alternatives.split("|"):
            parts = [self._part(word) for word in option.split()]
            for combo in product(*parts):
                yield _joined(combo)

    def _part(self, word: str) -> list[Variant]:
        if numbers := _RANGE.fullmatch(word):
            return [(_numbers(int(numbers[1]), int(numbers[2]), numbers[3]),)]
        if not word.startswith("{"):
            return [self._word(word)]
        name = word.strip("{}")
        if name not in self._groups:
            raise KnowledgeError(f"group '{name}' is used and not defined; add it under groups: or correct the name")
        return _merge(self._options(self._groups[name]))

    def _word(self, word: str) -> Variant:
        if word not in self._words:
            exact = self._exact or word.startswith("=")
            norms = [token.norm_.lower() for token in self._nlp.tokenizer(word.lstrip("="))]
            self._words[word] = tuple(frozenset({n}) if exact else self._forms(n) for n in norms)
        return self._words[word]

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


def _numbers(first: int, last: int, unit: str) -> Words:
    whole = [str(number) for number in range(first, last + 1)]
    parts = [f"{w}.{d}" for w in whole for d in range(10)] if last <= _DECIMALS_UP_TO else []
    return frozenset(number + unit for number in whole + parts)


def _joined(parts: Iterable[Variant]) -> Variant:
    return tuple(step for part in parts for step in part)


def _merge(variants: Iterable[Variant]) -> list[Variant]:
    """Makes one variant of those that differ in a single word, so that fewer patterns say the same."""
    merged = list(dict.fromkeys(variants))
    for place in range(max(map(len, merged), default=0)):
        groups: dict[Variant, set[str]] = {}
        for variant in merged:
            step = variant[place] if place < len(variant) else 0
            if isinstance(step, frozenset):
                groups.setdefault((*variant[:place], 0, *variant[place + 1 :]), set()).update(step)
            else:
                groups.setdefault(variant, set())
        merged = [
            (*rest[:place], frozenset(words), *rest[place + 1 :]) if words else rest for rest, words in groups.items()
        ]
    return merged


def _need(choice: Iterable[Variant]) -> Words | None:
    """Gives words of which a text must hold one for the choice to match; none if it may be absent."""
    needed: set[str] = set()
    for variant in choice:
        steps = [step for step in variant if isinstance(step, frozenset)]
        if not steps:
            return None
        needed |= sorted(steps, key=_commonness)[0]
    return frozenset(needed)


def _commonness(words: Words) -> tuple[int, int]:
    return len(words & STOP_WORDS), len(words)


def _to_matcher(variant: Variant) -> list[dict[str, Any]]:
    pattern: list[dict[str, Any]] = []
    for step in variant:
        if isinstance(step, int):
            pattern += [{"NORM": {"NOT_IN": list(_GAP_STOPS)}, "OP": "?"}] * step
        else:
            pattern.append({"NORM": {"IN": list(step)}} if len(step) > 1 else {"NORM": next(iter(step))})
    return pattern
