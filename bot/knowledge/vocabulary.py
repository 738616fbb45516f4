"""The words of the knowledge base: what the speller must know and where lemmas are corrected."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
# Files whose phrases are matched against what people write.
MATCHED_FILES = (
    "body_parts.yml", "conditions.yml", "context.yml", "cues.yml", "emergency_numbers.yml", "glossary.yml",
    "measures.yml", "medicines.yml", "not_covered.yml", "signs.yml", "topics.yml", "triggers.yml",
)  # fmt: skip
# Fields that are written for readers and engineers, not matched.
_PROSE = frozenset(
    {
        "id",
        "name",
        "meaning",
        "note",
        "source",
        "instead",
        "refer",
        "caution",
        "category",
        "facts",
        "emergency",
        "emergency_text",
        "tel",
        "urgent",
        "crisis",
        "checked",
    }
)
_WORD = re.compile(r"[a-z]{2,}")


def reading_digest() -> str:
    """Gives a digest of all that training reads: matched words, words to spell by, and the code that reads with them.

    Rasa's cache and the model's stamp use it; a change of a fact's sentence does not change it, so that
    corrections of content need no training.
    """
    words = [FOLDER / name for name in (*MATCHED_FILES, "lemmas.yml", "spellings.yml")]
    words += (FOLDER / "questions").glob("*.yml")
    code = [*FOLDER.parent.glob("language/*.py"), FOLDER / "vocabulary.py"]
    digest = hashlib.sha256()
    for path in sorted([*words, *code]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def domain_words() -> frozenset[str]:
    """Gives every lower-case word that a matched phrase contains, and the forms that have a lemma of ours."""
    words: set[str] = set(domain_lemmas())
    for name in MATCHED_FILES:
        path = FOLDER / name
        if path.exists():
            for text in _strings(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)):
                words.update(_WORD.findall(text.lower()))
    return frozenset(words)


@lru_cache(maxsize=1)
def domain_lemmas() -> dict[str, str]:
    """Gives the lemmas in which everyday speech departs from spaCy's table (`lemmas.yml`)."""
    data = yaml.load((FOLDER / "lemmas.yml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {word: lemma for lemma, words in data["lemmas"].items() for word in words}


@lru_cache(maxsize=1)
def spellings() -> dict[str, str]:
    """Gives the words that people write in short or by ear (`spellings.yml`)."""
    data = yaml.load((FOLDER / "spellings.yml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {form: word for word, forms in data["spellings"].items() for form in forms}


@lru_cache(maxsize=1)
def word_counts() -> Counter[str]:
    """Gives how often each word, or its lemma, stands in the questions that facts answer."""
    texts = (path.read_text(encoding="utf-8") for path in sorted((FOLDER / "questions").glob("*.yml")))
    counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    # A form that nobody wrote there comes after the word itself.
    forms = {form: counts[lemma] // 2 for form, lemma in domain_lemmas().items() if form not in counts}
    return counts + Counter(forms)


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _strings(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in _PROSE:
                yield from _strings(value)
