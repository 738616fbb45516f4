"""Cuts a message into clauses, so that two questions in one message are both seen."""

from __future__ import annotations

from itertools import pairwise

from spacy.tokens import Doc, Span, Token

# Words that open a question in English; grammar, not content.
_OPENERS = frozenset(
    "what whats why how when where which who should can could does do is are will would shall any".split()
)
_JOINERS = frozenset(["and", "but", "so", "also", "plus", "or", "then"])
_STOPS = frozenset({",", ";", ":", "-", "–", "—"})
MIN_TOKENS = 2


def clauses(doc: Doc) -> list[str]:
    """Gives the clauses of a message in order; a message of one clause gives itself."""
    cuts = {sentence.start for sentence in doc.sents}
    for token in doc[1:]:
        if _opens_question(token) or doc[token.i - 1].text in _STOPS or "\n" in doc[token.i - 1].text:
            cuts.add(token.i)
    edges = [*sorted(cuts | {0}), len(doc)]
    texts = (doc[start:end] for start, end in pairwise(edges))
    long_enough = [span.text.strip(" ,.;:-") for span in texts if _says_something(span)]
    return long_enough or [doc.text]


def _says_something(span: Span) -> bool:
    """Tells whether a clause is long enough to mean something; one word and a question mark do ("... Heat?")."""
    words = sum(token.is_alpha for token in span)
    return words >= MIN_TOKENS or (words == 1 and any(token.text == "?" for token in span))


def _opens_question(token: Token) -> bool:
    return token.lower_ in _OPENERS and token.nbor(-1).lower_ in _JOINERS
