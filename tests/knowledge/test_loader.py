"""The knowledge base is whole, and its faults are told with file, id, field and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from bot.errors import KnowledgeError
from bot.knowledge import vocabulary
from bot.knowledge.loader import FOLDER, Knowledge, phrase_digests, read_knowledge
from bot.knowledge.schema import count_words


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
    counts = (len(knowledge.facts), len(knowledge.cautions), len(knowledge.disagreements), len(knowledge.claims))
    assert counts == (302, 32, 28, 79) and len(knowledge.documents) == 5


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
