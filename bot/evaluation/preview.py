"""Shows every answer for every part of the body as one page (`make preview`).

The answers are made as in a conversation that begins with the question, and with "more" until all is said. Reading
grade, length and what breaks the rules of wording are marked. Nothing is trained or started for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from bot.core import dialogue
from bot.core.answering import DESCRIBE, Setting
from bot.core.turn import BODY_PART, Answer, Mention, Source, State, Turn
from bot.errors import BotError
from bot.evaluation.wording import grade, lint, prose
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.knowledge.numbers import numbers
from bot.knowledge.schema import BodyPart, count_words
from bot.settings import read_settings
from bot.train import ROOT

PAGE = ROOT / "results" / "preview.html"
TEMPLATE = "preview.html.j2"
# shared rules of wording: a reply reads like a text for eleven-year-olds (PL-8) and fits a phone's screen.
MOST_GRADE, MOST_WORDS = 7.0, 130
# Replies to "more" that are shown for a part of the body; those that name none show all.
MOST_MORE = 6


@dataclass(frozen=True)
class Shown:
    """One reply on the page.

    Attributes:
        text: What it says, sources left out.
        kind: Its kind: an answer, or a question that comes before it.
        sources: Its sources.
        facts: Ids of the facts told.
        words: Its length, sources not counted.
        grade: Its reading grade (Flesch-Kincaid).
        faults: What breaks the rules of wording.
    """

    text: str
    kind: str
    sources: tuple[Source, ...]
    facts: tuple[str, ...]
    words: int
    grade: float
    faults: tuple[str, ...]

    @property
    def marks(self) -> tuple[str, ...]:
        """What an editor may want to look at."""
        hard = [f"reading grade over {MOST_GRADE:.0f}"] if self.grade > MOST_GRADE else []
        long = [f"over {MOST_WORDS} words"] if self.words > MOST_WORDS else []
        return (*hard, *long, *self.faults)


@dataclass(frozen=True)
class Conversation:
    """A question and what is said on it: the first replies, then those to "more", perhaps cut."""

    id: str
    title: str
    first: tuple[Shown, ...]
    more: tuple[Shown, ...]
    cut: bool

    @property
    def replies(self) -> tuple[Shown, ...]:
        """All of it, in order."""
        return (*self.first, *self.more)


@dataclass(frozen=True)
class Place:
    """A part of the body, or none, with the conversations about it."""

    id: str
    name: str
    conversations: tuple[Conversation, ...]


def places(setting: Setting, only: Sequence[str] | None = None) -> Iterator[Place]:
    """Gives every part of the body with its conversations, first those that name none.

    Args:
        setting: Knowledge base and emergency number.
        only: Ids of the parts to show, instead of all.
    """
    k = setting.k
    yield Place("any", "no part of the body named", _conversations("any", None, setting))
    for part in k.body_parts.values():
        if only is None or part.id in only:
            yield Place(part.id, part.name, _conversations(part.id, part, setting))


def _conversations(place: str, part: BodyPart | None, setting: Setting) -> tuple[Conversation, ...]:
    k = setting.k
    titles = {DESCRIBE: ("A described problem", "describe_problem")} if part else {}
    titles |= {goal.id: (goal.payload, goal.intent) for goal in k.goals.values()}
    return tuple(
        _conversation(f"{place}-{goal}", title, intent, part, setting) for goal, (title, intent) in titles.items()
    )


def _conversation(id_: str, title: str, intent: str, part: BodyPart | None, setting: Setting) -> Conversation:
    mentions = (Mention(BODY_PART, part.id),) if part else ()
    reply, state = dialogue.ask(Turn((intent,), mentions), State(introduced=True), setting)
    first = [reply]
    if reply.kind == "safety_check":
        reply, state = dialogue.check_denied(Turn(("deny",)), state, setting)
        first.append(reply)
    more: list[Answer] = []
    while (offered := _offers_more(reply, setting.k)) and not (part and len(more) == MOST_MORE):
        reply, state = dialogue.more(Turn(("ask_more",)), state, setting)
        more.append(reply)
    return Conversation(id_, title, tuple(map(_shown, first)), tuple(map(_shown, more)), cut=offered)


def _offers_more(reply: Answer, k: Knowledge) -> bool:
    return any(button.title == k.phrases["button_more"] for button in reply.buttons)


def _shown(reply: Answer) -> Shown:
    body = prose(reply.text)
    text = reply.text.split("\n\nSources:")[0]
    return Shown(text, reply.kind, reply.sources, reply.facts, count_words(body), grade(reply.text), lint(reply.text))


def page(shown: Sequence[Place], k: Knowledge) -> str:
    """Gives the page: self-contained HTML."""
    replies = [reply for place in shown for talk in place.conversations for reply in talk.replies]
    told = {fact for reply in replies for fact in reply.facts}
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return templates.get_template(TEMPLATE).render(
        places=shown,
        replies=len(replies),
        grade=median(reply.grade for reply in replies),
        words=median(reply.words for reply in replies),
        marked=[(place, talk) for place in shown for talk in place.conversations if any(r.marks for r in talk.replies)],
        untold=[fact for fact in k.facts.values() if fact.id not in told],
        facts=k.facts,
        most_grade=MOST_GRADE,
        most_words=MOST_WORDS,
    )


def main() -> int:
    """Writes the page."""
    try:
        k = load_knowledge()
        setting = Setting(k, numbers(read_settings().country).emergency_number)
    except BotError as error:
        print(error, file=sys.stderr)
        return 1
    shown = tuple(tqdm(places(setting), desc="parts of the body", total=len(k.body_parts) + 1, unit=""))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(shown, k), encoding="utf-8")
    print(f"The preview is in {PAGE.relative_to(ROOT)}; open it in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
