"""Puts facts into words: one answer, every sentence with its sources and its caveats.

A fact's sentence can only be written by `Draft.tell`, which adds the caveats of its cautions; so
no answer can use the one without the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.core.turn import Button, Source, unique
from bot.knowledge.loader import Knowledge
from bot.knowledge.schema import ANY, SafetyNet, count_words

# Readable on a phone without scrolling (issue: about 90 words before sources).
WORD_BUDGET = 105
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
INTRODUCTION = "intro"
NUMBER = "emergency_number"


@dataclass
class Draft:
    """An answer being written.

    Attributes:
        k: The knowledge base.
        emergency_number: What to write for `{emergency_number}`.
        lines: The text so far; an empty string is a blank line.
        facts: Facts told, in order.
        cautions: Cautions whose caveats were told or will be.
        disagreements: Disagreements shown.
        listed: Leading facts told, in order.
        footers: Small print under the text.
        checking: Region of the safety question that rides along.
        generalised: Whether it was said that the facts are not about the place or trigger asked about.
    """

    k: Knowledge
    emergency_number: str
    lines: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    generalised: bool = False
    checking: str = ""
    footers: list[str] = field(default_factory=list)
    _sources: dict[tuple[str, str], int] = field(default_factory=dict)
    _number_said: bool = False

    def phrase(self, key: str, **values: str) -> str:
        """Gives one of our fixed sentences with its names filled in."""
        return self.fill(self.k.phrases[key], **values)

    def fill(self, text: str, **values: str) -> str:
        """Fills in `{emergency_number}` (in full only once) and other names; unknown names are left out."""

        def value(match: re.Match[str]) -> str:
            if match.group(1) != NUMBER:
                return values.get(match.group(1), "")
            if self._number_said:
                return self.k.phrases["emergency_number_again"]
            self._number_said = True
            return self.emergency_number

        return _PLACEHOLDER.sub(value, text)

    def warn(self, net: SafetyNet, **values: str) -> None:
        """Adds a warning from outside the documents."""
        self.say(self.fill(net.text, **values))

    def say(self, *sentences: str) -> None:
        """Adds a line of our own sentences."""
        text = " ".join(sentence for sentence in sentences if sentence)
        if text:
            self.lines.append(text)

    def footer(self, sentence: str) -> None:
        """Adds a line of small print, which does not count as length."""
        self.footers.append(sentence)

    def gap(self) -> None:
        """Adds a blank line, never two."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def tell(self, leads: Iterable[str], places: tuple[str, ...] = ()) -> None:
        """Adds facts as bullets, each with its sources and caveats.

        Args:
            leads: Ids of leading facts.
            places: Where it hurts; a fact about elsewhere says so.
        """
        for lead in leads:
            fact = self.k.facts[lead]
            group = self.k.group(lead)
            elsewhere = self._elsewhere(lead, places)
            self.listed.append(lead)
            self._sentence(f"• {fact.text}", group, elsewhere)

    def tell_with(self, lead: str, supporting: tuple[str, ...]) -> None:
        """Adds a fact as a bullet with the sources and caveats of all facts that say the same."""
        self.listed.append(lead)
        self._sentence(f"• {self.k.facts[lead].text}", supporting, "")

    def differ(self, disagreement_id: str) -> None:
        """Adds how the documents differ, with the sources of all sides and their caveats."""
        difference = self.k.disagreements[disagreement_id]
        self.disagreements.append(disagreement_id)
        facts = unique(fact for side in difference.sides for fact in side.facts)
        self._sentence(difference.present, facts, "")

    def _sentence(self, sentence: str, facts: tuple[str, ...], suffix: str) -> None:
        refs = "".join(f"[{ref}]" for ref in sorted({self._ref(fact) for fact in facts}))
        parts = [f"{sentence} {refs}{suffix}", *self._caveats(facts)]
        self.facts.extend(fact for fact in facts if fact not in self.facts)
        self.lines.append(" ".join(parts))

    def _caveats(self, facts: tuple[str, ...]) -> list[str]:
        due = unique(caution for fact in facts for caution in self.k.cautions_of.get(fact, ()))
        new = [c for c in due if c not in self.cautions]
        self.cautions.extend(new)
        return [self.fill(short) for c in new if (short := self.k.cautions[c].short)]

    def _elsewhere(self, lead: str, places: tuple[str, ...]) -> str:
        about = self.k.facts[lead].body_part
        wider = {part for place in places for part in (place, *self.k.body_parts[place].within)}
        if ANY in about or not places or wider & set(about):
            return ""
        names = [self.k.body_parts[part].name for part in about]
        unsaid = [name for name in names if name not in self.k.facts[lead].text.lower()]
        return f" (said of the {join(unsaid)})" if unsaid else ""

    def _ref(self, fact_id: str) -> int:
        fact = self.k.facts[fact_id]
        return self._sources.setdefault((fact.doc, fact.section), len(self._sources) + 1)

    @property
    def words(self) -> int:
        """Words so far; sources, small print and the list of emergency numbers not counted."""
        plain = (re.sub(r"\[\d+\]", "", line).replace(self.emergency_number, NUMBER) for line in self.lines)
        return sum(count_words(line) for line in plain)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The numbered sources of the facts told."""
        return tuple(
            Source(ref, self.k.documents[doc].file, self.k.documents[doc].title, section_name(section))
            for (doc, section), ref in self._sources.items()
        )

    @property
    def text(self) -> str:
        """The whole reply, sources included."""
        body = "\n".join([*self.lines, *self.footers]).strip()
        if not self._sources:
            return body
        named = "; ".join(f"[{s.ref}] {s.title}, {s.section}" for s in self.sources)
        return f"{body}\n\n{self.phrase('sources')} {named}"


def section_name(section: str) -> str:
    """Gives a section as a reader would look it up."""
    return "Introduction" if section == INTRODUCTION else section.replace(" / ", ", ")


def join(names: Iterable[str]) -> str:
    """Joins names as in speech: "a, b and c"."""
    *most, last = list(names) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def goal_buttons(goals: Iterable[str], k: Knowledge) -> tuple[Button, ...]:
    """Gives the buttons that ask these goals' questions."""
    return tuple(Button(k.goals[goal].button, k.goals[goal].payload) for goal in goals)


def place_buttons(k: Knowledge) -> tuple[Button, ...]:
    """Gives the buttons that answer "where?"."""
    return tuple(Button(p.name.capitalize(), f"my {p.name}") for p in k.body_parts.values() if p.buttons)
