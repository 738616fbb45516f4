"""The pipeline, the concepts and the clauses, on words as people type them."""

from __future__ import annotations

import pytest

from bot.language.clauses import clauses
from bot.language.concepts import load_finder
from bot.language.pipeline import read, respelled


def found(text: str, kind: str) -> list[str]:
    return [mention.id for mention in load_finder().find(read(text)) if mention.kind == kind]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("my calfs are cramping", "calf"),
        ("both calves went", "calf"),
        ("pain under the shoulderblades", "upper_back"),
        ("knot between my shoulder blades", "upper_back"),
        ("my tummy is in spasm", "abdomen"),
        ("lower bak gone", "back"),
        ("lowerback cramp", "back"),
        ("hamstring pinged", "thigh"),
        ("cramp in the back of my hand", "hand"),
        ("toes curl up", "foot"),
        ("my eylid wont stop twitching", "eye"),
        ("nekc is stuck", "neck"),
        ("shooting spasm in the bicep", "arm"),
    ],
)
def test_body_parts_are_found_however_they_are_written(text: str, place: str):
    assert found(text, "body_part")[:1] == [place]


@pytest.mark.parametrize(
    "text", ["the cramps keep coming back", "when can i go back to work", "on the other hand it works", "face it"]
)
def test_words_that_only_look_like_body_parts_are_left(text: str):
    assert found(text, "body_part") == []


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("calf cramp after gym", "exercise"),
        ("back went picking up a box", "lifting"),
        ("woke up at night with it", "sleep_night"),
        ("it goes when i sneeze", "sneezing_coughing"),
        ("sat at my desk all day", "sitting_posture"),
        ("so stressed about exams", "stress"),
        ("im dehydrated", "dehydration"),
    ],
)
def test_triggers_are_found(text: str, trigger: str):
    assert trigger in found(text, "trigger")


def test_place_beside_a_word_of_pain_comes_first():
    assert found("when i use my arm my neck goes into spasm", "body_part")[0] == "neck"


def test_excluded_place_is_left_out():
    assert found("not the foot, my calf", "body_part") == ["calf"]
    assert found("nothing in the chest, only the thigh", "body_part") == ["thigh"]
    assert found("no chest pain, it is my thigh", "body_part") == ["thigh"]


def test_part_of_an_illness_is_no_place():
    assert found("could it be stomach flu", "body_part") == []
    assert found("could it be stomach flu", "condition") == ["stomach_flu"]


def test_offsets_point_at_the_words():
    text = "My lowerback hurts"
    mention = next(m for m in load_finder().find(read(text)) if m.kind == "body_part")
    assert text[mention.start : mention.end].lower() == "lowerback"


@pytest.mark.parametrize("text", ["", " ", "\n", "😀", "İ" * 40, "a" * 5000, "\x00", "ﬁ", "‮abc"])
def test_reading_survives_any_text(text: str):
    load_finder().find(read(text))
    clauses(read(text))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hw do i stp it hapening agen", "how do i stop it happening again"),
        ("y do my clafs crmp wen i run", "why do my calfs cramp when i run"),
        ("wot shud i do tmrw", "what should i do tomorrow"),
        ("mscl in my shldr", "muscle in my shoulder"),
        ("y", "y"),
        ("n", "n"),
        ("urgent y/n", "urgent y/n"),
        ("hgv driver", "hgv driver"),
    ],
)
def test_what_is_written_on_a_phone_is_read(text: str, meant: str):
    assert respelled(read(text)) == meant


@pytest.mark.parametrize(
    ("text", "triggers"),
    [("it wasnt lifting, i was sat at my desk", ["sitting_posture"]), ("after lifting", ["lifting"])],
)
def test_what_did_not_set_it_off_is_left_out(text: str, triggers: list[str]):
    assert list(dict.fromkeys(found(text, "trigger"))) == triggers


def test_known_words_are_never_corrected():
    for text in ("stay calm", "the calm before", "half past two", "I can't bend"):
        assert respelled(read(text)) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("what causes it and how do i stop it", 2),
        ("back cramp after lifting", 1),
        ("I lifted a box. Now my back is stuck.", 2),
        ("neck and back spasm", 1),
    ],
)
def test_clauses(text: str, count: int):
    assert len(clauses(read(text))) == count
