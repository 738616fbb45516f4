"""Reads a message for red flags: spaCy finds signs and cues, the core decides.

`RedFlagReader.read` is total: it gives a result for every string and never raises.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from spacy.language import Language
from spacy.matcher import Matcher
from spacy.tokens import Doc

from bot.core.context import Cue, Target, judge
from bot.core.screen import Condition, Finding, Rule, ScreenResult, Urgency, decide
from bot.knowledge.safety import RedFlag, SafetyData, load_safety
from bot.knowledge.vocabulary import domain_lemmas
from bot.language.patterns import PatternCompiler, Words
from bot.language.pipeline import clean, load_nlp

# A message longer than a piece is read piece by piece, so that time grows no faster than length;
# pieces overlap, so that no sign falls between two.
PIECE_CHARS = 1000
OVERLAP_CHARS = 200
_LINE_END = re.compile(r"\s*\n\s*(?=\n|[-*\u2022A-Z0-9])")
_DOTS = re.compile(r"\.{2,}|\u2026")
_JOINT = re.compile(r"(?<=[^\W\d_])[-/_\u2010-\u2015](?=[^\W\d_])")
_MARKS = re.compile(r"[*\"\u201c\u201d()\[\]{}<>|~\u200b\u200c\u200d\ufeff]")
_AND = re.compile(r"\s*[&+]\s*")
_SPACES = re.compile(r"\s+")
_LONG_WORD = re.compile(r"(\S{80})\S+")  # no word; splitting it would take long

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    """One pattern of a list.

    Attributes:
        number: The place of the list.
        matcher: Finds the pattern.
        reach: How many words a match has at most.
        needs: Sets of words of each of which a match holds one.
    """

    number: int
    matcher: Matcher
    reach: int
    needs: tuple[Words, ...]


class WordMatcher:
    """Finds named patterns; runs spaCy's Matcher only for those whose words the text holds, and only around them."""

    def __init__(self, nlp: Language, compiler: PatternCompiler, sources: Iterable[Iterable[str]]) -> None:
        """Compiles lists of patterns; a match tells the place of its list."""
        self._entries: list[_Entry] = []
        self._by_word: dict[str, list[int]] = {}
        for number, patterns in enumerate(sources):
            for compiled in map(compiler.compile, patterns):
                matcher = Matcher(nlp.vocab, validate=False)
                matcher.add("found", compiled.patterns)
                for word in compiled.needs[0]:
                    self._by_word.setdefault(word, []).append(len(self._entries))
                reach = max(map(len, compiled.patterns))
                self._entries.append(_Entry(number, matcher, reach, compiled.needs))

    def __call__(self, doc: Doc) -> Iterator[tuple[int, int, int]]:
        """Yields (place of the list, start, end) for each match that holds no shorter one."""
        places: dict[str, list[int]] = {}
        for token in doc:
            places.setdefault(token.norm_, []).append(token.i)
        words = places.keys()
        spans: dict[int, set[tuple[int, int]]] = {}
        for number in sorted({entry for word in words for entry in self._by_word.get(word, ())}):
            entry = self._entries[number]
            if any(words.isdisjoint(need) for need in entry.needs[1:]):
                continue
            around = sorted(place for word in words & entry.needs[0] for place in places[word])
            for first, last in _stretches(around, entry.reach, len(doc)):
                matches = ((first + start, first + end) for _, start, end in entry.matcher(doc[first:last]))
                spans.setdefault(entry.number, set()).update(matches)
        for number, found in spans.items():
            for start, end in sorted(found):
                if not any(start <= s and e <= end and (s, e) != (start, end) for s, e in found):
                    yield number, start, end


def _stretches(places: Iterable[int], reach: int, length: int) -> Iterator[tuple[int, int]]:
    """Gives the parts of a text in which a match may lie that holds a word at one of some places, in order."""
    first = last = 0
    for place in places:
        if place - reach >= last:
            if last:
                yield first, last
            first = max(0, place - reach + 1)
        last = min(length, place + reach)
    if last:
        yield first, last


class RedFlagReader:
    """Screens messages for red flags."""

    def __init__(self, nlp: Language, data: SafetyData) -> None:
        """Compiles signs and cues.

        Args:
            nlp: The pipeline of `bot.language.pipeline`.
            data: The safety part of the knowledge base.

        Raises:
            KnowledgeError: A pattern cannot be compiled.
        """
        of_signs = PatternCompiler(nlp, data.groups, domain_lemmas())
        of_cues = PatternCompiler(nlp, data.groups, domain_lemmas(), exact=True)
        self._nlp = nlp
        self._signs = data.signs
        self._keeps = {sign.id: frozenset(sign.keeps) for sign in data.signs}
        self._cues = data.cues
        self._find_signs = WordMatcher(nlp, of_signs, (sign.patterns for sign in data.signs))
        self._find_cues = WordMatcher(nlp, of_cues, (cues.phrases for cues in data.cues))
        self._rules = tuple(_rule(flag) for flag in data.red_flags)

    def read(self, text: str) -> ScreenResult:
        """Gives what the screen says of a text; never raises, never logs the text."""
        try:
            findings = tuple(f for piece in _pieces(tidy(text)) for f in self._findings(self._nlp(piece)))
            return ScreenResult(decide(findings, self._rules) if findings else (), findings)
        except Exception as error:
            _log.error("red-flag screen failed: %s", type(error).__name__)
            return ScreenResult(failed=True)

    def _findings(self, doc: Doc) -> list[Finding]:
        targets = self._targets(doc)
        if not targets:
            return []
        cues = [
            Cue(record.category, start, end, record.direction, record.scope)
            for number, start, end in self._find_cues(doc)
            for record in (self._cues[number],)
        ]
        breaks = [sentence.start for sentence in doc.sents]
        verdicts = judge(targets, cues, breaks)
        return [Finding(v.target.name, v.target.start, v.target.end, v.status) for v in verdicts]

    def _targets(self, doc: Doc) -> list[Target]:
        found = [(self._signs[number].id, start, end) for number, start, end in self._find_signs(doc)]
        return [Target(name, start, end, self._keeps[name]) for name, start, end in found]


def tidy(text: str) -> str:
    """Gives a text with marks that hide words from the patterns taken away."""
    text = _LINE_END.sub(". ", clean(text))
    text = _MARKS.sub(" ", _JOINT.sub(" ", _DOTS.sub(". ", text)))
    return _LONG_WORD.sub(r"\1", _SPACES.sub(" ", _AND.sub(" and ", text)).strip())


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > PIECE_CHARS:
        end = text.rfind(" ", start + OVERLAP_CHARS + 1, start + PIECE_CHARS)
        end = end if end > 0 else start + PIECE_CHARS
        yield text[start:end]
        start = max(text.rfind(" ", start + 1, end - OVERLAP_CHARS), end - 2 * OVERLAP_CHARS)
    yield text[start:]


def _rule(flag: RedFlag) -> Rule:
    return Rule(
        flag.id,
        Urgency[flag.urgency.upper()],
        flag.reply,
        tuple(_condition(places) for places in flag.when),
        tuple(_condition(places) for places in flag.unless),
        flag.firm,
    )


def _condition(places: Iterable[str]) -> Condition:
    return Condition(tuple(tuple(name.strip() for name in place.split("|")) for place in places))


@lru_cache(maxsize=1)
def load_reader() -> RedFlagReader:
    """Gives the reader of the shared pipeline and knowledge base, built once a process."""
    return RedFlagReader(load_nlp(), load_safety())
