"""Every fact can be asked for: the conversations of docs/facts-reached.md, with the running bot."""

from __future__ import annotations

import pytest

from bot.evaluation.live import LiveBot
from bot.evaluation.reached import REPORT, brings, conversations
from bot.knowledge.loader import Knowledge

pytestmark = pytest.mark.server


def test_every_fact_is_brought_up_by_its_conversation(bot: LiveBot, knowledge: Knowledge):
    listed = conversations(REPORT.read_text())
    assert set(listed) == set(knowledge.facts), "run `make facts-reached`"
    lost = [f"{fact}: {talk}" for fact, talk in listed.items() if not brings(talk, fact, bot)]
    assert not lost, "run `make facts-reached`; if a fact stays lost, add questions for it"


def test_a_conversation_about_something_else_does_not_bring_a_fact(bot: LiveBot):
    assert not brings(("can stress cause spasms", "thank you"), "d4-tx-ice-48h", bot)
