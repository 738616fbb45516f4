"""The page with every answer: complete, marked, without anything from outside, and accessible."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from bot.core.answering import Setting
from bot.evaluation import preview
from bot.evaluation.preview import MOST_MORE, Place, page, places
from bot.knowledge.loader import Knowledge


@pytest.fixture(scope="module")
def shown(setting: Setting) -> tuple[Place, ...]:
    return tuple(places(setting, ["calf", "chest"]))


@pytest.fixture(scope="module")
def html(shown: tuple[Place, ...], knowledge: Knowledge) -> str:
    return page(shown, knowledge)


def test_every_part_of_the_body_has_every_kind_of_question(setting: Setting, knowledge: Knowledge, monkeypatch):
    # Texts and grades are looked at in the other tests.
    monkeypatch.setattr(preview, "_conversations", lambda place, part, setting: (place, part and part.id))
    assert [place.id for place in places(setting)] == ["any", *knowledge.body_parts]


def test_conversations_cover_every_goal(shown: tuple[Place, ...], knowledge: Knowledge):
    _, chest, calf = shown
    for place in (chest, calf):
        assert [talk.id for talk in place.conversations] == [f"{place.id}-{g}" for g in ("describe", *knowledge.goals)]
    assert all(reply.text and reply.kind == "answer" for talk in calf.conversations for reply in talk.more)


def test_without_a_part_of_the_body_every_goal_is_told_to_its_end(shown: tuple[Place, ...]):
    assert not any(talk.cut for talk in shown[0].conversations)
    assert max(len(talk.more) for talk in shown[0].conversations) > MOST_MORE
    assert all(len(talk.more) <= MOST_MORE for place in shown[1:] for talk in place.conversations)


def test_safety_question_that_comes_first_is_shown_with_the_answer_after_it(shown: tuple[Place, ...]):
    first = next(talk for talk in shown[1].conversations if talk.id == "chest-treatment").first
    assert [reply.kind for reply in first] == ["safety_check", "answer"]


def test_replies_show_sources_grade_and_length(html: str, shown: tuple[Place, ...]):
    reply = next(talk for talk in shown[2].conversations if talk.id == "calf-causes").first[0]
    part = html.split('id="calf-causes"')[1].split("<h3")[0]
    assert f"Reading grade {reply.grade:.1f}, {reply.words} words." in part
    assert f'<li value="1">{reply.sources[0].title}, {reply.sources[0].section}</li>' in part
    assert all(f">{fact}</code>" in part for fact in reply.facts)


def test_what_is_hard_or_long_is_marked(setting: Setting):
    def marks(text: str) -> tuple[str, ...]:
        return preview._shown(preview.Answer("answer", text)).marks

    assert marks("Rest your leg. It may help.") == ()
    assert marks("Physiotherapeutic rehabilitation ameliorates musculoskeletal contractility.")[0].startswith("reading")
    assert marks("Rest your leg. " * 50) == ("over 130 words",)
    assert "REG-3" in marks("It helps 90% of people.")[0]


def test_every_link_leads_somewhere_and_nothing_comes_from_outside(html: str):
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids) and html.count("href=") == html.count('href="#')
    assert not re.search(r"<script|<link|<img|src=|url\(|https?://", html)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    shown: tuple[Place, ...], knowledge: Knowledge, tmp_path: Path, chromium: Browser, scheme: str
):
    (tmp_path / "preview.html").write_text(page(shown[1:2], knowledge))  # axe takes long over more of them
    tab = chromium.new_page(color_scheme=scheme, viewport={"width": 320, "height": 800})
    tab.goto((tmp_path / "preview.html").as_uri())
    assert not Axe().run(tab).response["violations"]
    assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth")
    tab.close()
