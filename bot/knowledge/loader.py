"""Reads the knowledge base, checks it as a whole and freezes it.

All faults are reported at once, each with file, id, field and remedy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from bot.errors import KnowledgeError
from bot.knowledge import schema
from bot.knowledge.safety import load_safety
from bot.knowledge.schema import ANY, Record

FOLDER = Path(__file__).parent
WORDS_IN_A_ROW = 8  # shared rule: facts carry over, wording does not
R = TypeVar("R", bound=Record)
_TOKEN = re.compile(r"[a-z0-9']+")


@dataclass(frozen=True)
class DescribePart:
    """One part of the answer to a described problem."""

    goal: str
    limit: int


@dataclass(frozen=True, eq=False)
class Knowledge:
    """The whole knowledge base, checked and frozen; every mapping is from id to record.

    Compared by identity, so that rankings can be remembered per knowledge base.
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
    describe: tuple[DescribePart, ...]
    phrases: Mapping[str, str]
    glossary: Mapping[str, schema.Term]
    languages: Mapping[str, schema.Language]
    questions: Mapping[str, tuple[str, ...]]
    unanswered: Mapping[str, str]  # from question to subject
    cautions_of: Mapping[str, tuple[str, ...]]
    followers_of: Mapping[str, tuple[str, ...]]
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
    faults = reader.faults or sorted(set(_check(knowledge, folder)))
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
        self.faults: list[str] = []

    def read(self) -> Knowledge:
        facts = self._facts()
        goals = self._file("goals.yml")
        return Knowledge(
            documents=self._records("documents.yml", "documents", schema.Document),
            topics=self._records("topics.yml", "topics", schema.Topic),
            facts=facts,
            body_parts=self._records("body_parts.yml", "body_parts", schema.BodyPart),
            triggers=self._records("triggers.yml", "triggers", schema.Trigger),
            conditions=self._conditions(),
            medicines=self._records("medicines.yml", "medicines", schema.Medicine),
            not_covered=self._records("not_covered.yml", "not_covered", schema.NotCovered),
            measures=self._measures(),
            cues=self._named("cues.yml", self._file("cues.yml").get("cues", [])),
            cautions=(cautions := self._records("cautions.yml", "cautions", schema.Caution)),
            disagreements=self._records("disagreements.yml", "disagreements", schema.Disagreement),
            claims=self._records("corroboration.yml", "corroboration", schema.Claim),
            safety_nets=self._records("safety_nets.yml", "safety_nets", schema.SafetyNet),
            bars=self._records("safety_nets.yml", "bars", schema.SafetyNet),
            goals=self._parse("goals.yml", goals.get("goals", []), schema.Goal),
            describe=tuple(DescribePart(**part) for part in goals.get("describe", [])),
            phrases=MappingProxyType(dict(self._file("phrases.yml").get("phrases", {}))),
            languages=self._records("languages.yml", "languages", schema.Language),
            glossary=self._records("glossary.yml", "terms", schema.Term),
            questions=_inverse((row["fact"], text) for row in self._asked("questions") for text in row["texts"]),
            unanswered=MappingProxyType({t: row["topic"] for row in self._asked("unanswered") for t in row["texts"]}),
            cautions_of=_inverse((fact, c.id) for c in cautions.values() for fact in c.facts),
            followers_of=_inverse((f.same_as, f.id) for f in facts.values() if f.same_as),
            digest=knowledge_digest(self._folder),
        )

    def _file(self, name: str) -> dict[str, Any]:
        path = self._folder / name
        try:
            data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        except FileNotFoundError:
            self.faults.append(f"{name}: missing; restore it from the repository")
            return {}
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "not YAML"
            self.faults.append(f"{name}:{line}: {problem}; correct the indentation or the quotes there")
            return {}
        return data if isinstance(data, dict) else {}

    def _records(self, name: str, key: str, kind: type[R]) -> Mapping[str, R]:
        return self._parse(name, self._file(name).get(key, []), kind)

    def _parse(self, name: str, rows: Sequence[Any], kind: type[R], **more: Any) -> Mapping[str, R]:
        records: dict[str, R] = {}
        for number, row in enumerate(rows, 1):
            label = row.get("id", f"record {number}") if isinstance(row, dict) else f"record {number}"
            try:
                record = kind.parse_obj({**row, **more})
            except (ValidationError, TypeError) as error:
                self.faults.extend(f"{name}: {label}: {fault}" for fault in _faults(error))
                continue
            if record.id in records:
                self.faults.append(f"{name}: {record.id}: id: stands twice; give one of them another id")
            records[record.id] = record
        return MappingProxyType(records)

    def _facts(self) -> Mapping[str, schema.Fact]:
        facts: dict[str, schema.Fact] = {}
        for path in sorted((self._folder / "facts").glob("*.yml")):
            name = f"facts/{path.name}"
            rows = self._file(name).get("facts", [])
            for fact in self._parse(name, rows, schema.Fact, doc=path.stem).values():
                if fact.id in facts:
                    self.faults.append(f"{name}: {fact.id}: id: stands in another file too; keep one")
                facts[fact.id] = fact
        return MappingProxyType(facts)

    def _conditions(self) -> Mapping[str, schema.Condition]:
        data = self._file("conditions.yml")
        covered = self._parse("conditions.yml", data.get("conditions", []), schema.Condition)
        others = data.get("other_conditions", [])
        other = self._parse("conditions.yml", others, schema.Condition, covered=False)
        return MappingProxyType({**covered, **other})

    def _measures(self) -> Mapping[str, tuple[schema.Concept, ...]]:
        measures: dict[str, tuple[schema.Concept, ...]] = {}
        for key, rows in self._file("measures.yml").items():
            measures[key] = tuple(self._named("measures.yml", rows).values())
        return MappingProxyType(measures)

    def _asked(self, key: str) -> list[dict[str, Any]]:
        """Reads the questions that facts answer, or those that no fact answers."""
        files = sorted((self._folder / "questions").glob("*.yml"))
        return [row for file in files for row in self._file(f"questions/{file.name}").get(key) or []]

    def _named(self, name: str, rows: Sequence[Any]) -> Mapping[str, schema.Concept]:
        """Reads concepts that no reader is shown by name; the id, spelled out, serves as the name."""
        named = [{"name": str(row.get("id", "")).replace("_", " "), **row} for row in rows]
        return self._parse(name, named, schema.Concept)


