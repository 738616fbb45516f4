"""The shapes of the knowledge base's records.

Each class is both the check of a YAML record and the frozen value that the core works with.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal, Optional, Union

from pydantic import BaseModel, Extra, Field, validator
from pydantic.fields import ModelField

ANY = "any"
MAX_WORDS = 20  # shared/safety/wording.md PL-2
Kind = Literal[
    "definition", "symptom", "cause", "trigger", "risk-group", "region", "red-flag",
    "diagnosis", "treatment", "prevention", "see-doctor", "expert-quote",
]  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")


def count_words(text: str) -> int:
    """Counts the words of a text as a reader would."""
    return len(_WORD.findall(text))


def long_sentences(text: str) -> list[str]:
    """Gives the sentences of a text that have more than `MAX_WORDS` words."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    return [sentence for sentence in sentences if count_words(sentence) > MAX_WORDS]


class Record(BaseModel):
    """A frozen record that knows all its fields; an unknown field is an error."""

    class Config:
        """Unknown fields are errors; values cannot change."""

        extra = Extra.forbid
        frozen = True
        allow_population_by_field_name = True

    id: str = Field(..., regex=r"^[a-z0-9][a-z0-9_-]*$")

    @validator("*", pre=True)
    def _written_as_text(cls, value: Any, field: ModelField) -> Any:
        """Finds texts that YAML takes for a number, a date or yes and no; they would be changed without a word."""
        for item in value if isinstance(value, list) else [value]:
            if (
                isinstance(field.type_, type)
                and issubclass(field.type_, str)
                and isinstance(item, (bool, int, float, date))
            ):
                raise ValueError(f"'{item}' is read as a number, a date or yes and no; write it in quotes")
        return value


class Document(Record):
    """A source document."""

    file: str
    title: str
    publisher: Optional[str]
    author: Optional[str]
    date: Optional[str]
    scope: str
    notes: tuple[str, ...] = ()


class Concept(Record):
    """Something that people name, with all the ways they name it."""

    name: str
    aliases: tuple[str, ...] = ()
    except_: tuple[str, ...] = Field((), alias="except")

    @validator("aliases", "except_", each_item=True)
    def _lower_case(cls, value: str) -> str:
        if value != value.lower():
            raise ValueError(f"'{value}' has capitals; write it in lower case")
        return value


class Topic(Concept):
    """A subject that facts belong to."""

    meaning: str
    overview: bool = False
    gives_way: bool = False


class BodyPart(Concept):
    """A part of the body."""

    medical: Optional[str] = None
    within: tuple[str, ...] = ()
    region: str
    self_care: bool
    unsuited: tuple[str, ...] = ()
    buttons: bool = False


class Trigger(Concept):
    """What set a spasm off."""

    phrase: str


class Condition(Concept):
    """An illness that the documents name, or (`covered: false`) one that they do not."""

    covered: bool = True
    hold_back: bool = False


class Medicine(Concept):
    """A medicine or kind of medicine that the documents name."""

    within: tuple[str, ...] = ()
    causes_spasm: bool = False


# Facts are told, advice is not.
FACTS_ONLY = "facts only"


class NotCovered(Concept):
    """What people ask about and the documents do not speak of."""

    instead: tuple[str, ...] = ()
    caution: Optional[str] = None
    refer: Optional[str] = None
    general: Union[bool, Literal["facts only"]] = False


