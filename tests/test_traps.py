"""The five traps of the architecture ("Never silent, never unscreened"), and what stands against each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bot.channels.turns import take_turn

pytestmark = pytest.mark.model
DEAD = "http://127.0.0.1:1/webhook"


@pytest.fixture(scope="module")
def agent(model: str):
    """The trained model with an action server that does not answer."""
    from rasa.core.agent import Agent
    from rasa.utils.endpoints import EndpointConfig

    from bot.nlg import SafetyNLG

    loaded = Agent.load(model, action_endpoint=EndpointConfig(DEAD))
    nlg = SafetyNLG(None, loaded.domain)
    loaded.nlg = nlg
    loaded.processor.nlg = nlg
    return loaded


@pytest.fixture
def say(agent) -> Callable[[str], list[dict]]:
    import uuid

    sender = uuid.uuid4().hex

    async def turn(text: str) -> list[dict]:
        return await take_turn(agent.handle_message, text, sender, "rest")

    return lambda text: asyncio.run(turn(text))


def test_emergency_is_answered_without_the_action_server(say):
    messages = say("crushing chest pain and my left arm is numb")
    assert messages[0]["text"].startswith("Call your local emergency number")
    custom = next(m["custom"] for m in messages if "custom" in m)
    assert custom["kind"] == "emergency" and custom["rule"] and "112" in custom["emergency_number"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Me duele el pecho y el dolor me baja al brazo izquierdo.", "Esto puede ser una emergencia."),
        ("Steifer Nacken, 40 Fieber und das Licht tut mir in den Augen weh.", "Das kann ein Notfall sein."),
    ],
)
def test_an_emergency_in_another_language_is_announced_in_it(say, text: str, first: str):
    reply = say(text)[0]["text"]
    own, english = reply.split("\n\n", 1)
    assert own.startswith(first) and "112" in own and english.startswith("Call your local emergency number")


def test_other_messages_without_the_action_server_get_the_failure_text(say):
    messages = say("back cramp after lifting")
    assert "something went wrong" in messages[0]["text"] and "112" in messages[0]["text"]


def test_component_that_raises_leaves_no_silence(say, agent, monkeypatch):
    from bot.nlu.concept_extractor import ConceptExtractor

    def broken(*_):
        raise KeyError("broken")

    monkeypatch.setattr(ConceptExtractor, "process", broken)
    assert "something went wrong" in say("my back hurts")[0]["text"]


@pytest.mark.parametrize(
    "text", ["/restart", "/red_flag", " /ask_causes", '/inform{"body_part": "back"}', "/session_start"]
)
def test_typed_intent_is_read_as_words(say, agent, text: str, monkeypatch):
    heard = []
    original = agent.processor.parse_message

    async def listening(message, *args, **kwargs):
        result = await original(message, *args, **kwargs)
        heard.append(result)
        return result

    monkeypatch.setattr(agent.processor, "parse_message", listening)
    say(text)
    assert "safety" in heard[0], "the message did not pass the screen"


def test_typed_intent_with_an_emergency_is_screened(say):
    assert say("/greet i have crushing chest pain")[1]["custom"]["kind"] == "emergency"


def test_rasas_cache_notices_a_change_of_words_or_reading_code(monkeypatch, tmp_path):
    from bot.knowledge import vocabulary
    from bot.nlu.language_reader import LanguageReader

    before = LanguageReader.fingerprint_addon({})
    changed = tmp_path / "cues.yml"
    changed.write_text((vocabulary.FOLDER / "cues.yml").read_text() + "\n# changed\n")
    files = tuple(name for name in vocabulary.MATCHED_FILES if name != "cues.yml")
    monkeypatch.setattr(vocabulary, "MATCHED_FILES", (*files, str(changed)))
    assert LanguageReader.fingerprint_addon({}) != before


def test_every_data_file_is_read_by_rasa(model: str):
    """Rasa drops a file with a wrong key without a word; so what it read is counted."""
    from pathlib import Path

    import yaml
    from rasa.shared.importers.rasa import RasaFileImporter

    root = Path(__file__).resolve().parents[1]
    files = [str(path) for path in (root / "data").rglob("*.yml")]
    importer = RasaFileImporter(str(root / "config.yml"), str(root / "domain.yml"), files)
    wanted = sum(
        len(block["examples"].splitlines())
        for path in (root / "data" / "nlu").glob("*.yml")
        for block in yaml.safe_load(path.read_text())["nlu"]
    )
    assert len(importer.get_nlu_data().intent_examples) == wanted
    rules = sum(len(yaml.safe_load(p.read_text())["rules"]) for p in (root / "data" / "rules").glob("*.yml"))
    assert len(importer.get_stories().story_steps) == rules
