"""The Rasa components: they add, never replace, and survive any text."""

from __future__ import annotations

import numpy as np
import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.core.questions import Guess, questions
from bot.nlu.concept_extractor import ConceptExtractor
from bot.nlu.intent_classifier import QUESTIONS, QuestionClassifier
from bot.nlu.intent_encoder import IntentEncoder
from bot.nlu.language_reader import DOC, LanguageReader
from bot.nlu.safety_gate import QUESTION, SafetyGate
from bot.nlu.safety_screen import FAILED, SAFETY, SafetyScreen
from bot.nlu.sentence_encoder import SentenceEmbedder

ODD_TEXTS = ["", " ", "😀😀", "/ask_causes", "a" * 20_000, "\x00\x01", "İıſ", "‮abc"]


@pytest.fixture
def storage(tmp_path) -> LocalModelStorage:
    return LocalModelStorage.create(tmp_path)


@pytest.fixture
def context() -> ExecutionContext:
    return ExecutionContext(GraphSchema({}), "model")


def create(component, storage, context, name="component", **config):
    merged = {**component.get_default_config(), **config}
    return component.create(merged, storage, Resource(name), context)


def understood(text: str, storage, context) -> Message:
    message = Message(data={"text": text})
    for component in (SafetyScreen, LanguageReader, SentenceEmbedder, ConceptExtractor):
        create(component, storage, context).process([message])
    return message


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_components_survive_any_text(text, storage, context):
    understood(text, storage, context)


def test_reader_keeps_the_document_and_true_offsets(storage, context):
    text = "My lowerback cramps"
    message = Message(data={"text": text})
    create(LanguageReader, storage, context).process([message])
    assert message.get(DOC) is not None
    assert all(text[token.start : token.end] == token.text for token in message.get("text_tokens"))


def test_embedder_adds_one_sentence_feature(storage, context):
    _, sentence = understood("calf cramp", storage, context).get_dense_features("text")
    assert sentence.features.shape == (1, 384)


def test_embedder_reads_through_misspellings(storage, context):
    def vector(text):
        return understood(text, storage, context).get_dense_features("text")[1].features[0]

    right, wrong, other = vector("my neck is stuck"), vector("my nekc is stuck"), vector("what is the time")
    assert right @ wrong > 0.95 > right @ other


def test_embedder_tells_symbols_apart(storage, context):
    def vector(text):
        return understood(text, storage, context).get_dense_features("text")[1].features[0]

    assert vector("👍") @ vector("👍🏽👍") > 0.9 > vector("👍") @ vector("🍕")
    assert vector("👍") @ vector("thumbs up sign") > 0.99
    # Beside words a symbol changes nothing; one without a name, or none at all, does no harm.
    assert np.isclose(vector("my calf hurts 😭") @ vector("my calf hurts 🍕"), 1, atol=1e-4)
    assert np.isfinite(vector("\U0001fbfa")).all()


def test_extractor_keeps_what_others_found(storage, context):
    message = Message(data={"text": "my tummy", "entities": [{"entity": "other", "value": "x"}]})
    create(LanguageReader, storage, context).process([message])
    create(ConceptExtractor, storage, context).process([message])
    found = [(entity["entity"], entity["value"]) for entity in message.get("entities")]
    assert found == [("other", "x"), ("body_part", "abdomen")]


def test_classifier_trains_keeps_and_loads(storage, context):
    texts = {
        "ask_causes": ["why does it cramp", "what causes cramps", "how come it spasms", "what brings this on"],
        "ask_treatment": ["what helps a cramp", "how do i stop it", "how can i ease it", "what do i do about it"],
    }
    examples = [Message(data={"text": t, "intent": i}) for i, group in texts.items() for t in group]
    data = TrainingData(examples)
    create(LanguageReader, storage, context).process_training_data(data)
    create(SentenceEmbedder, storage, context).process_training_data(data)
    message = understood("why do i get cramps", storage, context)
    for component, options in ((IntentEncoder, {}), (QuestionClassifier, {"min_df": 1})):
        resource = create(component, storage, context, component.__name__, **options).train(data)
        component.load(component.get_default_config(), storage, resource, context).process([message])
    assert message.get("intent")["name"] == "ask_causes" and message.get(QUESTIONS) == ["ask_causes"]
    assert np.isclose(sum(row["confidence"] for row in message.get("intent_ranking")), 1)


