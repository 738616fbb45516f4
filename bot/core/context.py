"""Whether what a person names is so, now, for someone in front of them (ConText).

A *target* is a span of tokens that names a sign of danger. A *cue* is a span that changes how the
targets around it are meant ("no", "in 2012", "can ... cause"). Which words are cues is data; this
module only knows directions, scopes and which category outweighs which. The method follows ConText
(Harkema, Dowling, Thornblade, Chapman, J Biomed Inform 2009;42:839).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Category(str, Enum):
    """How a cue changes what is said."""

    FIGURATIVE = "figurative"
    NEGATED = "negated"
    OTHER_HISTORY = "other_history"
    HISTORICAL = "historical"
    RESOLVED = "resolved"
    HYPOTHETICAL = "hypothetical"
    QUESTION_GENERAL = "question_general"
    PERSONAL = "personal"  # "my", "I have": a general question is about somebody after all
    CURRENT = "current"  # "this morning", "right now": what looks like history is happening
    PSEUDO = "pseudo"  # looks like a cue and is none: "no better", "not only"
    TERMINATE = "terminate"  # ends the scope of the cues around it: "but"


class Direction(str, Enum):
    """Where a cue's targets stand."""

    FORWARD = "forward"
    BACKWARD = "backward"
    BIDIRECTIONAL = "bidirectional"


# A target's first category in this order is its status.
_PRIORITY = tuple(Category)[:7]
_OUTWEIGHED_BY: dict[Category, frozenset[Category]] = {
    Category.QUESTION_GENERAL: frozenset({Category.PERSONAL, Category.CURRENT}),
    Category.HYPOTHETICAL: frozenset({Category.CURRENT}),
    Category.HISTORICAL: frozenset({Category.CURRENT}),
    Category.OTHER_HISTORY: frozenset({Category.CURRENT}),
}


@dataclass(frozen=True)
class Target:
    """A span of tokens that names a sign; `keeps` are the categories that cannot cancel it."""

    name: str
    start: int
    end: int
    keeps: frozenset[Category] = frozenset()


@dataclass(frozen=True)
class Cue:
    """A span of tokens that changes how the targets in its scope are meant."""

    category: Category
    start: int
    end: int
    direction: Direction = Direction.FORWARD
    scope: int = 6


@dataclass(frozen=True)
class Verdict:
    """What became of a target: no status means that it is so, here and now."""

    target: Target
    status: Category | None = None
    cue: Cue | None = None


def judge(targets: Iterable[Target], cues: Sequence[Cue], breaks: Iterable[int] = ()) -> tuple[Verdict, ...]:
    """Decides the status of each target.

    Args:
        targets: What was found.
        cues: All cues of the same text.
        breaks: Offsets of the tokens that begin a new sentence; no scope crosses them.

    Returns:
        A verdict for each target, in the order given.
    """
    active = _without_covered(cues)
    walls = sorted(breaks)
    stops = [cue for cue in active if cue.category is Category.TERMINATE]
    reaches = [(cue, _reach(cue, stops, walls)) for cue in active if cue.category is not Category.TERMINATE]
    return tuple(_verdict(target, reaches) for target in targets)


def _verdict(target: Target, reaches: Sequence[tuple[Cue, tuple[int, int]]]) -> Verdict:
    touching = [cue for cue, reach in reaches if _touches(cue, reach, target)]
    present = {cue.category for cue in touching}
    for category in _PRIORITY:
        if category in target.keeps or _OUTWEIGHED_BY.get(category, frozenset()) & present:
            continue
        for cue in touching:
            if cue.category is category:
                return Verdict(target, category, cue)
    return Verdict(target)


def _touches(cue: Cue, reach: tuple[int, int], target: Target) -> bool:
    overlaps = cue.start < target.end and target.start < cue.end
    if overlaps:
        # A cue inside a target is part of it ("cannot feel"); one that sticks out says how it is meant.
        inside = target.start <= cue.start and cue.end <= target.end
        return not inside or cue.category is Category.FIGURATIVE
    if target.start >= cue.end:
        return target.start < reach[1]
    return target.end > reach[0]


def _reach(cue: Cue, stops: Sequence[Cue], walls: Sequence[int]) -> tuple[int, int]:
    """Gives the first and the last offset (exclusive) that the cue reaches."""
    start, end = cue.start, cue.end
    if cue.direction is not Direction.FORWARD:
        earlier = [stop.end for stop in stops if stop.end <= cue.start] + [w for w in walls if w <= cue.start]
        start = max([cue.start - cue.scope, 0, *earlier])
    if cue.direction is not Direction.BACKWARD:
        later = [stop.start for stop in stops if stop.start >= cue.end] + [w for w in walls if w >= cue.end]
        end = min([cue.end + cue.scope, *later])
    return start, end


def _without_covered(cues: Sequence[Cue]) -> list[Cue]:
    """Leaves out the cues that lie inside a longer one ("no" in "no longer"), then the pseudo cues."""
    kept = [cue for cue in cues if not any(_covers(other, cue) for other in cues)]
    return [cue for cue in kept if cue.category is not Category.PSEUDO]


def _covers(longer: Cue, shorter: Cue) -> bool:
    inside = longer.start <= shorter.start and shorter.end <= longer.end
    if longer.category is Category.PERSONAL:
        return False
    if shorter.category is Category.CURRENT:
        return inside and longer.category in (Category.PSEUDO, Category.TERMINATE)
    if longer.end - longer.start == shorter.end - shorter.start:
        return inside and longer.category is Category.PSEUDO and shorter.category is not Category.PSEUDO
    return inside
