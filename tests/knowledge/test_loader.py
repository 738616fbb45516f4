"""The knowledge base is whole, and its faults are told with file, id, field and remedy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from bot.errors import KnowledgeError
from bot.knowledge import vocabulary
from bot.knowledge.loader import FOLDER, NUMBERS, Knowledge, phrase_digests, read_knowledge
from bot.knowledge.schema import count_words
from bot.train import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the knowledge base to spoil."""
    copy = tmp_path / "knowledge"
    shutil.copytree(FOLDER, copy)
    return copy


def spoil(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text()
    assert old in text, f"{old!r} is not in {name}; the test needs another place to spoil"
    path.write_text(text.replace(old, new, 1))


def faults(folder: Path) -> str:
    with pytest.raises(KnowledgeError) as error:
        read_knowledge(folder)
    return str(error.value)


def test_all_facts_cautions_and_disagreements_are_there(knowledge: Knowledge):
    # At least these: an editor adds more.
    assert len(knowledge.facts) >= 302 and len(knowledge.cautions) >= 32 and len(knowledge.disagreements) >= 28
    assert len(knowledge.claims) >= 79 and len(knowledge.documents) >= 5


def test_every_fact_is_short_and_plain(knowledge: Knowledge):
    banned = {"should", "fever", "stool", "suffering", "reduce"}
    for fact in knowledge.facts.values():
        assert count_words(fact.text) <= 20
        assert not banned & set(fact.text.lower().rstrip(".").split()), fact.id


def test_missing_fact_is_named(folder: Path):
    data = yaml.safe_load((folder / "facts" / "003.yml").read_text())
    gone = next(fact for fact in data["facts"] if fact["id"] == "d3-tx-cold")
    data["facts"].remove(gone)
    (folder / "facts" / "003.yml").write_text(yaml.safe_dump(data))
    assert "facts/: d3-tx-cold: is in the ledger and missing here; restore it" in faults(folder)


def test_unknown_field_is_named(folder: Path):
    spoil(folder, "facts/000.yml", "  kind: definition", "  kinds: definition")
    told = faults(folder)
    assert "facts/000.yml: d0-how-common: kinds: is no field" in told
    assert "facts/000.yml: d0-how-common: kind: is missing; add it" in told


def test_unknown_reference_is_named(folder: Path):
    spoil(folder, "facts/001.yml", "topic: definition", "topic: defnition")
    assert "topic: 'defnition' is not in topics.yml" in faults(folder)


def test_broken_yaml_is_named_with_its_line(folder: Path):
    spoil(folder, "cautions.yml", "cautions:\n", "cautions:\n  - id: [\n")
    assert "cautions.yml: line " in faults(folder)


@pytest.mark.parametrize("wrong", ["", "{emergency_numer}", "{emergency_number} {tel}", "{emergency_number"])
def test_sentence_in_another_language_without_the_number_is_named(folder: Path, wrong: str):
    spoil(folder, "languages.yml", "Llame ahora a este número: {emergency_number}.", f"Llame ahora: {wrong}.")
    assert "languages.yml: es: emergency: must hold {emergency_number} once" in faults(folder)


def test_long_sentence_is_named(folder: Path):
    fact = yaml.safe_load((folder / "facts" / "002.yml").read_text())["facts"][0]
    spoil(folder, "facts/002.yml", fact["text"], " ".join(["word"] * 21) + ".")
    assert f"facts/002.yml: {fact['id']}: text:" in faults(folder) and "more than 20 words" in faults(folder)


def test_fact_that_drops_its_caution_in_words_is_named(folder: Path):
    data = yaml.safe_load((folder / "facts" / "000.yml").read_text())
    rest = next(fact for fact in data["facts"] if fact["id"] == "d0-tx-rest")
    rest["text"] = "Stay in bed until it is over."
    (folder / "facts" / "000.yml").write_text(yaml.safe_dump(data))
    assert "d0-tx-rest: text: must carry the caution 'rest-not-bed-rest'" in faults(folder)


def test_caution_without_a_caveat_is_named(folder: Path):
    data = yaml.safe_load((folder / "cautions.yml").read_text())
    said = next(caution for caution in data["cautions"] if caution["how"] == "said")
    del said["caveat"]
    (folder / "cautions.yml").write_text(yaml.safe_dump(data))
    assert f"cautions.yml: {said['id']}:" in faults(folder) and "caveat and short are needed" in faults(folder)


def test_caveat_from_outside_without_a_source_is_named(folder: Path):
    data = yaml.safe_load((folder / "cautions.yml").read_text())
    outside = next(c for c in data["cautions"] if c["origin"] == "outside" and c["how"] == "said")
    outside.pop("source")
    outside["source"] = None
    (folder / "cautions.yml").write_text(yaml.safe_dump(data))
    assert "goes beyond the documents; name its source" in faults(folder)


def test_sentence_taken_from_a_document_is_named(folder: Path, knowledge: Knowledge):
    sentence = "one two three four five six seven eight"
    with (folder / "document_phrases.txt").open("a") as stream:
        stream.write(phrase_digests(sentence)[0] + "\n")
    spoil(folder, "phrases.yml", knowledge.phrases["thank"], sentence)
    assert "phrases.yml: thank: shares 8 words in a row with a document" in faults(folder)


def test_alias_of_two_concepts_is_named(folder: Path):
    data = yaml.safe_load((folder / "body_parts.yml").read_text())
    data["body_parts"][2]["aliases"].append(data["body_parts"][0]["aliases"][0])
    (folder / "body_parts.yml").write_text(yaml.safe_dump(data))
    assert "belongs to back too; keep one" in faults(folder)


def test_several_faults_are_told_at_once(folder: Path):
    spoil(folder, "facts/001.yml", "topic: definition", "topic: defnition")
    spoil(folder, "facts/002.yml", "topic: definition", "topic: defnition")
    assert faults(folder).startswith("2 fault(s)")


def test_nothing_can_be_changed_after_loading(knowledge: Knowledge):
    with pytest.raises(TypeError):
        knowledge.facts["d0-def-spasm"] = None  # type: ignore[index]
    with pytest.raises(TypeError):
        knowledge.facts["d0-def-spasm"].text = "x"  # type: ignore[misc]


def test_every_matched_file_exists():
    assert all((FOLDER / name).exists() for name in vocabulary.MATCHED_FILES)


# What an editor may get wrong, in a new fact at the end of facts/000.yml: what is written, and what is told.
QUESTIONS = len(yaml.safe_load((FOLDER / "questions" / "more.yml").read_text(encoding="utf-8"))["questions"])
NEW = """\
- id: d0-new
  section: Introduction
  kind: cause
  body_part: [any]
  topic: stress
  text: Stress can do it.
"""
MISTAKES = {
    "no questions": ("", "", "questions/: d0-new: has no questions; add some"),
    "no section": ("  section: Introduction\n", "", "facts/000.yml: d0-new: section: is missing; add it"),
    "empty section": ("Introduction", "''", "d0-new: section: is empty; write a value"),
    "no text": ("text: Stress can do it.", "text:", "d0-new: text: is empty; write a value"),
    "id of another file": ("d0-new", "d1-mech-imbalance", "stands in facts/000.yml too; give one of them another id"),
    "id of this file": ("d0-new", "d0-how-common", "facts/000.yml: d0-how-common: id: stands twice; give one"),
    "id in capitals": ("d0-new", "D0-New", "D0-New: id: has characters that an id cannot have; use a to z"),
    "unknown kind": ("cause", "reason", "kind: 'reason' is not one of the allowed values; use definition, symptom"),
    "unknown topic": ("stress", "strss", "'strss' is not in topics.yml; add it there or correct the id (did you mean"),
    "unknown place": ("[any]", "[elbow]", "d0-new: body_part: 'elbow' is not in body_parts.yml"),
    "no list": ("[any]", "any", "body_part: is a single value, but a list is needed; put it in square brackets"),
    "empty list": ("[any]", "[]", "body_part: is empty; name a part of the body, or any"),
    "misspelt field": ("kind", "knid", "d0-new: knid: is no field of this record; remove or correct its name"),
    "a field twice": ("  kind: cause\n", "  kind: cause\n  kind: cause\n", "in d0-new: 'kind' stands twice"),
    "indented too far": ("  kind", "    kind", "in d0-new: a colon where none can be, or a field that is indented"),
    "indented with a tab": ("  kind", "\tkind", "in d0-new: a tab stands here; use spaces"),
    "a colon in a text": ("Stress can", "Stress: it can", "put a text that contains a colon in quotes"),
    "an open quote": ("Stress can do it.", '"Stress can do it.', "in d0-new: a quote or bracket that opens here"),
    "no full stop": ("do it.", "do it", "d0-new: text: does not end like a sentence; add a full stop"),
    "a number for a text": ("Stress can do it.", "12", "text: '12' is read as a number"),
    "same as itself": ("do it.", "do it.\n  same_as: d0-new", "same_as: is the fact itself; remove the line"),
    "same as a follower": (
        "do it.", "do it.\n  same_as: d1-mech-imbalance", "says itself the same as 'd3-cause-electrolytes'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_a_new_fact_are_told_with_a_remedy(folder: Path, name: str):
    old, new, told = MISTAKES[name]
    with (folder / "facts" / "000.yml").open("a") as stream:
        stream.write(NEW.replace(old, new, 1) if old else NEW)
    assert told in faults(folder)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("- texts:\n  - is it so\n", f"questions/more.yml: record {QUESTIONS + 1}: fact: is missing; add it"),
        ("- fact: d0-how-common\n  text:\n  - is it so\n", "d0-how-common: text: is no field of this record"),
        ("- fact: d0-how-comon\n  texts: [is it so]\n", "did you mean 'd0-how-common'?"),
        ("- fact: d0-how-common\n  texts: is it so\n", "d0-how-common: texts: is a single value, but a list is needed"),
        ("- fact: d0-how-common\n  texts: [toothache]\n", "'toothache': stands under a fact too"),
        ("- fact: d0-how-common\n  texts: [911]\n", "texts: holds something else than questions"),
    ],
)
def test_mistakes_in_questions_are_told(folder: Path, row: str, told: str):
    with (folder / "questions" / "more.yml").open("a") as stream:
        stream.write(row)
    assert told in faults(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("documents.yml", "id: '004'", "id: '005'", "facts/004.yml: its name is no id of documents.yml"),
        ("documents.yml", "id: '004'", "id: '005'", "documents.yml: 005: has no facts; write some in facts/005.yml"),
        ("documents.yml", "id: '004'", "id: 004", "documents.yml: 4: id: '4' is read as a number"),
        ("facts/000.yml", "facts:", "fact:", "facts: is missing; put its records under the line 'facts:'"),
        ("facts/000.yml", "facts:", "", "facts/000.yml: does not begin with the name of its list"),
        ("body_parts.yml", "aliases: [", "aliases: [no, ", "back: aliases: 'False' is read as a number, a date or yes"),
        ("spellings.yml", '["y", ', "[no, ", "spellings.yml: why: 'False' is read as a number, a date or yes and no"),
        ("spellings.yml", "[tmrw, ", "[wen, ", "'wen' stands under 'tomorrow' too; keep it under one of them"),
        ("spellings.yml", "[tmrw, ", "tmrw # [", "spellings.yml: tomorrow: has no list of forms"),
        ("goals.yml", "limit: 4", "limit: four", "goals.yml: causes: limit: is no whole number; write one"),
        ("phrases.yml", "{heading}", "{headng}", "{headng} is filled in nowhere; correct the name (did you mean"),
    ],
)  # fmt: skip
def test_mistakes_in_other_files_are_told(folder: Path, name: str, old: str, new: str, told: str):
    spoil(folder, name, old, new)
    assert told in faults(folder)


def test_file_that_would_not_be_read_is_named(folder: Path):
    (folder / "facts" / "000.yml").rename(folder / "facts" / "000.yaml")
    assert "facts/000.yaml: is not read, as its name does not end in .yml; rename it" in faults(folder)


def test_file_of_another_encoding_is_named(folder: Path):
    (folder / "phrases.yml").write_bytes("phrases: {x: “y”}".encode("cp1252"))
    assert "phrases.yml: is not saved as UTF-8" in faults(folder)


def test_number_of_documents_is_filled_in(knowledge: Knowledge):
    assert f"from {NUMBERS[len(knowledge.documents)]} documents" in knowledge.phrases["assistant"]
    assert not [key for key, text in knowledge.phrases.items() if "{documents}" in text]


def test_every_phrase_that_the_code_names_is_there(knowledge: Knowledge):
    named = re.compile(r'(?:phrases\[|phrase\(|_offer\(\w+, )"(\w+)"')
    code = [path.read_text() for folder in ("bot", "actions") for path in (ROOT / folder).rglob("*.py")]
    names = {name for text in code for name in named.findall(text)}
    assert len(names) > 40
    assert not names - set(knowledge.phrases), "phrases.yml: these are missing; restore them"
