"""What a message says, once it is understood, and what the conversation remembers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

# Kinds of mention; each is also the name of a Rasa entity.
BODY_PART, TRIGGER, CONDITION, MEDICINE = "body_part", "trigger", "condition", "medicine"
DURATION, SEVERITY, TOPIC, NOT_COVERED = "duration", "severity", "topic", "not_covered"
TERM = "term"
ORDINAL, SIDE, CUE, COUNTRY = "ordinal", "side", "cue", "country"
# A cue: what follows is not what is asked about ("besides tablets").
SET_ASIDE = "set_aside"
# A cue: what was talked of is meant ("does it help the neck too?").
REFERS_BACK = "refers_back"
# A cue: the spasm itself is meant, or how it comes about, and not the remedy just talked of.
OF_SPASM = "of_spasm"
# A cue: doubt about an answer that there is none ("nothing at all?").
NOTHING_AT_ALL = "nothing_at_all"
# Cues: something else than what was not given is asked for; what only a doctor can say of this person is.
INSTEAD, IS_IT = "instead", "is_it"
# Cues: a yes, and what makes one doubtful ("yes, all normal down there").
YES, ALL_WELL = "yes", "all_well"
# A cue: which of the things just told, or several of them at once ("so which?", "both together?").
OF_THESE = "of_these"
# A cue: several of the things just told, or of those that a safety question names ("both of them").
SEVERAL = "several"
# A cue: what the documents say is asked, not which they are ("what do they say about heat?").
CONTENT = "content"
# The mentions that say what a question is about.
SUBJECTS = (BODY_PART, TRIGGER, CONDITION, MEDICINE, TOPIC, NOT_COVERED)


@dataclass(frozen=True)
class Mention:
    """Something that a message names.

    Attributes:
        kind: One of the kinds above.
        id: The canonical value ("abdomen" for "tummy").
        start: Offset of the first character.
        end: Offset after the last character.
    """

    kind: str
    id: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Turn:
    """One message, understood.

    Attributes:
        intents: What is asked, in the order of the message; at least one.
        mentions: What is named; of each kind the most relevant first.
        facts: Leading facts that answer a specific question, best first; none if the retriever is not sure.
        silent: Whether it is nearer to questions that the documents do not answer.
        guesses: The likeliest intents of a message that was not understood, best first.
        second: The next likeliest intent, if it may be meant too.
        language: Code of the language, if it is another than English.
        near: Leading facts near the message, sure or not, with their likeness (0 to 1), best first.
        nearest: The known question of ours that is most like it, or "".
        alarmed: Whether it answers an emergency reply.
    """

    intents: tuple[str, ...]
    mentions: tuple[Mention, ...] = ()
    facts: tuple[str, ...] = ()
    silent: bool = False
    guesses: tuple[str, ...] = ()
    language: str = ""
    near: tuple[tuple[str, float], ...] = ()
    nearest: str = ""
    alarmed: bool = False
    second: str = ""

    def ids(self, kind: str) -> tuple[str, ...]:
        """Gives the canonical values of one kind, without repeats."""
        return unique(m.id for m in self.mentions if m.kind == kind)


@dataclass(frozen=True)
class Focus:
    """What a question is about; each field holds ids, the most relevant first."""

    body_parts: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """What the conversation remembers between turns; kept in one slot as plain JSON.

    Attributes:
        body_parts, triggers, conditions, medicines, topics: The focus of the last answer.
        durations, severities, sides: What the person said of these.
        goals: The goals that the last answer served.
        offers: Goals offered as buttons under it; "yes" takes the first.
        said: Ids of all facts said so far.
        last: Ids of the facts in the last answer, in order.
        listed: The leading facts of the last answer ("the first one").
        pending: Goals that wait for the answer to "where?".
        asked_place: Whether "where?" was asked already.
        introduced: Whether the assistant has said what it is.
        kind: Kind of the last reply.
        missing: What the last reply said that the documents do not cover (an id of not_covered.yml or conditions.yml).
        checking: Region of the body whose safety question waits for an answer.
        checked: Regions whose safety question was asked or answered; each is asked once.
        denied: Regions whose safety question was answered with no.
        doubts: Rules of the screen whose question was asked beside an answer; each is asked once.
        answers: How many questions were answered.
    """

    body_parts: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    durations: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    asked_place: bool = False
    introduced: bool = False
    kind: str = ""
    missing: str = ""
    checking: str = ""
    checked: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    answers: int = 0

    @property
    def focus(self) -> Focus:
        """The focus of the last answer."""
        return Focus(self.body_parts, self.triggers, self.conditions, self.medicines, self.topics)

    def with_focus(self, focus: Focus) -> State:
        """Gives the state with another focus."""
        return replace(self, **asdict(focus))

    def to_json(self) -> dict[str, Any]:
        """Gives the fields that differ from an empty state, as JSON values."""
        empty = State()
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        changed = {name: value for name, value in values.items() if value != getattr(empty, name)}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in changed.items()}

    @classmethod
    def from_json(cls, data: Any) -> State:
        """Reads a state back; fields that are unknown or of a wrong type are left out."""
        stored = data if isinstance(data, Mapping) else {}
        values: dict[str, Any] = {}
        for item in fields(cls):
            value = stored.get(item.name)
            kind = type(item.default)
            if kind is tuple and isinstance(value, (list, tuple)):
                values[item.name] = tuple(str(part) for part in value)
            elif isinstance(value, kind):
                values[item.name] = value
        return cls(**values)


MAX_BUTTONS = 4
# Key of a reply's `custom` object: what is kept of the conversation is deleted once the reply is given.
ERASE = "erase"
# Key of a reply's `custom` object: what was asked and not answered, in words of ours ({"why", "label", "introduced"}).
UNSERVED = "unserved"
NOT_UNDERSTOOD, UNANSWERED, NOT_COVERED, LANGUAGE = "not_understood", "unanswered", "not_covered", "language"


@dataclass(frozen=True)
class Button:
    """A quick reply; tapping it sends `payload` as if the person had typed it."""

    title: str
    payload: str


@dataclass(frozen=True)
class Source:
    """A numbered source under an answer."""

    ref: int
    doc: str
    title: str
    section: str


@dataclass(frozen=True)
class Answer:
    """One reply, complete by itself as plain text; channels render it.

    Attributes:
        kind: answer, clarify, safety_check, emergency, urgent, crisis, decline, source, summary,
            smalltalk, handoff or fallback (shared contract).
        text: The whole reply in plain text, sources included.
        facts: Ids of the facts that the text rests on, in order.
        cautions: Ids of the cautions whose caveats the text carries.
        disagreements: Ids of the disagreements that it shows.
        safety_question: Region of the body whose safety question rides along.
    """

    kind: str
    text: str
    intents: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()
    body_part: str | None = None
    trigger: str | None = None
    facts: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    understood: str | None = None
    disclaimer: str | None = None
    cautions: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()
    safety_question: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def custom(self) -> dict[str, Any]:
        """Gives the `custom` object of the contract."""
        return {
            "version": 1,
            "kind": self.kind,
            "intents": list(self.intents),
            "body_part": self.body_part,
            "trigger": self.trigger,
            "facts": list(self.facts),
            "sources": [asdict(source) for source in self.sources],
            "rule": None,
            "safety_question": self.safety_question,
            "emergency_number": None,
            "understood": self.understood,
            "disclaimer": self.disclaimer,
            "cautions": list(self.cautions),
            "disagreements": list(self.disagreements),
            **self.extra,
        }


def unique(items: Iterable[str]) -> tuple[str, ...]:
    """Gives the items without repeats, in order."""
    return tuple(dict.fromkeys(items))
