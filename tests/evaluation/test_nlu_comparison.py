"""The comparison of NLU configurations: its shares, its public sets, its tables, and that it goes on after a stop."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bot.evaluation import nlu_comparison
from bot.evaluation.nlu_comparison import Run, compare, curve_table, hint3_table, hint3_task, own_task, part_of
from bot.evaluation.nlu_configurations import default_config

TRAIN = {
    "order": ["where is my parcel", "has my order shipped", "track my delivery", "when does the parcel come"],
    "hours": ["when are you open", "opening hours please", "is the shop open on sunday", "when do you close"],
    "return": ["i want my money back", "how do i send it back", "can i return this", "refund please"],
}
TEST = [
    ("where is my parcel now", "order"),
    ("i want a refund, my money back", "return"),
    ("[hi](there)", "NO_NODES_DETECTED"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A made-up set in the shape of HINT3's files, with another version of its training texts further down."""
    train = "sentence,label\n" + "".join(f'"{text}",{label}\n' for label, texts in TRAIN.items() for text in texts)
    files = {
        "train/curekart_train.csv": train,
        "v2/train/curekart_train.csv": "sentence,label\nother,order\n",
        "test/curekart_test.csv": "sentence,label\n" + "".join(f'"{text}",{label}\n' for text, label in TEST),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_public_set_is_read_and_only_texts_within_its_scope_count(shop: Path):
    task = hint3_task(shop, "curekart")
    assert Counter(label for _, label in task.train) == {"order": 4, "hours": 4, "return": 4}
    assert task.test == (("where is my parcel now", ("order",)), ("i want a refund, my money back", ("return",)))


def test_missing_public_set_is_told(tmp_path: Path):
    with pytest.raises(SystemExit, match=r"no sofmattress_train\.csv"):
        hint3_task(tmp_path, "sofmattress")


def test_own_task_has_all_phrases_and_no_message_of_danger():
    task = own_task()
    assert len(task.train) > 4000
    assert ("hello", "greet") in task.train
    assert "red_flag" not in {labels[0] for _, labels in task.test}


def test_share_is_taken_from_each_intent_alike_and_by_seed():
    examples = own_task().train
    tenth = part_of(examples, 0.1, 0)
    whole, part = Counter(label for _, label in examples), Counter(label for _, label in tenth)
    assert part.keys() == whole.keys()
    assert all(abs(part[label] - whole[label] / 10) <= 2 for label in whole)
    assert tenth == part_of(examples, 0.1, 0) != part_of(examples, 0.1, 1)
    assert sorted(part_of(examples, 1.0, 0)) == sorted(examples)


def test_configurations_learn_a_public_set_and_kept_runs_are_not_repeated(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(nlu_comparison, "RESULTS", tmp_path)
    task = hint3_task(shop, "curekart")
    runs = compare([task], ["ours", "spaCy textcat"], (0.1,), (0,), True)
    assert [(run.configuration, run.share, run.phrases, run.tested) for run in runs] == [
        ("ours", 1.0, 12, 2),
        ("spaCy textcat", 1.0, 12, 2),
    ]
    assert runs[0].strict == 1.0
    monkeypatch.setattr(nlu_comparison, "run", None)
    assert compare([task], list(nlu_comparison.CONFIGURATIONS), (0.1,), (0,), True, only_kept=True) == runs
    assert compare([task], ["ours", "spaCy textcat"], (0.1,), (0,), True) == runs
    assert len(json.loads((tmp_path / nlu_comparison.RUNS).read_text())) == 2


def test_tables_give_means_and_spreads():
    runs = [Run("", "ours", "own", 0.5, seed, 50, 100, 0.6 + seed / 10, 0.8, 2.0, 1.5) for seed in (0, 1)]
    assert "| ours | 50 (50%) | 2 | 0.650 (0.600–0.700) | 0.800 (0.800–0.800) | 2 | 1.5 |" in curve_table(runs)
    assert "0.841" in hint3_table([Run("", "ours", "curekart", 1.0, 0, 50, 100, 0.6, 0.6, 2.0, 1.5)])
    assert "Not run" in hint3_table([])


def test_default_is_the_one_that_rasa_ships():
    config = default_config(epochs=3)
    assert [part["name"] for part in config["policies"]] == [
        "MemoizationPolicy", "RulePolicy", "UnexpecTEDIntentPolicy", "TEDPolicy",
    ]  # fmt: skip
    assert {part["epochs"] for part in config["pipeline"] if "epochs" in part} == {3}
    assert "DIETClassifier" in [part["name"] for part in config["pipeline"]]
