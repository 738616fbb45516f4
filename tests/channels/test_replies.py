"""Long texts are cut where a reader would pause, and nothing gets lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.channels.replies import Reply, split, units


@given(st.text(), st.integers(2, 60))
def test_every_part_fits_and_no_word_is_lost(text: str, limit: int):
    parts = split(text, limit)
    assert all(0 < units(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_cut_between_paragraphs_then_lines_then_sentences_then_words():
    assert split("one two\n\nthree. four", 14) == ["one two", "three. four"]
    assert split("one two\nthree. four", 14) == ["one two", "three. four"]
    assert split("one two. three four", 14) == ["one two.", "three four"]
    assert split("one two three four", 14) == ["one two three", "four"]
    assert split("😀" * 5, 4) == ["😀😀", "😀😀", "😀"]


def test_telephone_link_is_written_only_if_the_text_lacks_it():
    links = [{"title": "Call 999", "url": "tel:999"}, {"title": "More", "url": "https://example.org"}]
    assert Reply("Call 999 now.", (), {"links": links}).plain == "Call 999 now."
    assert Reply("Help is near.", (), {"links": links}).plain == "Help is near.\nCall 999: 999"
