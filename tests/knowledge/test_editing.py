"""What docs/editing.md tells an editor to do works as it stands; a sixth document goes in by data alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from bot.core import dialogue
from bot.core.answering import Setting
from bot.core.turn import Mention, Source, State, Turn
from bot.document import note
from bot.errors import KnowledgeError
from bot.knowledge.loader import FOLDER, Knowledge, read_knowledge
from bot.knowledge.schema import Kind
from bot.language.encoder import load_encoder
from bot.language.pipeline import plain, read
from bot.language.retrieval import QuestionIndex
from bot.nlu.fact_retriever import FactRetriever, entries
from bot.train import ROOT

TEXT = """Spasms in people who play music

Holding a violin for hours with your chin makes the neck seize up, say three teachers at our school of music.
Gentle stretching after each piece keeps the muscles loose.
"""
PAGE = ROOT / "docs" / "editing.md"
_BLOCK = re.compile(r"```yaml\n# bot/knowledge/(\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the knowledge base, edited as docs/editing.md tells: all its examples are added to their files."""
    copy = tmp_path_factory.mktemp("edited") / "knowledge"
    shutil.copytree(FOLDER, copy)
    for name, block in _BLOCK.findall(PAGE.read_text()):
        with (copy / name).open("a") as stream:
            stream.write(block)
    (copy.parent / "music.txt").write_text(TEXT)
    note(copy.parent / "music.txt", copy)
    return copy


@pytest.fixture(scope="module")
def six(folder: Path) -> Knowledge:
    """The edited knowledge base; it has six documents."""
    return read_knowledge(folder)


def test_the_page_names_only_what_exists():
    text = PAGE.read_text()
    named = re.findall(r"`([\w/-]+\.(?:yml|md|py)|(?:bot|data|docs|evaluation|results)/[\w/.-]*)`", text)
    places = (ROOT, ROOT / "bot" / "knowledge")
    made = {"results/preview.html"}
    assert len(named) > 15 and not [
        name for name in named if name not in made and not any((p / name).exists() for p in places)
    ]
    makefile = (ROOT / "Makefile").read_text()
    assert not [target for target in re.findall(r"`make ([\w-]+)", text) if f"\n{target}:" not in makefile]
    assert set(get_args(Kind)) <= set(re.findall(r"[\w-]+", text))


def test_a_new_part_of_the_body_is_asked_about_and_answered(six: Knowledge):
    turn = Turn(("describe_problem",), (Mention("body_part", "scalp"),))
    reply, _ = dialogue.ask(turn, State(introduced=True), Setting(six, "NUMBER"))
    assert reply.body_part == "scalp" and "nothing on the scalp alone" in reply.text
    assert six.safety_nets["face"].text.split("}")[-1] in reply.text


def test_a_new_fact_is_told_when_it_is_asked_for(six: Knowledge):
    asked = replace(Turn(("ask_causes",)), facts=("d4-cause-example",))
    reply, _ = dialogue.ask(asked, State(introduced=True), Setting(six, "NUMBER"))
    assert six.facts["d4-cause-example"].text in reply.text


def test_it_is_read_and_counted(six: Knowledge, knowledge: Knowledge):
    assert set(six.facts) - set(knowledge.facts) == {"d4-cause-example", "d5-cause-violin", "d5-tx-stretch"}
    assert len(six.documents) == len(knowledge.documents) + 1 and "six documents" in six.phrases["assistant"]


def test_an_answer_tells_and_cites_it(six: Knowledge):
    asked = replace(Turn(("ask_causes",)), facts=("d5-cause-violin",))
    reply, state = dialogue.ask(asked, State(introduced=True), Setting(six, "NUMBER"))
    assert "hours with a violin under the chin. [1]" in reply.text and reply.facts[0] == "d5-cause-violin"
    assert reply.sources[0] == Source(1, "005_music.txt", "Spasms in People who Play Music", "Introduction")
    sources, _ = dialogue.sources(Turn(("ask_source",)), state, Setting(six, "NUMBER"))
    assert "Spasms in People who Play Music, Introduction" in sources.text


def test_what_it_shares_with_others_is_said_once_with_all_sources(six: Knowledge):
    lead = six.facts["d5-tx-stretch"].same_as
    asked = replace(Turn(("ask_treatment",)), facts=(lead,))
    reply, _ = dialogue.ask(asked, State(introduced=True), Setting(six, "NUMBER"))
    assert "d5-tx-stretch" in reply.facts and "005_music.txt" in {source.doc for source in reply.sources}
    assert six.facts["d5-tx-stretch"].text not in reply.text


def test_the_retriever_finds_it_in_other_words(six: Knowledge):
    # A part of the known questions is enough to tell it from others, and takes a part of the time.
    known = [entry for number, entry in enumerate(entries(six)) if number % 12 == 0 or entry[0].startswith("d5-")]
    index = QuestionIndex(known, load_encoder())
    text = plain(read("my neck locks after practising the violin"))
    found = index.compare(text, load_encoder().encode([text])[0]).ranked(4)
    assert FactRetriever(FactRetriever.get_default_config(), None, None).told(found) == ["d5-cause-violin"]


def test_its_sentences_must_not_be_taken_over(folder: Path, tmp_path: Path):
    copy = tmp_path / "knowledge"
    shutil.copytree(folder, copy)
    facts = copy / "facts" / "005.yml"
    own = "One source says that neck spasms can come from hours with a violin under the chin."
    facts.write_text(facts.read_text().replace(own, "Holding a violin for hours with your chin makes the neck stiff."))
    with pytest.raises(KnowledgeError, match=r"facts/005.yml: d5-cause-violin: text: shares 8 words in a row"):
        read_knowledge(copy)


def test_command_without_a_file_says_what_is_missing():
    command = [sys.executable, "-m", "bot.document", "nowhere.txt"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "make document FILE=text.txt" in done.stderr
