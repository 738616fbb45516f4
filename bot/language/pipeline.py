"""The spaCy pipeline that every reader of messages shares.

`spacy.blank("en")` with three components of ours and one of spaCy's:

- `spelling`: sets `token.norm_` to the lower-case, corrected form; splits run-together words;
- `norm_lemma`: looks the norm up in spaCy's lemma table ("calves" and "calvs" give one lemma);
- `sentencizer`: sentence ends.

No model is downloaded, and a message takes well under a millisecond. (No postponed annotations in
this module: spaCy evaluates the factories' signatures.)
"""

import unicodedata
from functools import lru_cache
from typing import Union

import spacy
from spacy.language import Language
from spacy.lookups import Table, load_lookups
from spacy.tokens import Doc, Span, Token

from bot.knowledge.vocabulary import domain_lemmas, domain_words, spellings, word_counts
from bot.language.spelling import Speller

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'", "\u00b4": "'"})
# corrected: the norm differs from what was written; known: written as a word that is known.
for name, default in (("corrected", False), ("known", True)):
    if not Token.has_extension(name):
        Token.set_extension(name, default=default)


class SpellingComponent:
    """Sets `token.norm_` to the corrected form and splits run-together tokens."""

    def __init__(self, speller: Speller) -> None:
        """Keeps the speller."""
        self._speller = speller

    def __call__(self, doc: Doc) -> Doc:
        """Corrects the norms of one document in place."""
        self._split(doc)
        for token in doc:
            norm = token.norm_.lower()
            # spaCy's own norms come from its tables ("nt" is "not") and need no correction.
            kept = token.norm_ != token.lower_ or (len(norm) == 1 and not _stands_free(token))
            token.norm_ = norm if kept else self._speller.correct(norm)
            token._.corrected = token.norm_ != norm
            token._.known = norm.isascii() and self._speller.known(norm)
        return doc

    def _split(self, doc: Doc) -> None:
        pieces = {t.i: self._speller.split(t.lower_) for t in doc if t.is_ascii and t.is_alpha and len(t) > 6}
        pieces = {index: parts for index, parts in pieces.items() if len(parts) > 1}
        if not pieces:
            return
        with doc.retokenize() as retokenizer:
            for index, parts in pieces.items():
                token, orths, start = doc[index], [], 0
                for part in parts:
                    orths.append(token.text[start : start + len(part)])
                    start += len(part)
                retokenizer.split(token, orths, heads=[(token, i) for i in range(len(parts))])


def _stands_free(token: Token) -> bool:
    """Tells whether a letter is a word among others: "y" alone is yes, and "y/n" asks for yes or no."""
    before = token.i == 0 or bool(token.nbor(-1).whitespace_)
    after = token.i + 1 == len(token.doc) or bool(token.whitespace_)
    return len(token.doc) > 1 and before and after


class NormLemmaComponent:
    """Sets `token.lemma_` from the lookup table, by norm rather than by spelling."""

    def __init__(self, table: Table, ours: dict[str, str]) -> None:
        """Keeps spaCy's table and the lemmas that the knowledge base adds or corrects."""
        self._table = table
        self._ours = ours

    def __call__(self, doc: Doc) -> Doc:
        """Fills in the lemmas of one document in place."""
        for token in doc:
            norm = token.norm_
            token.lemma_ = self._ours.get(norm) or self._table.get(norm, norm)
        return doc


@Language.factory("spelling")
def create_spelling(nlp: Language, name: str) -> SpellingComponent:
    """Makes the spelling component (spaCy factory)."""
    return SpellingComponent(Speller(domain_words(), spellings(), word_counts()))


@Language.factory("norm_lemma")
def create_norm_lemma(nlp: Language, name: str) -> NormLemmaComponent:
    """Makes the lemma component (spaCy factory)."""
    table = load_lookups("en", ["lemma_lookup"]).get_table("lemma_lookup")
    return NormLemmaComponent(table, domain_lemmas())


@lru_cache(maxsize=1)
def load_nlp() -> Language:
    """Gives the shared pipeline, built once a process."""
    nlp = spacy.blank("en")
    for name in ("spelling", "norm_lemma", "sentencizer"):
        nlp.add_pipe(name)
    return nlp


def clean(text: str) -> str:
    """Gives text with typographic apostrophes made plain; every character keeps its place."""
    return text.translate(_APOSTROPHES)


def respelled(doc: Union[Doc, Span]) -> str:
    """Gives the text of a document or part of one with its misspelt words corrected, all else as written."""
    return "".join(_respelled(token) + token.whitespace_ for token in doc)


def plain(doc: Union[Doc, Span]) -> str:
    """Gives a text as the sentence encoders read it: corrected, in lower case."""
    return respelled(doc).lower()


def symbols_named(text: str) -> str:
    """Gives the Unicode names of a wordless message's symbols ("thumbs up sign"), or the text itself.

    The encoder has no vector for most of them: a raised thumb, a lowered one and a pizza were the same to it. Beside
    words they are left as they are, since a face says less than the words do.
    """
    symbols = [char for char in text if unicodedata.category(char) == "So"]
    wordless = symbols and not any(char.isalnum() for char in text)
    return " ".join(unicodedata.name(char, "").lower() for char in symbols) if wordless else text


def _respelled(token: Token) -> str:
    """Gives the norm of a corrected word; spaCy's own norms ("nt" for "not") are left aside."""
    corrected = token.is_alpha and token._.corrected
    return token.norm_ if corrected else token.text


def read(text: str) -> Doc:
    """Reads one message; lower-casing is left to the attributes, so offsets stay true."""
    return load_nlp()(clean(text))