def _faults(error: ValidationError | TypeError) -> list[str]:
    if isinstance(error, TypeError):
        return ["is not a record; write it as fields with values"]
    remedies = {
        "field required": "is missing; add it",
        "extra fields not permitted": "is no field of this record; remove or correct its name",
    }
    return [
        f"{'.'.join(str(part) for part in item['loc'])}: {remedies.get(item['msg'], item['msg'])}"
        for item in error.errors()
    ]


def _inverse(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    result: dict[str, tuple[str, ...]] = {}
    for key, value in pairs:
        result[key] = (*result.get(key, ()), value)
    return MappingProxyType(result)


def _check(k: Knowledge, folder: Path) -> Iterable[str]:
    yield from _check_facts(k, folder)
    yield from _check_references(k)
    yield from _check_aliases(k)
    yield from _check_wording(k, folder)


def _check_facts(k: Knowledge, folder: Path) -> Iterable[str]:
    ledger = (folder / "ledger.txt").read_text(encoding="utf-8").split()
    for missing in sorted(set(ledger) - set(k.facts)):
        yield f"facts/: {missing}: is in the ledger and missing here; restore it"
    for fact in k.facts.values():
        where = f"facts/{fact.doc}.yml: {fact.id}"
        if fact.doc not in k.documents:
            yield f"{where}: doc: '{fact.doc}' is not in documents.yml; add it or rename the file"
        yield from _unknown(where, "topic", [fact.topic], k.topics, "topics.yml")
        places = [part for part in fact.body_part if part != ANY]
        yield from _unknown(where, "body_part", places, k.body_parts, "body_parts.yml")
        yield from _unknown(where, "triggers", fact.triggers, k.triggers, "triggers.yml")
        yield from _unknown(where, "conditions", fact.conditions, k.conditions, "conditions.yml")
        yield from _unknown(where, "medicines", fact.medicines, k.medicines, "medicines.yml")
        if fact.same_as and (fact.same_as not in k.facts or k.facts[fact.same_as].same_as):
            yield f"{where}: same_as: '{fact.same_as}' is no leading fact; name one that has no same_as"


def _check_references(k: Knowledge) -> Iterable[str]:
    for caution in k.cautions.values():
        yield from _unknown(f"cautions.yml: {caution.id}", "facts", caution.facts, k.facts, "facts/")
    for term in k.glossary.values():
        yield from _unknown(f"glossary.yml: {term.id}", "facts", term.facts, k.facts, "facts/")
    yield from _unknown("questions/", "fact", k.questions, k.facts, "facts/")
    for fact in sorted(set(k.facts) - set(k.questions)):
        yield f"questions/: {fact}: has no questions; add some, so that people can ask for it"
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
    taken = frozenset((folder / "document_phrases.txt").read_text(encoding="utf-8").split())
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
            yield f"{where}: {field}: '{item}' is not in {file}; add it there or correct the id"
