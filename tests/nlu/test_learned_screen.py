"""The learned screen: it acts where it is sure, asks where it is not, and never silences a rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from spacy.tokens import Doc

from bot.evaluation.nlu import read_rows
from bot.language.adapter import Adapter
from bot.language.encoder import SentenceEncoder, weights_folder
from bot.language.pipeline import read
from bot.nlu.adapters import SHIPPED
from bot.nlu.learned_screen import LEARNED, LearnedScreen, urgency
from bot.nlu.screen_training import CLASSES, HARMLESS, SEEDS, examples_digest, file_name, read_examples
from bot.train import ROOT

OPTIONS = {"sure": 0.6, "unsure": 0.3, "doubt": 0.1, "settled": 0.02, "window": 60}
RULE = {"rule": "breathing", "reply": "breathing"}


def test_examples_are_enough_and_told_apart():
    examples = read_examples()
    danger = {text.lower() for text, name in examples if name != HARMLESS}
    harmless = {text.lower() for text, name in examples if name == HARMLESS}
    assert len(danger) + len(harmless) >= 600 and len(harmless) >= len(danger) and not danger & harmless
    assert {name for _, name in examples} == set(CLASSES)


def test_committed_adapters_are_those_of_the_examples():
    abouts = [Adapter.load(SHIPPED / file_name(seed)).about for seed in SEEDS]
    for about in abouts:
        assert about["examples"] == examples_digest(), "the examples changed: run `make adapters` and commit its result"


@pytest.mark.parametrize(
    "rule, danger, reply",
    [
        ({}, 0.9, "emergency-now"),
        ({}, 0.4, "check-any"),
        ({}, 0.1, None),
        (RULE, 0.9, "breathing"),
        (RULE, 0.2, "breathing"),
        (RULE, 0.01, "check-any"),
        ({**RULE, "firm": "firm"}, 0.01, "breathing"),
        ({"rule": "screen-failed", "reply": "screen-failed"}, 0.01, "screen-failed"),
    ],
)
def test_sure_acts_and_unsure_asks(rule: dict, danger: float, reply: str | None):
    found = np.array([1 - danger, 0, 0, danger, 0], dtype=np.float32)
    verdict = LearnedScreen(OPTIONS, None, None)._verdict(rule, danger, found)
    assert verdict.get("reply") == reply


class _Member:
    """Stands for one fitted encoder: gives a danger, and counts how often it is asked."""

    def __init__(self, danger: float) -> None:
        self.danger, self.asked = danger, 0

    def pool(self, texts: list[str]) -> list[str]:
        return texts

    def probabilities(self, texts: list[str]) -> np.ndarray:
        self.asked += 1
        return np.array([[1 - self.danger, 0, 0, self.danger, 0]] * len(texts), dtype=np.float32)


@pytest.mark.parametrize(
    "first, thorough, asked", [(0.01, False, 0), (0.01, True, 1), (0.03, False, 1), (0.9, False, 1)]
)
def test_the_second_fit_is_asked_unless_the_first_is_calm(first: float, thorough: bool, asked: int):
    screen, members = LearnedScreen(OPTIONS, None, None), (_Member(first), _Member(0.5))
    screen._members = [(member, member) for member in members]
    screen._average(["any text"], thorough)
    assert (members[0].asked, members[1].asked) == (1, asked)


class _Finder(_Member):
    """Finds danger in a text with a certain word only, more of it in a short one."""

    def probabilities(self, texts: list[str]) -> np.ndarray:
        dangers = [self.danger if "numb" in text and len(text) < 500 else 0.1 for text in texts]
        return np.array([[1 - danger, 0, 0, danger, 0] for danger in dangers], dtype=np.float32)


@pytest.mark.parametrize(
    "words, danger", [(["numb"] * 20, 0.99), (["calm"] * 100, 0.1), (["numb"] * 5 + ["calm"] * 150, 0.77)]
)
def test_a_long_message_is_judged_by_its_whole_and_its_worst_part(words: list[str], danger: float):
    screen, member = LearnedScreen(OPTIONS, None, None), _Finder(0.99)
    screen._members = [(member, member)] * 2
    assert 1 - screen._probabilities(read(" ".join(words)))[0] == pytest.approx(danger, abs=0.01)


def test_no_verdict_on_an_evaluation_message_needs_the_second_fit_where_the_first_is_calm():
    config = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))["pipeline"]
    options = next(part for part in config if part["name"].endswith(".LearnedScreen"))
    screen = LearnedScreen({**LearnedScreen.get_default_config(), **options}, None, None)
    adapters = [Adapter.load(SHIPPED / file_name(seed)) for seed in SEEDS]
    screen._members = [(one, SentenceEncoder(weights_folder(), adapter=one)) for one in adapters]
    texts = [
        row["text"]
        for file in sorted((ROOT / "evaluation").glob("*.jsonl"))
        for row in read_rows(file)
        if "text" in row
    ]

    def verdict(doc: Doc, thorough: bool) -> dict[str, str]:
        found = screen._probabilities(doc, thorough)
        return screen._verdict({}, 1.0 - float(found[0]), found)

    docs = [read(text) for text in texts]
    assert len(docs) > 3000
    assert [text for text, doc in zip(texts, docs, strict=True) if verdict(doc, False) != verdict(doc, True)] == []


@pytest.mark.parametrize(
    "found, name",
    [
        ([0.1, 0.0, 0.5, 0.4, 0.0], "emergency"),
        ([0.1, 0.0, 0.8, 0.1, 0.0], "urgent"),
        ([0.1, 0.8, 0.1, 0.0, 0.0], "soon"),
        ([0.1, 0.0, 0.1, 0.1, 0.7], "crisis"),
    ],
)
def test_doubt_about_urgency_goes_upwards(found: list[float], name: str):
    assert urgency(np.array(found, dtype=np.float32)) == name


def test_adapter_survives_saving(tmp_path: Path):
    random = np.random.default_rng(0)
    factors = {"encoder.layer.0.output.dense": (random.normal(size=(1536, 2)), random.normal(size=(2, 384)))}
    small = {name: (a.astype(np.float32), b.astype(np.float32)) for name, (a, b) in factors.items()}
    adapter = Adapter(small, np.eye(384, 5, dtype=np.float32), np.zeros(5, np.float32), CLASSES, {"temperature": 1.0})
    adapter.save(tmp_path / "a.npz")
    again = Adapter.load(tmp_path / "a.npz")
    assert again.classes == CLASSES and again.about == adapter.about
    for name, (a, b) in small.items():
        assert np.allclose(again.factors[name][0], a, atol=1e-2) and np.allclose(again.factors[name][1], b, atol=1e-2)


def test_changes_that_are_nothing_change_nothing(tmp_path: Path):
    zero = {"encoder.layer.0.output.dense": (np.zeros((1536, 2), np.float32), np.zeros((2, 384), np.float32))}
    adapter = Adapter(zero, np.zeros((384, 5), np.float32), np.zeros(5, np.float32), CLASSES, {"temperature": 1.0})
    plain = SentenceEncoder(weights_folder())
    changed = SentenceEncoder(weights_folder(), cache=tmp_path, adapter=adapter)
    assert np.allclose(plain.encode(["my calf cramps"]), changed.encode(["my calf cramps"]), atol=1e-4)


@pytest.mark.model
def test_what_a_rule_found_stands(parse: Callable[[str], dict]):
    result = parse("i have a crushing pain in my chest")
    assert result["safety"]["rule"] != LEARNED and result["intent"]["name"] == "red_flag"


@pytest.mark.model
def test_danger_in_words_of_no_rule_is_found(parse: Callable[[str], dict]):
    result = parse("her words came out as soup over breakfast and the cup slid out of that hand twice")
    assert result["safety"] == {"rule": LEARNED, "reply": "emergency-now"}


BLUNT = (
    "i have chest pain",
    "HEART ATTACK",
    "nan is having a stroke",
    "i want to die",
    "cant breathe",
    "he has lockjaw",
    "both legs are paralysed",
    "she's having a fit",
    "snake bite",
    "my wee is brown",
    "sepsis i think",
    "can you call me an ambulance",
)


@pytest.mark.model
@pytest.mark.parametrize("text", BLUNT)
def test_danger_that_is_simply_named_is_found(parse: Callable[[str], dict], text: str):
    assert parse(text)["intent"]["name"] == "red_flag"


@pytest.mark.model
@pytest.mark.parametrize("text", ["i have no chest pain", "can a cramp feel like a heart attack", "why do snakes bite"])
def test_danger_that_is_denied_or_asked_about_is_none(parse: Callable[[str], dict], text: str):
    assert parse(text)["intent"]["name"] != "red_flag"


@pytest.mark.model
def test_alarms_in_other_languages_are_as_config_yml_says(parse: Callable[[str], dict]):
    rows = [r for r in read_rows(ROOT / "evaluation" / "redflags_dev_registers.jsonl") if "foreign" in r["note"]]
    alarms = Counter(row["red_flag"] for row in rows if parse(row["text"])["intent"]["name"] == "red_flag")
    assert Counter(row["red_flag"] for row in rows) == {True: 49, False: 30}
    assert alarms[True] >= 29 and alarms[False] <= 3


@pytest.mark.model
def test_danger_late_in_a_long_story_is_seen(parse: Callable[[str], dict]):
    story = "we went to the garden centre on sunday and bought some lovely plants for the new border, " * 6
    assert not parse(story)["safety"]
    assert parse(story + "and now dad is grey and sweating and clutching his chest")["safety"]


@pytest.mark.model
@pytest.mark.parametrize("text", ["", "   ", "😀", "123", "a" * 3000])
def test_any_text_is_survived(parse: Callable[[str], dict], text: str):
    assert 0 <= parse(text)["danger_probability"] <= 1
