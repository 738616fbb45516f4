"""Finds what a message names: body parts, triggers, illnesses, medicines, measures, subjects.

spaCy's PhraseMatcher does the matching, on lemmas of spelling-corrected words; the phrases come from
the knowledge base.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span

from bot.core import turn as t
from bot.core.turn import Mention
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.knowledge.numbers import countries
from bot.knowledge.safety import Country
from bot.knowledge.schema import Concept
from bot.language.pipeline import load_nlp

SYMPTOM, EXCLUDED, MEANING, LIKENED, DENIED = "symptom", "excluded", "meaning", "likened", "denied"
# A concept may stand this many tokens after the words that set it aside ("forget about the eye").
_ASIDE = 2
# In a message of so few tokens a word of the glossary is what is asked about ("athero what?").
_ONE_WORD_ASKED = 3
_EXCEPTION = "except"
# A concept inside one of these is part of its name ("stomach" in "stomach flu").
_SWALLOWING = frozenset({t.CONDITION, t.NOT_COVERED, t.MEDICINE})
_MEASURE_KINDS = {"durations": t.DURATION, "severity": t.SEVERITY, "ordinals": t.ORDINAL, "sides": t.SIDE}
# Body parts further than this from a word of pain stand equal to those without one (tokens).
_NEAR = 6


@dataclass(frozen=True)
class _Match:
    kind: str
    id: str
    start: int
    end: int

    def inside(self, other: _Match) -> bool:
        """Tells whether another match covers this one and more."""
        longer = other.end - other.start > self.end - self.start
        return longer and other.start <= self.start and self.end <= other.end


class ConceptFinder:
    """Finds mentions in a document that the shared pipeline has read."""

    def __init__(self, nlp: Language, knowledge: Knowledge, countries: Iterable[Country]) -> None:
        """Compiles the phrases of the knowledge base."""
        self._nlp = nlp
        self._matcher = PhraseMatcher(nlp.vocab, attr="LEMMA")
        for kind, concepts in _tables(knowledge):
            for concept in concepts:
                self._add(f"{kind}|{concept.id}", concept.aliases)
                self._add(f"{_EXCEPTION}|{kind}|{concept.id}", concept.except_)
        for country in countries:
            self._add(f"{t.COUNTRY}|{country.id}", country.aliases)

    def _add(self, key: str, phrases: Iterable[str]) -> None:
        docs = list(self._nlp.pipe(phrases))
        if docs:
            self._matcher.add(key, docs)

    def find(self, doc: Doc) -> tuple[Mention, ...]:
        """Gives all mentions; of each kind the most relevant comes first."""
        matches = _kept(_unswallowed([self._match(span) for span in self._matcher(doc, as_spans=True)]))
        places = _by_relevance([m for m in matches if m.kind == t.BODY_PART], matches)
        others = sorted((m for m in matches if m.kind != t.BODY_PART), key=lambda m: (m.start, -m.end))
        hidden = {(t.CUE, cue) for cue in (SYMPTOM, EXCLUDED, MEANING, LIKENED, DENIED)}
        asked = len(doc) <= _ONE_WORD_ASKED or any((m.kind, m.id) == (t.CUE, MEANING) for m in matches)
        chosen = [m for m in (*places, *others) if (m.kind, m.id) not in hidden and (asked or m.kind != t.TERM)]
        return tuple(_mention(match, doc) for match in chosen)

    def _match(self, span: Span) -> _Match:
        kind, _, concept = self._nlp.vocab.strings[span.label].partition("|")
        return _Match(kind, concept, span.start, span.end)


@lru_cache(maxsize=1)
def load_finder() -> ConceptFinder:
    """Gives the shared finder, built once a process."""
    return ConceptFinder(load_nlp(), load_knowledge(), countries())


def _tables(k: Knowledge) -> Iterator[tuple[str, Iterable[Concept]]]:
    tables: Mapping[str, Mapping[str, Concept]] = {
        t.BODY_PART: k.body_parts,
        t.TRIGGER: k.triggers,
        t.CONDITION: k.conditions,
        t.MEDICINE: k.medicines,
        t.TOPIC: k.topics,
        t.NOT_COVERED: k.not_covered,
        t.CUE: k.cues,
        t.TERM: k.glossary,
    }
    for kind, concepts in tables.items():
        yield kind, concepts.values()
    for name, kind in _MEASURE_KINDS.items():
        yield kind, k.measures.get(name, ())


def _unswallowed(matches: list[_Match]) -> list[_Match]:
    """Leaves out exceptions, what they cover, and shorter matches inside longer ones."""
    exceptions = [m for m in matches if m.kind == _EXCEPTION]
    kept = [m for m in matches if m.kind != _EXCEPTION and not _excepted(m, exceptions)]
    return [m for m in kept if not any(m.inside(o) for o in kept if o.kind == m.kind or o.kind in _SWALLOWING)]


def _kept(matches: list[_Match]) -> list[_Match]:
    """Leaves out what is set aside, what is likened to, and what did not set it off.

    Of what is set aside ("besides heat") only the nearest concept; "it wasn't lifting" did not set it off.
    """
    likened, denied = ({m.end for m in matches if (m.kind, m.id) == (t.CUE, cue)} for cue in (LIKENED, DENIED))
    aside = {m for m in matches if m.kind == t.BODY_PART and m.start in likened}
    aside |= {m for m in matches if m.kind == t.TRIGGER and m.start in denied}
    for cue in (m for m in matches if (m.kind, m.id) == (t.CUE, t.SET_ASIDE)):
        after = [m for m in matches if m.kind != t.CUE and 0 <= m.start - cue.end < _ASIDE]
        first = min((m.start for m in after), default=None)
        aside |= {m for m in after if m.start == first}
    return [m for m in matches if m not in aside]


def _excepted(match: _Match, exceptions: list[_Match]) -> bool:
    covering = (e for e in exceptions if e.id == f"{match.kind}|{match.id}")
    return any(e.start <= match.start and match.end <= e.end for e in covering)


def _by_relevance(places: list[_Match], matches: list[_Match]) -> list[_Match]:
    """Orders body parts: those beside a word of pain first; those excluded ("not the foot") last or not at all."""
    symptoms = [m for m in matches if (m.kind, m.id) == (t.CUE, SYMPTOM)]
    denied = {m.end for m in matches if (m.kind, m.id) == (t.CUE, EXCLUDED)}
    stated = [m for m in places if m.start not in denied] or places

    def distance(place: _Match) -> int:
        gaps = (max(s.start - place.end, place.start - s.end, 0) for s in symptoms)
        return min(min(gaps, default=_NEAR), _NEAR)

    return sorted(stated, key=lambda m: (distance(m) // 3, m.start))


def _mention(match: _Match, doc: Doc) -> Mention:
    span = doc[match.start : match.end]
    return Mention(match.kind, match.id, span.start_char, span.end_char)
