"""The safety part of the knowledge base: signs, red flags, context cues, replies and numbers."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Optional, TypeVar

from pydantic import Field, ValidationError, validator

from bot.core.context import Category, Direction
from bot.errors import KnowledgeError
from bot.knowledge.reading import FileFault, plain_faults, read_file
from bot.knowledge.schema import Record, count_words

FOLDER = Path(__file__).parent
MAX_FIRST_BUBBLE = 60  # shared/safety/wording.md EM-2


def _lines(value: Any) -> Any:
    """Gives the lines of a text block as a list; lines that begin with a hash and a space are comments."""
    if not isinstance(value, str):
        return value
    lines = (line.strip() for line in value.splitlines())
    return tuple(line for line in lines if line and not line.startswith("# "))


class Sign(Record):
    """Something a person can say, with all the ways of saying it (syntax: bot/language/patterns.py)."""

    patterns: tuple[str, ...]
    keeps: tuple[Category, ...] = ()

    _split = validator("patterns", pre=True, allow_reuse=True)(_lines)


class Cues(Record):
    """Phrases that change how the signs around them are meant in the same way."""

    category: Category
    direction: Direction = Direction.FORWARD
    scope: int = 6
    phrases: tuple[str, ...]

    _split = validator("phrases", pre=True, allow_reuse=True)(_lines)


class RedFlag(Record):
    """A red flag: which signs together mean which danger, with texts that must and must not fire it.

    `firm`: the learned screen's doubt cannot turn its alarm into a question.
    """

    number: Optional[int]
    may_mean: str
    urgency: Literal["emergency", "crisis", "urgent", "soon"]
    when: tuple[tuple[str, ...], ...]
    unless: tuple[tuple[str, ...], ...] = ()
    reply: str
    source: str
    source_date: Optional[str]
    checked: Literal["V", "V2", "R", "P"]
    reviewed: bool
    firm: bool = False
    fires: tuple[str, ...]
    silent: tuple[str, ...]

    _split = validator("fires", "silent", pre=True, allow_reuse=True)(_lines)

    def names(self) -> set[str]:
        """Gives the signs that the rule refers to."""
        places = [place for condition in (*self.when, *self.unless) for place in condition]
        return {name.strip().removeprefix("no ") for place in places for name in place.split("|")}


class Reply(Record):
    """The fixed text of a warning: the first bubble, then points."""

    kind: Literal["emergency", "urgent", "crisis", "safety_check"]
    text: str
    bullets: tuple[str, ...]
    authority: str
    reviewed: bool = False

    @validator("text")
    def _short(cls, value: str) -> str:
        if count_words(value) > MAX_FIRST_BUBBLE:
            raise ValueError(f"has more than {MAX_FIRST_BUBBLE} words; move some into the bullets")
        return value


class Country(Record):
    """The numbers to call in one country."""

    name: str
    aliases: tuple[str, ...] = ()
    emergency: str
    emergency_text: str
    tel: str
    urgent: str
    crisis: tuple[str, ...]
    source: str
    checked: Literal["V", "V2", "R", "P"]


class SafetyData(Record):
    """All of it, frozen."""

    id: str = "safety"
    groups: dict[str, str] = Field(default_factory=dict)
    signs: tuple[Sign, ...]
    cues: tuple[Cues, ...]
    red_flags: tuple[RedFlag, ...]
    replies: tuple[Reply, ...]
    countries: tuple[Country, ...]


R = TypeVar("R", bound=Record)


@lru_cache(maxsize=1)
def load_safety() -> SafetyData:
    """Reads and checks the safety files.

    Raises:
        KnowledgeError: With every fault found: file, id, field and what is wrong.
    """
    faults: list[str] = []
    signs = _read("signs.yml")
    flags = [
        flag
        for path in sorted((FOLDER / "red_flags").glob("*.yml"))
        for flag in _records(RedFlag, f"red_flags/{path.name}", "red_flags", faults)
    ]
    cues = _records(Cues, "context.yml", "cues", faults)
    replies = _records(Reply, "red_flag_replies.yml", "replies", faults)
    countries = _records(Country, "emergency_numbers.yml", "countries", faults)
    data = SafetyData(
        groups=signs.get("groups", {}),
        signs=tuple(_records(Sign, "signs.yml", "signs", faults)),
        cues=tuple(cues),
        red_flags=tuple(flags),
        replies=tuple(replies),
        countries=tuple(countries),
    )
    faults += _loose_ends(data)
    if faults:
        raise KnowledgeError(f"{len(faults)} fault(s) in the safety files:\n" + "\n".join(faults))
    return data


def _read(name: str) -> dict[str, Any]:
    try:
        return read_file(FOLDER, name)
    except FileFault as fault:
        raise KnowledgeError(str(fault)) from fault


def _records(kind: type[R], file: str, key: str, faults: list[str]) -> list[R]:
    found: list[R] = []
    for raw in _read(file).get(key) or []:
        try:
            found.append(kind(**raw))
        except ValidationError as error:
            faults.extend(f"{file}: {raw.get('id', '(no id)')}: {fault}" for fault in plain_faults(error))
    return found


def _loose_ends(data: SafetyData) -> list[str]:
    """Names every reference that leads nowhere and every id that is given twice."""
    signs = {sign.id for sign in data.signs}
    replies = {reply.id for reply in data.replies}
    faults = [
        f"red_flags: {flag.id}: sign '{name}' is not in signs.yml; add it or correct the name"
        for flag in data.red_flags
        for name in sorted(flag.names() - signs)
    ]
    faults += [
        f"red_flags: {flag.id}: reply '{flag.reply}' is not in red_flag_replies.yml; add it or correct the key"
        for flag in data.red_flags
        if flag.reply not in replies
    ]
    for what, ids in (
        ("signs.yml", [s.id for s in data.signs]),
        ("red_flags", [f.id for f in data.red_flags]),
        ("red_flag_replies.yml", [r.id for r in data.replies]),
    ):
        faults += [f"{what}: {id_}: given twice; rename one" for id_ in sorted({i for i in ids if ids.count(i) > 1})]
    return faults