class Fact(Record):
    """One thing that one document says, in a sentence of ours."""

    doc: str
    section: str = Field(..., min_length=1)
    kind: Kind
    body_part: tuple[str, ...]
    topic: str
    text: str
    same_as: Optional[str] = None
    triggers: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()

    @validator("body_part")
    def _somewhere(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(f"is empty; name a part of the body, or {ANY}")
        return value

    @validator("text")
    def _one_short_sentence(cls, value: str) -> str:
        if long := long_sentences(value):
            raise ValueError(f"'{long[0]}' has more than {MAX_WORDS} words; shorten or split it")
        if not value.endswith((".", "!", "?")):
            raise ValueError("does not end like a sentence; add a full stop")
        return value


class Caution(Record):
    """What must not be repeated without a caveat."""

    type: Literal["risky", "incomplete", "dated", "omission"]
    facts: tuple[str, ...]
    concern: str
    origin: Literal["outside", "partly"]
    how: Literal["said", "worded"]
    wording: Optional[str] = None
    caveat: Optional[str] = None
    short: Optional[str] = None
    source: Optional[str] = None
    reviewed: bool = False

    @validator("caveat", "short")
    def _plain(cls, value: Optional[str]) -> Optional[str]:
        if value and (long := long_sentences(value)):
            raise ValueError(f"'{long[0]}' has more than {MAX_WORDS} words; shorten or split it")
        return value

    @validator("source", always=True)
    def _complete(cls, value: Optional[str], values: dict[str, Any]) -> Optional[str]:
        if values.get("how") == "said" and not (values.get("caveat") and values.get("short")):
            raise ValueError("how is 'said', so caveat and short are needed; write both")
        if values.get("how") == "worded" and not values.get("wording"):
            raise ValueError("how is 'worded', so wording is needed; give the regular expression")
        if values.get("how") == "said" and values.get("origin") == "outside" and not value:
            raise ValueError("the caveat goes beyond the documents; name its source")
        return value


class Side(BaseModel):
    """One side of a disagreement."""

    class Config:
        """Unknown fields are errors; values cannot change."""

        extra = Extra.forbid
        frozen = True

    position: str
    facts: tuple[str, ...]


class Disagreement(Record):
    """Where documents differ, and how to put that fairly."""

    type: Literal["tension", "terminology", "scope"]
    topic: str
    issue: str
    sides: tuple[Side, ...]
    present: str
    when_asked: bool = True


class Claim(Record):
    """What at least two documents say."""

    summary: str
    facts: tuple[str, ...]


class Term(Concept):
    """A word that answers use, explained; `source` stands where the meaning goes beyond the documents."""

    meaning: str
    facts: tuple[str, ...] = ()
    source: Optional[str] = None

    @validator("meaning")
    def _plain(cls, value: str) -> str:
        if long := long_sentences(value):
            raise ValueError(f"has a sentence of more than {MAX_WORDS} words: '{long[0]}'; split it")
        return value


class _Asked(BaseModel):
    class Config:
        """Unknown fields are errors; values cannot change."""

        extra = Extra.forbid
        frozen = True

    texts: tuple[str, ...]

    @validator("texts", pre=True)
    def _questions(cls, value: Any) -> Any:
        if isinstance(value, list) and not (value and all(isinstance(text, str) and text for text in value)):
            raise ValueError("holds something else than questions; write each after a dash, a number alone in quotes")
        return value


class Asked(_Asked):
    """Questions that a fact answers."""

    fact: str


class Unanswered(_Asked):
    """Questions that the documents do not answer, on one subject."""

    topic: str


class DescribePart(BaseModel):
    """One part of the answer to a described problem: a goal, and how many facts it tells."""

    class Config:
        """Unknown fields are errors; values cannot change."""

        extra = Extra.forbid
        frozen = True

    goal: str
    limit: int


class Language(Record):
    """A language other than English, with what somebody who writes in it is told: as a rule, and in an emergency."""

    name: str
    text: str
    emergency: str

    @validator("text", "emergency")
    def _has_the_number_and_nothing_else_to_fill_in(cls, value: str) -> str:
        """Finds what would leave somebody in danger without the number, or without any reply."""
        if re.findall(r"\{.*?\}|[{}]", value) != ["{emergency_number}"]:
            raise ValueError("must hold {emergency_number} once and no other braces; write it where the number stands")
        return value


class SafetyQuestion(BaseModel):
    """The check on a region's warning signs; from outside the documents.

    `first` asks it before any advice; `if_yes` names the reply of red_flag_replies.yml when the answer is yes.
    """

    class Config:
        """Unknown fields are faults."""

        extra = Extra.forbid
        frozen = True

    ask: str
    if_yes: str
    why: str
    first: bool = False


class SafetyNet(Record):
    """The warning signs told along with self-care for a region of the body; from outside the documents."""

    text: str
    source: str
    carries: tuple[str, ...] = ()
    question: Optional[SafetyQuestion] = None
    reviewed: bool = False


class Goal(Record):
    """What one kind of question is answered from, and in which order.

    `whole` holds questions that ask for all of it: of what is nearest to one of these, no single fact leads the answer.
    """

    intent: str
    whole: tuple[str, ...] = ()
    heading: str
    kinds: tuple[Kind, ...]
    topics: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    limit: int = 4
    with_trigger: tuple[Kind, ...] = ()
    elsewhere: bool = False
    theme: tuple[str, ...] = ()
    ignores_triggers: tuple[str, ...] = ()
    follow_ups: dict[str, str] = {}
    safety_net: bool = False
    treats: bool = False
    disagreements: tuple[str, ...] = ()
    button: str
    payload: str
    next: tuple[str, ...] = ()