def test_a_clause_that_is_not_heard_twice_would_have_changed_no_question():
    chance = np.random.default_rng(0)
    names = np.array(["affirm", "ask_causes", "ask_more", "ask_treatment", "describe_problem", "false_alarm"])
    classifier = QuestionClassifier(QuestionClassifier.get_default_config(), None, None)
    classifier._counted = np.array([False, True, False, True, False, True])
    spared = 0
    for _ in range(2000):
        worded, regression = chance.dirichlet([0.15] * len(names), (2, 5))
        heard = classifier._worth_hearing(worded)
        both, some = (worded + regression) / 2, worded.copy()
        some[heard] = both[heard]
        asked = []
        for rows in (both, some):
            whole, *parts = (Guess(str(names[row.argmax()]), float(row.max())) for row in rows)
            back = any(part.intent == "false_alarm" and part.confidence >= 0.6 for part in parts)
            asked.append((questions(whole, parts, 12), back))
        assert asked[0] == asked[1]
        spared += len(worded) - len(heard)
    assert spared > 2000


def test_gate_overrides_intent_ranking_and_questions(storage, context):
    message = Message(
        data={
            "text": "x",
            "intent": {"name": "greet", "confidence": 1.0},
            "intent_ranking": [{"name": "greet", "confidence": 1.0}],
            "entities": [{"entity": "body_part", "value": "back"}],
            SAFETY: {"rule": "some-rule", "reply": "some-reply"},
        }
    )
    create(SafetyGate, storage, context).process([message])
    assert message.get("intent")["name"] == message.get("intent_ranking")[0]["name"] == "red_flag"
    assert message.get(QUESTIONS) == ["red_flag"]
    values = {entity["entity"]: entity["value"] for entity in message.get("entities")}
    assert values == {"body_part": "back", "safety_rule": "some-rule", "safety_reply": "some-reply"}


def test_gate_asks_about_what_is_unsure_and_keeps_the_intent(storage, context):
    unsure = {"rule": "some-rule", "reply": "check-any"}
    message = Message(data={"text": "x", "intent": {"name": "ask_causes"}, SAFETY: unsure})
    create(SafetyGate, storage, context).process([message])
    assert message.get("intent")["name"] == "ask_causes" and message.get(QUESTION) == unsure


def test_gate_asks_nobody_in_a_language_they_do_not_read(storage, context):
    unsure = {"rule": "some-rule", "reply": "check-any"}
    message = Message(data={"text": "x", "intent": {"name": "nlu_fallback"}, SAFETY: unsure, "foreign_language": "es"})
    create(SafetyGate, storage, context).process([message])
    assert message.get(QUESTION) is None


def test_gate_leaves_a_clear_message_alone(storage, context):
    message = Message(data={"text": "x", "intent": {"name": "greet"}, SAFETY: {}})
    create(SafetyGate, storage, context).process([message])
    assert message.get("intent") == {"name": "greet"}


def test_screen_that_fails_is_answered_cautiously(storage, context, monkeypatch):
    screen = create(SafetyScreen, storage, context)

    def broken(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(screen._reader, "_findings", broken)
    message = Message(data={"text": "anything"})
    screen.process([message])
    assert message.get(SAFETY)["rule"] == FAILED


@pytest.mark.model
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("tengo calambres en la pierna por la noche", "es"),
        ("bonjour, j'ai des crampes au mollet chaque nuit", "fr"),
        ("ich habe seit gestern krämpfe in der wade", "de"),
        ("mam skurcze łydki w nocy, co robić", "pl"),
        ("bacağımda kramp var ne yapmalıyım", "tr"),
        ("my clf keps crampng at nite wot do i do", None),
        ("gluts r rock hard", None),
        ("back cramp after lifting", None),
    ],
)
def test_other_languages_are_told_from_misspelt_english(parse, text, language):
    result = parse(text)
    assert result.get("foreign_language") == language
    assert (result["intent"]["name"] == "nlu_fallback") == (language is not None)


@pytest.mark.model
@pytest.mark.parametrize(
    ("text", "intent"),
    [("👍🏽", "affirm"), ("👎🏼", "deny"), ("👋🏻", "greet"), ("🙏🏾🙏🏾", "thank"), ("🍕", "out_of_scope")],
)
def test_a_message_of_symbols_alone_is_understood(parse, text, intent):
    assert parse(text)["intent"]["name"] == intent
