"""`make evaluate` knows what to do with each file, and says so before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.evaluation.__main__ import HELD_OUT, way


def test_every_file_of_ours_can_be_evaluated():
    files = sorted(HELD_OUT.glob("*.jsonl"))
    assert files
    for file in files:
        assert callable(way(file))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("redflags.jsonl", "bot.evaluation.safety.evaluate"),
        ("questions.jsonl", "bot.evaluation.retrieval.evaluate"),
        ("utterances.jsonl", "bot.evaluation.__main__._nlu"),
        ("dialogues.jsonl", "bot.evaluation.__main__._dialogues"),
    ],
)
def test_a_file_is_told_by_its_fields(file: str, name: str):
    found = way(HELD_OUT / file)
    assert f"{found.__module__}.{found.__qualname__}" == name


def test_other_files_are_refused_in_words(tmp_path: Path):
    (other := tmp_path / "other.jsonl").write_text('{"words": "of another kind"}\n', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"no known schema.*question"):
        way(other)
    with pytest.raises(SystemExit, match="There is no file"):
        way(tmp_path / "missing.jsonl")
