"""Reads a turn's messages as one reply, and cuts long texts where a reader would pause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Where a text may be cut, best first: between paragraphs, lines, sentences, words.
_PAUSES = (re.compile(r"\n\n+"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s+"), re.compile(r"\s+"))


@dataclass(frozen=True)
class Reply:
    """One turn's reply: its text, its buttons and the contract's `custom` object."""

    text: str
    buttons: tuple[Mapping[str, str], ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, messages: Iterable[Mapping[str, Any]]) -> Reply:
        """Reads what `take_turn` or the REST channel gave."""
        messages = list(messages)
        return cls(
            text="\n".join(m["text"] for m in messages if m.get("text")),
            buttons=tuple(b for m in messages for b in m.get("buttons") or ()),
            custom=next((m["custom"] for m in messages if m.get("custom")), {}),
        )

    @property
    def plain(self) -> str:
        """The text with the telephone links that it does not name yet, for services without such links."""
        links = (link for link in self.custom.get("links") or () if link["url"].startswith("tel:"))
        numbers = ((link["title"], link["url"].removeprefix("tel:")) for link in links)
        return "\n".join([self.text, *(f"{title}: {number}" for title, number in numbers if number not in self.text)])


def units(text: str) -> int:
    """Gives a text's length in UTF-16 units, which is how messaging services count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: int) -> list[str]:
    """Cuts a text into messages of at most `limit` UTF-16 units, between sentences wherever that is possible."""
    return list(_split(text.strip(), limit))


def _split(text: str, limit: int) -> Iterator[str]:
    while units(text) > limit:
        cut = _cut(text, limit)
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    if text:
        yield text


def _cut(text: str, limit: int) -> int:
    """Gives where to end the first message: the last pause of the best kind in its second half."""
    fits = _fitting(text, limit)
    for pause in _PAUSES:
        ends = [found.start() for found in pause.finditer(text, 0, fits + 1) if found.start() >= fits // 2]
        if ends:
            return ends[-1]
    return fits


def _fitting(text: str, limit: int) -> int:
    """Gives how many characters fit into the limit."""
    size = 0
    for position, character in enumerate(text):
        size += 2 if ord(character) > 0xFFFF else 1
        if size > limit:
            return position
    return len(text)
