"""The learned screen: it adds warnings, takes none back, and reads long messages in parts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.nlu.learned_screen import EXAMPLES, LEARNED, read_examples

pytestmark = pytest.mark.model


def test_examples_are_enough_and_told_apart():
    danger, harmless = read_examples(EXAMPLES)
    assert len(danger) + len(harmless) >= 600 and len(harmless) >= len(danger)
    assert not set(danger) & set(harmless)


def test_what_a_rule_found_stands(parse: Callable[[str], dict]):
    result = parse("i have a crushing pain in my chest")
    assert result["safety"]["rule"] != LEARNED and result["intent"]["name"] == "red_flag"


def test_danger_late_in_a_long_story_is_seen(parse: Callable[[str], dict]):
    story = "we went to the garden centre on sunday and bought some lovely plants for the new border, " * 6
    ending = "and now dad is grey and sweating and clutching his chest"
    calm = parse(story)["danger_probability"]
    assert parse(story + ending)["danger_probability"] > calm


@pytest.mark.parametrize("text", ["", "   ", "😀", "123", "a" * 3000])
def test_any_text_is_survived(parse: Callable[[str], dict], text: str):
    assert 0 <= parse(text)["danger_probability"] <= 1
