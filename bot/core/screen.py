"""The decision of the red-flag screen: from signs found to rules that fire, worst first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bot.core.context import Category


class Urgency(IntEnum):
    """How soon help is needed; a lower number is worse."""

    EMERGENCY = 0
    CRISIS = 1
    URGENT = 2
    SOON = 3


@dataclass(frozen=True)
class Finding:
    """A sign that the text names; no status means that it is so, here and now."""

    sign: str
    start: int
    end: int
    status: Category | None = None


@dataclass(frozen=True)
class Condition:
    """Signs that must all be there; each place names the signs that can fill it.

    A name after "no " asks for a sign that is denied.
    """

    places: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Rule:
    """A red flag: fires if one of the `when` conditions holds and none of `unless`."""

    id: str
    urgency: Urgency
    reply: str
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...] = ()
    firm: bool = False


@dataclass(frozen=True)
class Hit:
    """A rule that fired, with the findings that made it fire."""

    rule: str
    urgency: Urgency
    reply: str
    evidence: tuple[Finding, ...]
    firm: bool = False


def decide(findings: Iterable[Finding], rules: Sequence[Rule]) -> tuple[Hit, ...]:
    """Gives the rules that fire on the findings of one text, worst first."""
    by_name = _by_name(findings)
    hits = []
    for rule in rules:
        evidence = _first_met(rule.when, by_name)
        if evidence and not _first_met(rule.unless, by_name):
            hits.append(Hit(rule.id, rule.urgency, rule.reply, evidence, rule.firm))
    return tuple(sorted(hits, key=lambda hit: (hit.urgency, -len(hit.evidence), hit.rule)))


def _by_name(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Gives the first finding of each sign, denied ones under "no " and the sign."""
    named: dict[str, Finding] = {}
    for finding in findings:
        if finding.status is None:
            named.setdefault(finding.sign, finding)
        elif finding.status is Category.NEGATED:
            named.setdefault(f"no {finding.sign}", finding)
    return named


def _first_met(conditions: Sequence[Condition], by_name: dict[str, Finding]) -> tuple[Finding, ...]:
    for condition in conditions:
        found = [next((by_name[n] for n in place if n in by_name), None) for place in condition.places]
        evidence = tuple(finding for finding in found if finding is not None)
        if evidence and len(evidence) == len(found):
            return evidence
    return ()


@dataclass(frozen=True)
class ScreenResult:
    """What the screen says of one text; `failed` means that it could not judge."""

    hits: tuple[Hit, ...] = ()
    findings: tuple[Finding, ...] = ()
    failed: bool = False

    @property
    def worst(self) -> Hit | None:
        """Gives the hit to answer, if any."""
        return self.hits[0] if self.hits else None

    @property
    def urgency(self) -> Urgency | None:
        """Gives the urgency of the worst hit."""
        return self.hits[0].urgency if self.hits else None
