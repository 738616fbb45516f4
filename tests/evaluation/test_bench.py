"""The benchmark: its load against a running bot, its grown projects, its tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bot.evaluation.bench import load, report
from bot.evaluation.bench.__main__ import messages
from bot.evaluation.bench.bots import BARE, DEFAULT, OURS, project, read_yaml, with_default, without_safety
from bot.evaluation.bench.growth import more_facts, more_rules
from bot.evaluation.bench.load import Waits
from bot.evaluation.bench.measure import installed_mb
from bot.evaluation.live import LiveBot
from bot.evaluation.processes import cpu_seconds, memory_mb, tree
from bot.knowledge.loader import read_knowledge
from bot.train import ROOT


@pytest.mark.server
async def test_load_gets_a_reply_to_every_message(bot: LiveBot):
    texts = messages()[:12]
    calm, socket = await load.one_by_one(bot.url, texts[:6]), await load.over_socket(bot.url, texts[:6])
    assert (len(calm.times), calm.failed) == (len(socket.times), socket.failed) == (6, 0)
    crowd = await load.at_once(bot.url, texts, people=3, seconds=1)
    assert crowd["turns"] >= 3
    assert crowd["failed"] == 0 < crowd["messages_a_second"]
    steady = await load.at_rate(bot.url, texts, rate=4, seconds=1)
    assert (steady["turns"], steady["failed"]) == (4, 0)
    lengths = await load.by_length(bot.url, texts, (1, 4), conversations=1)
    assert lengths.keys() == {"1", "4"}


async def test_nobody_there_is_counted_and_not_timed():
    waits = await load.one_by_one("http://127.0.0.1:1", ["hello", "hello again"])
    assert (waits.times, waits.failed) == ([], 2)


def test_percentiles():
    figures = Waits([float(number) for number in range(1, 102)]).figures()
    assert (figures["p50_ms"], figures["p95_ms"], figures["p99_ms"]) == (51.0, 96.0, 100.0)


def test_memory_and_processor_time_of_this_process():
    kept = bytearray(b"x") * 50_000_000
    before, used = memory_mb([os.getpid()]), cpu_seconds([os.getpid()])
    assert before > len(kept) / 2**20
    assert tree(os.getpid())[0] == os.getpid()
    while cpu_seconds([os.getpid()]) < used + 0.05:
        pass


def test_default_has_the_same_data_and_rasas_own_pipeline(tmp_path: Path):
    (tmp_path / "default").mkdir()
    folder = project(tmp_path / "default", with_default(epochs=7))
    config = read_yaml(folder / "config.yml")
    assert {part.get("epochs", 7) for part in (*config["pipeline"], *config["policies"])} == {7}
    assert len(config["pipeline"]) == 9
    stories = read_yaml(folder / "data" / "stories.yml")["stories"]
    assert {"intent": "greet"} in [story["steps"][0] for story in stories]
    for name in ("domain.yml", "data/nlu/greet.yml", "data/rules/answers.yml"):
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()


def test_safety_layer_is_all_that_is_taken_out(tmp_path: Path):
    (tmp_path / "bare").mkdir()
    names = [part["name"] for part in read_yaml(project(tmp_path / "bare", without_safety) / "config.yml")["pipeline"]]
    all_names = [part["name"] for part in read_yaml(ROOT / "config.yml")["pipeline"]]
    assert [name for name in all_names if name not in names] == [
        "bot.nlu.safety_screen.SafetyScreen", "bot.nlu.learned_screen.LearnedScreen", "bot.nlu.safety_gate.SafetyGate",
    ]  # fmt: skip


def test_grown_project_is_sound_and_has_as_many_facts_as_wanted(tmp_path: Path):
    (tmp_path / "grown").mkdir()
    folder = project(tmp_path / "grown", more_facts(400), more_rules(2))
    knowledge = read_knowledge(folder / "bot" / "knowledge")
    assert len(knowledge.facts) == len(knowledge.questions) == 400
    flags = [read_yaml(path)["red_flags"] for path in (folder / "bot" / "knowledge" / "red_flags").glob("*.yml")]
    ids = [flag["id"] for each in flags for flag in each]
    assert len(ids) == len(set(ids)) == 2 * sum(not name.endswith("-1") for name in ids)
    assert len(read_yaml(folder / "domain.yml")["intents"]) == 2 * len(read_yaml(ROOT / "domain.yml")["intents"])


def test_installed_size_counts_what_a_package_needs():
    assert installed_mb(["rasa"]) > installed_mb(["spacy"]) > installed_mb(["numpy"]) > 10


def _round(factor: float) -> dict[str, Any]:
    waits = {"turns": 10, "failed": 0, "p50_ms": 20 * factor, "p95_ms": 30 * factor, "p99_ms": 50 * factor}
    crowd = {**waits, "messages_a_second": 40 / factor}
    return {
        "start_up_s": 10 * factor, "http": waits, "socket": waits, "cpu_ms": 15 * factor, "memory_mb": 500 * factor,
        "memory_after_load_mb": 510 * factor, "people": {"1": crowd, "10": crowd, "100": crowd},
        "half_load": {**waits, "rate": 20}, "turn_in_conversation": {"1": 20 * factor, "200": 30 * factor},
    }  # fmt: skip


def test_document_tells_what_was_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report, "ROOT", tmp_path)

    def measured(factor: float) -> dict[str, Any]:
        training = {"seconds": 60 * factor, "cpu_seconds": 50 * factor, "model_mb": 10}
        return {"training": training, "installed_mb": 2000, "rounds": [_round(factor), _round(factor * 1.1)]}

    result = {
        "bots": {OURS: measured(1), BARE: measured(0.8), DEFAULT: measured(2.2)},
        "facts": {"302": {"p50_ms": 20}, "30000": {"p50_ms": 36}},
        "quick": True, "machine": "a machine", "date": "today",
        "sizes": {"rounds": 2, "turns": 10, "seconds": 5, "epochs": 1},
    }  # fmt: skip
    for size in result["facts"].values():
        size |= {"p95_ms": 30, "memory_mb": 500, "start_up_s": 10, "training_s": 60}
    report.write(result, tmp_path)
    text = (tmp_path / report.DOCUMENT).read_text()
    assert "| median turn over HTTP, to the default's | ≤ 0.5 × | 0.45 × | yes |" in text
    assert "| messages a second (the highest of all), to the default's | ≥ 2.5 × | 2.20 × | no |" in text
    assert "| median turn with 30,000 facts, to that with 302 | ≤ 1.5 × | 1.80 × | no |" in text
    assert "| turn 200 | 31.5 (30–33) |" in text
    assert "Not a benchmark" in text
    assert "{" not in text
    assert (tmp_path / report.LATENCY).stat().st_size > 1000
    assert (tmp_path / report.GROWTH).stat().st_size > 1000
