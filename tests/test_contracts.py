"""Files that must agree, do; walls that must stand, stand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from bot.knowledge.loader import load_knowledge

ROOT = Path(__file__).resolve().parents[1]
DOMAIN = yaml.safe_load((ROOT / "domain.yml").read_text())
CONTRACT_INTENTS = set(
    (
        "greet goodbye thank affirm deny bot_challenge negative_feedback restart human_handoff "
        "out_of_scope inform describe_problem ask_about_spasms ask_causes ask_treatment ask_heat_or_cold "
        "ask_exercise_or_stretching ask_hydration_or_diet ask_medication ask_personal_medical_decision "
        "ask_prevention ask_diagnosis ask_when_to_see_doctor ask_about_condition ask_source red_flag"
    ).split()
)
# Main intents need more phrases than the others (issue 2, section 3).
MAIN = {name for name in CONTRACT_INTENTS if name.startswith("ask_")} | {"describe_problem"}


def training_phrases() -> list[tuple[str, str]]:
    found = []
    for path in sorted((ROOT / "data" / "nlu").glob("*.yml")):
        for block in yaml.safe_load(path.read_text())["nlu"]:
            found += [(block["intent"], line[2:].strip()) for line in block["examples"].splitlines()]
    return found


SENT_BY_BUTTON = load_knowledge().phrases["payload_more"]


def held_out_texts() -> list[str]:
    texts = []
    for path in sorted((ROOT / "evaluation").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            single = row.get("text") or row.get("question")
            texts += [single] if single else [turn["user"] for turn in row["turns"]]
    return texts


def words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def test_every_intent_of_the_contract_is_in_the_domain():
    assert set(DOMAIN["intents"]) >= CONTRACT_INTENTS


def test_every_entity_of_the_contract_is_in_the_domain():
    wanted = {"body_part", "trigger", "condition", "medicine", "duration", "severity"}
    assert set(DOMAIN["entities"]) >= wanted and set(DOMAIN["slots"]) >= wanted


def test_every_action_exists_once_and_is_in_the_domain():
    from rasa_sdk.executor import ActionExecutor

    executor = ActionExecutor()
    executor.register_package("actions")
    assert sorted(executor.actions) == sorted(DOMAIN["actions"])


def test_every_intent_has_a_rule():
    used = set()
    for path in (ROOT / "data" / "rules").glob("*.yml"):
        data = yaml.safe_load(path.read_text())
        assert set(data) == {"version", "rules"}, path  # Rasa drops other keys without a word
        used |= {step["intent"] for rule in data["rules"] for step in rule["steps"] if "intent" in step}
    # Rasa itself maps `restart` to action_restart.
    assert used == set(DOMAIN["intents"]) - {"restart"}


def test_training_phrases_are_enough_for_each_intent():
    counts = Counter(intent for intent, _ in training_phrases())
    short = {n: counts[n] for n in CONTRACT_INTENTS - {"red_flag"} if counts[n] < (40 if n in MAIN else 25)}
    assert not short and counts["out_of_scope"] >= 150 and counts["red_flag"] == 0


def alike(held: set[str], trained: set[str]) -> list[tuple[str, str]]:
    """Gives the held-out texts that are nearly a training text, in whatever order of words, with it."""
    from rapidfuzz import fuzz, process

    ours, theirs = sorted(held), sorted(trained)
    # The same as token_sort_ratio of each pair, with every text's words sorted once: seconds instead of minutes.
    in_order = [[" ".join(sorted(text.split())) for text in texts] for texts in (ours, theirs)]
    scores = process.cdist(*in_order, scorer=fuzz.ratio, score_cutoff=93, dtype=np.float32, workers=-1)
    return [(ours[row], theirs[column]) for row, column in zip(*scores.nonzero(), strict=True)]


def test_training_and_evaluation_never_mix():
    trained = {words(text) for _, text in training_phrases()}
    # Phrases of two words ("lower back") are common property, and so is what a button sends; others must differ.
    held = {words(text) for text in held_out_texts() if len(words(text).split()) > 2} - {words(SENT_BY_BUTTON)}
    assert not trained & held and not alike(held, trained)
    assert alike({"the back of my calf hurts"}, {"my calf hurts the back of"})


def test_examples_of_the_learned_screen_and_evaluation_never_mix():
    from bot.nlu.screen_training import read_examples

    trained = {words(text) for text, _ in read_examples()}
    held = {words(text) for text in held_out_texts() if len(words(text).split()) > 3}
    assert not held & trained and not alike(held, trained)


def test_held_out_set_has_fifteen_rows_an_intent():
    rows = [json.loads(line) for line in (ROOT / "evaluation" / "utterances.jsonl").read_text().splitlines()]
    counts = Counter(row["intent"] for row in rows)
    assert all(counts[name] >= 15 for name in CONTRACT_INTENTS - {"red_flag"})


def test_component_names_do_not_replace_rasas():
    import rasa.engine.recipes.default_components as defaults

    theirs = {component.__name__ for component in defaults.DEFAULT_COMPONENTS}
    pipeline = yaml.safe_load((ROOT / "config.yml").read_text())["pipeline"]
    ours = {entry["name"].rsplit(".", 1)[1] for entry in pipeline if "." in entry["name"]}
    assert ours and not ours & theirs


def test_screen_is_first_and_gate_is_last():
    pipeline = yaml.safe_load((ROOT / "config.yml").read_text())["pipeline"]
    assert pipeline[0]["name"].endswith("SafetyScreen") and pipeline[-1]["name"].endswith("SafetyGate")


def test_training_time_components_tell_rasas_cache_about_the_code_they_call():
    from bot.nlu.intent_classifier import QuestionClassifier
    from bot.nlu.intent_encoder import IntentEncoder
    from bot.nlu.language_reader import LanguageReader
    from bot.nlu.learned_screen import LearnedScreen
    from bot.nlu.safety_screen import SafetyScreen
    from bot.nlu.sentence_encoder import SentenceEmbedder

    ours = (LanguageReader, IntentEncoder, SentenceEmbedder, QuestionClassifier, SafetyScreen, LearnedScreen)
    for component in ours:
        assert component.fingerprint_addon({}), component


@pytest.mark.parametrize("modules", ["bot.core.dialogue, bot.core.screen, bot.core.context", "actions.answers"])
def test_core_and_actions_load_neither_rasa_nor_spacy(modules: str):
    code = f"import sys, {modules}; sys.exit(bool({{'rasa', 'spacy', 'tensorflow'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_core_has_no_clock_no_random_and_no_network():
    banned = re.compile(r"^\s*(?:import|from) (?:time|datetime|random|secrets|socket|requests|aiohttp|os)\b", re.M)
    found = {path.name for path in (ROOT / "bot" / "core").glob("*.py") if banned.search(path.read_text())}
    assert not found


def test_no_lock_names_an_index():
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert "://" not in lock.read_text()


def test_readme_names_only_paths_that_exist():
    text = (ROOT / "README.md").read_text()
    table = text.split("## To change")[1].split("\n## ")[0]
    paths = re.findall(r"`([\w./<>-]+\.(?:yml|md|in)|[\w./-]+/)`", table)
    assert paths and not [path for path in paths if "<" not in path and not (ROOT / path).exists()]


def test_readme_lists_every_setting():
    text = (ROOT / "README.md").read_text()
    source = (ROOT / "bot" / "settings.py").read_text() + (ROOT / "bot" / "train.py").read_text()
    names = set(re.findall(r'environ(?:\.get)?[\(\[, ]+"([A-Z_]+)"|_port\(environ, "([A-Z_]+)"', source))
    flat = {name for pair in names for name in pair if name}
    assert flat and not [name for name in flat if f"`{name}`" not in text]
