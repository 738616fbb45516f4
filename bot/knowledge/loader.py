"""Reads the knowledge base, checks it as a whole and freezes it.

All faults are reported at once, each with file, id, field and remedy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bot.errors import KnowledgeError
from bot.knowledge import schema
from bot.knowledge.reading import FileFault, perhaps, plain_faults, read_file
from bot.knowledge.safety import load_safety
from bot.knowledge.schema import ANY, Record

FOLDER = Path(__file__).parent
DOCUMENT_PHRASES = "document_phrases.txt"
WORDS_IN_A_ROW = 8  # shared rule: facts carry over, wording does not
# Numbers of documents, in words.
NUMBERS = "no one two three four five six seven eight nine ten eleven twelve".split()
R = TypeVar("R", bound=Record)
M = TypeVar("M", bound=BaseModel)
# Names in braces that a sentence of ours may contain.
FILLED_IN = frozenset("emergency_number what heading place when trigger who tel country term meaning".split())
_NAME = re.compile(r"\{(\w*)\}")
_TOKEN = re.compile(r"[a-z0-9']+")


@dataclass(frozen=True)
class Tags:
    """What a leading fact, with those that say the same, is about; facts with the same tags rank alike.

    Attributes:
        kind, topic: Of the leading fact.
        subjects: Kind and topic of each.
        body_parts, triggers, conditions, medicines: Of all together.
        triggered: Whether each names a trigger.
        documents: How many documents say it.
    """

    kind: schema.Kind
    topic: str
    subjects: frozenset[tuple[schema.Kind, str]]
    body_parts: frozenset[str]
    triggers: frozenset[str]
    conditions: frozenset[str]
    medicines: frozenset[str]
    triggered: bool
    documents: int

    @classmethod
    def of(cls, group: Sequence[schema.Fact]) -> Tags:
        """Gives the tags of facts that say the same, the leading one first."""
        return cls(
            kind=group[0].kind,
            topic=group[0].topic,
            subjects=frozenset((fact.kind, fact.topic) for fact in group),
            body_parts=frozenset(part for fact in group for part in fact.body_part),
            triggers=frozenset(trigger for fact in group for trigger in fact.triggers),
            conditions=frozenset(condition for fact in group for condition in fact.conditions),
            medicines=frozenset(medicine for fact in group for medicine in fact.medicines),
            triggered=all(fact.triggers for fact in group),
            documents=len({fact.doc for fact in group}),
        )


# Places in the knowledge base and ids of leading facts.
Leads = tuple[tuple[int, str], ...]


@dataclass(frozen=True, eq=False)
class Knowledge:
    """The whole knowledge base, checked and frozen; every mapping is from id to record.

    Compared by identity, so that rankings can be remembered per knowledge base.

    Attributes:
        alike: The leading facts by their tags, so that a ranking looks at tags once, however many facts have them.
        by_topic: Ids of facts by topic.
    """

    documents: Mapping[str, schema.Document]
    topics: Mapping[str, schema.Topic]
    facts: Mapping[str, schema.Fact]
    body_parts: Mapping[str, schema.BodyPart]
    triggers: Mapping[str, schema.Trigger]
    conditions: Mapping[str, schema.Condition]
    medicines: Mapping[str, schema.Medicine]
    not_covered: Mapping[str, schema.NotCovered]
    measures: Mapping[str, tuple[schema.Concept, ...]]
    cues: Mapping[str, schema.Concept]
    cautions: Mapping[str, schema.Caution]
    disagreements: Mapping[str, schema.Disagreement]
    claims: Mapping[str, schema.Claim]
    safety_nets: Mapping[str, schema.SafetyNet]
    bars: Mapping[str, schema.SafetyNet]
    goals: Mapping[str, schema.Goal]
    describe: tuple[schema.DescribePart, ...]
    phrases: Mapping[str, str]
    glossary: Mapping[str, schema.Term]
    languages: Mapping[str, schema.Language]
    questions: Mapping[str, tuple[str, ...]]
    unanswered: Mapping[str, str]  # from question to subject
    cautions_of: Mapping[str, tuple[str, ...]]
    followers_of: Mapping[str, tuple[str, ...]]
    alike: Mapping[Tags, Leads]
    by_topic: Mapping[str, tuple[str, ...]]
    digest: str

    def lead(self, fact_id: str) -> str:
        """Gives the fact whose sentence says what this one says (itself, as a rule)."""
        return self.facts[fact_id].same_as or fact_id

    def group(self, lead: str) -> tuple[str, ...]:
        """Gives a lead fact and all that say the same."""
        return (lead, *self.followers_of.get(lead, ()))


@lru_cache(maxsize=1)
def load_knowledge() -> Knowledge:
    """Gives the project's knowledge base, loaded once a process.

    Raises:
        KnowledgeError: The knowledge base has faults; the message lists all of them.
    """
    return read_knowledge(FOLDER)


def read_knowledge(folder: Path) -> Knowledge:
    """Reads and checks one folder of knowledge.

    Raises:
        KnowledgeError: The folder has faults; the message lists all of them.
    """
    reader = _Reader(folder)
    knowledge = reader.read()
    faults = list(dict.fromkeys(reader.faults)) or sorted(set(_check(knowledge, folder)))
    if faults:
        raise KnowledgeError(f"{len(faults)} fault(s) in the knowledge base:\n" + "\n".join(faults))
    return knowledge


def knowledge_digest(folder: Path = FOLDER) -> str:
    """Gives a digest of all knowledge files: what the bot can say and how it is understood."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.yml")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class _Reader:
    """Reads the files of one folder and collects their faults."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files_read: dict[str, dict[str, Any]] = {}
        self.faults: list[str] = []

    def read(self) -> Knowledge:
        self._forms("lemmas.yml", "lemmas")
        self._forms("spellings.yml", "spellings")
        facts = self._facts()
        asked, unanswered = self._asked()
        documents = self._records("documents.yml", "documents", schema.Document)
        describe = self._rows("goals.yml", "describe", "goals")
        return Knowledge(
            documents=documents,
            topics=self._records("topics.yml", "topics", schema.Topic),
            facts=facts,
            body_parts=self._records("body_parts.yml", "body_parts", schema.BodyPart),
            triggers=self._records("triggers.yml", "triggers", schema.Trigger),
            conditions=self._conditions(),
            medicines=self._records("medicines.yml", "medicines", schema.Medicine),
            not_covered=self._records("not_covered.yml", "not_covered", schema.NotCovered),
            measures=self._measures(),
            cues=self._named("cues.yml", self._rows("cues.yml", "cues")),
            cautions=(cautions := self._records("cautions.yml", "cautions", schema.Caution)),
            disagreements=self._records("disagreements.yml", "disagreements", schema.Disagreement),
            claims=self._records("corroboration.yml", "corroboration", schema.Claim),
            safety_nets=self._records("safety_nets.yml", "safety_nets", schema.SafetyNet, "bars"),
            bars=self._records("safety_nets.yml", "bars", schema.SafetyNet, "safety_nets"),
            goals=self._records("goals.yml", "goals", schema.Goal, "describe"),
            describe=tuple(self._shaped("goals.yml", describe, schema.DescribePart)),
            phrases=self._phrases(len(documents)),
            languages=self._records("languages.yml", "languages", schema.Language),
            glossary=self._records("glossary.yml", "terms", schema.Term),
            questions=_inverse((row.fact, text) for row in asked for text in row.texts),
            unanswered=MappingProxyType({text: row.topic for row in unanswered for text in row.texts}),
            cautions_of=_inverse((fact, c.id) for c in cautions.values() for fact in c.facts),
            followers_of=(followers := _inverse((f.same_as, f.id) for f in facts.values() if f.same_as)),
            alike=_alike(facts, followers),
            by_topic=_inverse((f.topic, f.id) for f in facts.values()),
            digest=knowledge_digest(self._folder),
        )

    def _file(self, name: str) -> dict[str, Any]:
        """Gives a file; one that holds several lists is read once."""
        if name not in self._files_read:
            try:
                self._files_read[name] = read_file(self._folder, name)
            except FileFault as fault:
                self.faults.append(str(fault))
                self._files_read[name] = {}
        return self._files_read[name]

    def _rows(self, name: str, key: str, *other_keys: str) -> list[Any]:
        """Reads one list of a file; anything at its top besides the lists that it has is a fault."""
        data = self._file(name)
        for unknown in set(data) - {key, *other_keys}:
            self.faults.append(f"{name}: {unknown}: is no list of this file; correct its name to '{key}', or remove it")
        rows = data.get(key)
        if data and key not in data:
            self.faults.append(f"{name}: {key}: is missing; put its records under the line '{key}:'")
        elif data and not isinstance(rows, list):
            self.faults.append(f"{name}: {key}: is no list; begin each record with a dash")
        return rows if isinstance(rows, list) else []

    def _records(self, name: str, key: str, kind: type[R], *other_keys: str) -> Mapping[str, R]:
        return self._parse(name, self._rows(name, key, *other_keys), kind)

    def _parse(self, name: str, rows: Sequence[Any], kind: type[R], **more: Any) -> Mapping[str, R]:
        records: dict[str, R] = {}
        for record in self._shaped(name, rows, kind, **more):
            if record.id in records:
                self.faults.append(f"{name}: {record.id}: id: stands twice; give one of them another id")
            records[record.id] = record
        return MappingProxyType(records)

    def _shaped(self, name: str, rows: Sequence[Any], kind: type[M], **more: Any) -> Iterator[M]:
        """Gives the records that have the right shape, and notes the faults of the others."""
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict):
                remedy = "is not a record; write it as fields with values"
                self.faults.append(f"{name}: record {number}: {remedy}")
                continue
            label = row.get("id") or row.get("fact") or f"record {number}"
            try:
                yield kind.parse_obj({**row, **more})
            except ValidationError as error:
                self.faults.extend(f"{name}: {label}: {fault}" for fault in plain_faults(error))

    def _facts(self) -> Mapping[str, schema.Fact]:
        facts: dict[str, schema.Fact] = {}
        for path in self._files("facts"):
            name = f"facts/{path.name}"
            for fact in self._parse(name, self._rows(name, "facts"), schema.Fact, doc=path.stem).values():
                if fact.id in facts:
                    other = f"facts/{facts[fact.id].doc}.yml"
                    self.faults.append(f"{name}: {fact.id}: id: stands in {other} too; give one of them another id")
                facts[fact.id] = fact
        return MappingProxyType(facts)

    def _files(self, folder: str) -> Iterator[Path]:
        """Gives the YAML files of a folder; one that would not be read is a fault."""
        for path in sorted((self._folder / folder).iterdir()):
            if path.suffix == ".yml":
                yield path
            elif not path.name.startswith("."):
                self.faults.append(f"{folder}/{path.name}: is not read, as its name does not end in .yml; rename it")

    def _conditions(self) -> Mapping[str, schema.Condition]:
        name, keys = "conditions.yml", ("conditions", "other_conditions")
        covered = self._parse(name, self._rows(name, *keys), schema.Condition)
        other = self._parse(name, self._rows(name, *reversed(keys)), schema.Condition, covered=False)
        return MappingProxyType({**covered, **other})

    def _measures(self) -> Mapping[str, tuple[schema.Concept, ...]]:
        name = "measures.yml"
        keys = list(self._file(name))
        return MappingProxyType({key: tuple(self._named(name, self._rows(name, key, *keys)).values()) for key in keys})

    def _asked(self) -> tuple[list[schema.Asked], list[schema.Unanswered]]:
        """Reads the questions that facts answer, and those that no fact answers."""
        asked: list[schema.Asked] = []
        unanswered: list[schema.Unanswered] = []
        for path in self._files("questions"):
            name = f"questions/{path.name}"
            if "unanswered" in self._file(name):
                unanswered += self._shaped(name, self._rows(name, "unanswered"), schema.Unanswered)
            else:
                asked += self._shaped(name, self._rows(name, "questions"), schema.Asked)
        return asked, unanswered

    def _named(self, name: str, rows: Sequence[Any]) -> Mapping[str, schema.Concept]:
        """Reads concepts that no reader is shown by name; the id, spelled out, serves as the name."""
        named = [{"name": str(r.get("id", "")).replace("_", " "), **r} if isinstance(r, dict) else r for r in rows]
        return self._parse(name, named, schema.Concept)

    def _forms(self, name: str, key: str) -> None:
        """Checks a file of words with the forms in which they are written; `bot.knowledge.vocabulary` uses it."""
        words = self._file(name).get(key)
        if not isinstance(words, dict):
            self.faults.append(f"{name}: {key}: is missing; put the words under the line '{key}:'")
            return
        owners: dict[str, str] = {}
        for word, forms in words.items():
            label = f"{name}: {word}"
            if not isinstance(forms, list) or not forms:
                self.faults.append(f"{label}: has no list of forms; write them in square brackets, like [{word}s]")
                continue
            for form in forms:
                if not isinstance(form, str) or not isinstance(word, str):
                    self.faults.append(
                        f"{label}: '{form}' is read as a number, a date or yes and no; write it in quotes"
                    )
                elif form in owners:
                    other = f"{label}: '{form}' stands under '{owners[form]}' too; keep it under one of them"
                    self.faults.append(other)
                owners[str(form)] = str(word)

    def _phrases(self, documents: int) -> Mapping[str, str]:
        """Reads our own sentences, with the number of documents filled in."""
        phrases = self._file("phrases.yml").get("phrases")
        if not isinstance(phrases, dict):
            self.faults.append("phrases.yml: phrases: is missing; put the phrases under the line 'phrases:'")
            return MappingProxyType({})
        for key, text in phrases.items():
            if not isinstance(text, str):
                self.faults.append(f"phrases.yml: {key}: is no plain text; write it in quotes")
        number = NUMBERS[documents] if documents < len(NUMBERS) else str(documents)
        return MappingProxyType({str(key): str(text).replace("{documents}", number) for key, text in phrases.items()})


def _inverse(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    result: dict[str, list[str]] = {}
    for key, value in pairs:
        result.setdefault(key, []).append(value)
    return MappingProxyType({key: tuple(values) for key, values in result.items()})


def _alike(facts: Mapping[str, schema.Fact], followers_of: Mapping[str, tuple[str, ...]]) -> Mapping[Tags, Leads]:
    alike: dict[Tags, list[tuple[int, str]]] = {}
    for place, lead in enumerate(fact for fact in facts.values() if not fact.same_as):
        tags = Tags.of([lead, *(facts[follower] for follower in followers_of.get(lead.id, ()))])
        alike.setdefault(tags, []).append((place, lead.id))
    return MappingProxyType({tags: tuple(leads) for tags, leads in alike.items()})


def _check(k: Knowledge, folder: Path) -> Iterable[str]:
    yield from _check_facts(k, folder)
    yield from _check_references(k)
    yield from _check_aliases(k)
    yield from _check_wording(k, folder)


def _check_facts(k: Knowledge, folder: Path) -> Iterable[str]:
    ledger = (folder / "ledger.txt").read_text(encoding="utf-8").split()
    for missing in sorted(set(ledger) - set(k.facts)):
        yield f"facts/: {missing}: is in the ledger and missing here; restore it"
    told = {fact.doc for fact in k.facts.values()}
    for doc in sorted(told - set(k.documents)):
        yield f"facts/{doc}.yml: its name is no id of documents.yml; add the document there or rename the file"
    for doc in sorted(set(k.documents) - told):
        yield f"documents.yml: {doc}: has no facts; write some in facts/{doc}.yml or remove the document"
    for fact in k.facts.values():
        where = f"facts/{fact.doc}.yml: {fact.id}"
        yield from _unknown(where, "topic", [fact.topic], k.topics, "topics.yml")
        places = [part for part in fact.body_part if part != ANY]
        yield from _unknown(where, "body_part", places, k.body_parts, "body_parts.yml")
        yield from _unknown(where, "triggers", fact.triggers, k.triggers, "triggers.yml")
        yield from _unknown(where, "conditions", fact.conditions, k.conditions, "conditions.yml")
        yield from _unknown(where, "medicines", fact.medicines, k.medicines, "medicines.yml")
        if fact.same_as == fact.id:
            yield f"{where}: same_as: is the fact itself; remove the line"
        elif fact.same_as:
            yield from _unknown(where, "same_as", [fact.same_as], k.facts, "facts/")
            if lead := k.facts[fact.same_as].same_as if fact.same_as in k.facts else None:
                yield f"{where}: same_as: '{fact.same_as}' says itself the same as '{lead}'; name that one"


def _check_references(k: Knowledge) -> Iterable[str]:
    for caution in k.cautions.values():
        yield from _unknown(f"cautions.yml: {caution.id}", "facts", caution.facts, k.facts, "facts/")
    for term in k.glossary.values():
        yield from _unknown(f"glossary.yml: {term.id}", "facts", term.facts, k.facts, "facts/")
    for fact in k.questions:
        yield from _unknown(f"questions/: {fact}", "fact", [fact], k.facts, "facts/")
    for fact in sorted(set(k.facts) - set(k.questions)):
        yield f"questions/: {fact}: has no questions; add some to a file there, so that people can ask for it"
    for text in sorted({text for texts in k.questions.values() for text in texts} & set(k.unanswered)):
        yield f"questions/unanswered.yml: '{text}': stands under a fact too; keep it where it belongs"
    for difference in k.disagreements.values():
        where = f"disagreements.yml: {difference.id}"
        yield from _unknown(where, "topic", [difference.topic], k.topics, "topics.yml")
        for side in difference.sides:
            yield from _unknown(where, "sides", side.facts, k.facts, "facts/")
    for claim in k.claims.values():
        yield from _unknown(f"corroboration.yml: {claim.id}", "facts", claim.facts, k.facts, "facts/")
    for item in k.not_covered.values():
        where = f"not_covered.yml: {item.id}"
        yield from _unknown(where, "instead", item.instead, k.facts, "facts/")
        cautions = [item.caution] if item.caution else []
        yield from _unknown(where, "caution", cautions, k.cautions, "cautions.yml")
    for part in k.body_parts.values():
        where = f"body_parts.yml: {part.id}"
        yield from _unknown(where, "within", part.within, k.body_parts, "body_parts.yml")
        yield from _unknown(where, "region", [part.region], k.safety_nets, "safety_nets.yml")
        yield from _unknown(where, "unsuited", part.unsuited, k.topics, "topics.yml")
        if not part.self_care and part.id not in k.bars:
            yield f"{where}: self_care: is false, but safety_nets.yml has no bar '{part.id}'; add one"
    replies = {reply.id: reply for reply in load_safety().replies}
    for net in (*k.safety_nets.values(), *k.bars.values()):
        where = f"safety_nets.yml: {net.id}"
        yield from _unknown(where, "carries", net.carries, k.cautions, "cautions.yml")
        answers = [net.question.if_yes] if net.question else []
        yield from _unknown(where, "question.if_yes", answers, replies, "red_flag_replies.yml")
    for goal in k.goals.values():
        where = f"goals.yml: {goal.id}"
        yield from _unknown(where, "topics", (*goal.topics, *goal.first), k.topics, "topics.yml")
        yield from _unknown(where, "follow_ups", goal.follow_ups.values(), k.not_covered, "not_covered.yml")
        yield from _unknown(where, "theme", goal.theme, k.topics, "topics.yml")
        yield from _unknown(where, "next", goal.next, k.goals, "goals.yml")
        yield from _unknown(where, "disagreements", goal.disagreements, k.disagreements, "disagreements.yml")
    yield from _unknown("goals.yml: describe", "goal", [p.goal for p in k.describe], k.goals, "goals.yml")


def _check_aliases(k: Knowledge) -> Iterable[str]:
    named: tuple[tuple[str, Mapping[str, schema.Concept]], ...] = (
        ("body_parts.yml", k.body_parts),
        ("triggers.yml", k.triggers),
        ("conditions.yml", k.conditions),
        ("medicines.yml", k.medicines),
        ("not_covered.yml", k.not_covered),
        ("topics.yml", k.topics),
    )
    for name, concepts in named:
        owner: dict[str, str] = {}
        for concept in concepts.values():
            for alias in concept.aliases:
                if owner.setdefault(alias, concept.id) != concept.id:
                    yield f"{name}: {concept.id}: aliases: '{alias}' belongs to {owner[alias]} too; keep one"


def _check_wording(k: Knowledge, folder: Path) -> Iterable[str]:
    for caution in k.cautions.values():
        pattern = re.compile(caution.wording or "")
        for fact_id in caution.facts if caution.how == "worded" else ():
            fact = k.facts.get(fact_id)
            if fact and not pattern.search(fact.text):
                yield (
                    f"facts/{fact.doc}.yml: {fact.id}: text: must carry the caution '{caution.id}' in its "
                    f"words; reword it to match {caution.wording}"
                )
    taken = frozenset((folder / DOCUMENT_PHRASES).read_text(encoding="utf-8").split())
    for key, phrase in k.phrases.items():
        for name in sorted(set(_NAME.findall(phrase)) - FILLED_IN):
            yield f"phrases.yml: {key}: {{{name}}} is filled in nowhere; correct the name{perhaps(name, FILLED_IN)}"
    for where, text in _sentences(k):
        if any(digest in taken for digest in phrase_digests(text)):
            yield f"{where}: shares {WORDS_IN_A_ROW} words in a row with a document; say it in other words"


def _sentences(k: Knowledge) -> Iterable[tuple[str, str]]:
    for fact in k.facts.values():
        yield f"facts/{fact.doc}.yml: {fact.id}: text", fact.text
    for caution in k.cautions.values():
        yield f"cautions.yml: {caution.id}: caveat", f"{caution.caveat} {caution.short}"
    for difference in k.disagreements.values():
        sides = " ".join(side.position for side in difference.sides)
        yield f"disagreements.yml: {difference.id}: present", f"{difference.present} {sides}"
    for claim in k.claims.values():
        yield f"corroboration.yml: {claim.id}: summary", claim.summary
    for key, phrase in k.phrases.items():
        yield f"phrases.yml: {key}", phrase


def phrase_digests(text: str) -> list[str]:
    """Gives a short digest of each run of eight words; the documents' own are in document_phrases.txt.

    Digests stand in for the documents, whose sentences are not ours to ship.
    """
    words = _TOKEN.findall(text.lower())
    runs = (" ".join(words[i : i + WORDS_IN_A_ROW]) for i in range(len(words) - WORDS_IN_A_ROW + 1))
    return [hashlib.sha256(run.encode()).hexdigest()[:12] for run in runs]


def _unknown(where: str, field: str, ids: Iterable[str], known: Mapping[str, Any], file: str) -> Iterable[str]:
    for item in ids:
        if item not in known:
            yield f"{where}: {field}: '{item}' is not in {file}; add it there or correct the id{perhaps(item, known)}"
