"""Messages that were not understood, kept to improve the bot: off unless KEEP_TEXTS is set, and scrubbed.

`python -m bot.texts` lists what is kept. A message is kept without its conversation, and deleted after 30 days.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import yaml

from bot.knowledge.loader import load_knowledge
from bot.knowledge.vocabulary import domain_words
from bot.settings import read_settings

FILE = "texts.db"
KEPT_DAYS = 30
GAP = "[…]"
TRAINING_PHRASES = Path(__file__).resolve().parents[1] / "data" / "nlu"
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
# Punctuation that may stand around a word and tells nothing.
_EDGES = ' .,;:!?"“”()…-'
# What a name follows, even one that is a word too ("my name is Rose").
_INTRODUCES = frozenset({"named", "call", "called", "name", "dr", "doctor", "mr", "mrs", "ms", "miss", "nurse", "dear"})
_FILLS = frozenset({"is", "me", "s", "name's", "was"})
_SELF = frozenset({"i", "i'm", "i've", "i'd", "i'll"})


class Texts:
    """The messages, in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Makes the file if there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
        # Deleted messages are overwritten, not just unlinked.
        self._connection.execute("pragma secure_delete=on")
        self._connection.execute("create table if not exists texts (day text not null, text text not null)")

    def keep(self, text: str, today: date) -> None:
        """Keeps a message, scrubbed, unless nothing is left of it; deletes those that are too old."""
        scrubbed = scrub(text)
        with self._connection:
            if scrubbed != GAP:
                self._connection.execute("insert into texts values (?, ?)", (today.isoformat(), scrubbed))
            oldest = (today - timedelta(days=KEPT_DAYS)).isoformat()
            self._connection.execute("delete from texts where day < ?", (oldest,))

    def kept(self) -> list[str]:
        """Gives the messages in alphabetical order, which tells nothing about when they came."""
        return [text for (text,) in self._connection.execute("select text from texts order by text")]


def scrub(text: str) -> str:
    """Gives a message with only such words as our own phrases have.

    Names, numbers, addresses of any kind and rare words are gone, because nothing is kept that is not known to be
    harmless; so are capitalised words within a sentence and what follows "my name is".
    """
    kept: list[str] = []
    shouted = text.upper() == text
    starts, introduced = True, False
    for piece in text.replace("’", "'").split():
        bare = piece.strip(_EDGES)
        word = bare.lower()
        capital = bare[:1].isupper() and not (starts or shouted or word in _SELF)
        plain = _WORD.fullmatch(word) is not None and word in _known_words()
        fine = plain and not capital and (not introduced or word in _FILLS)
        kept += [word] if fine else [GAP] if kept[-1:] != [GAP] else []
        introduced = word in _INTRODUCES or (introduced and word in _FILLS)
        starts = piece.endswith((".", "!", "?"))
    return " ".join(kept) or GAP


@lru_cache(maxsize=1)
def _known_words() -> frozenset[str]:
    """Gives the words of our own phrases: training phrases, questions of the retriever, words that are matched.

    A word must stand in three phrases: those that stand in fewer are rare, and some are names.
    """
    k = load_knowledge()
    phrases = [example for path in TRAINING_PHRASES.glob("*.yml") for example in _examples(path)]
    phrases += [text for asked in k.questions.values() for text in asked] + list(k.unanswered)
    counts = Counter(word for phrase in phrases for word in set(_WORD.findall(phrase.lower())))
    return domain_words() | frozenset(word for word, count in counts.items() if count > 2)


def _examples(path: Path) -> list[str]:
    blocks = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["nlu"]
    return [line for block in blocks for line in block["examples"].splitlines()]


def main() -> None:
    """Lists what is kept."""
    path = read_settings().state / FILE
    kept = Texts(path).kept() if path.exists() else []
    print("\n".join(kept) or "No messages are kept. KEEP_TEXTS=1 switches it on.")


if __name__ == "__main__":
    main()
