"""What an editor wants to know (`make report`): what is asked most, what is not understood, which answers do not help.

It is made from counts (`bot.feedback`); every word in it is our own.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from bot.core import turn as t
from bot.errors import BotError
from bot.feedback import DOWN, FACT, INTENT, REPLY, UP, Asked, Count, Feedback
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.settings import read_settings

# Rows of a list, and questions named with a subject.
ROWS, EXAMPLES = 15, 3
UNLIKE = "(like no question that we know)"
Namer = Callable[[str], str]
REASONS = {
    "wrong": "wrong",
    "unclear": "unclear",
    "not_my_question": "not my question",
    "too_long": "too long",
    "worrying": "worrying",
}


class Report:
    """Writes the report of one set of counts."""

    def __init__(self, asked: Sequence[Asked], votes: Sequence[Count], k: Knowledge) -> None:
        """Keeps the counts, those of turns by kind."""
        self._k = k
        self._votes = votes
        self._asked: dict[str, Counter[str]] = defaultdict(Counter)
        for row in asked:
            self._asked[row.kind][row.id] += row.count
        self._subjects = _subjects(k)

    def text(self) -> str:
        """Gives the whole report as plain text."""
        replies = self._asked[REPLY]
        if not replies and not self._votes:
            return "Nothing was counted yet. Counting begins with the first message that the bot answers."
        kinds = ", ".join(f"{count} {kind}" for kind, count in replies.most_common())
        sections = (
            ("What is asked most", self._most(INTENT, self._intent)),
            ("What is told most", self._most(FACT, self._fact)),
            ("Not understood, by the nearest question that we know", self._clusters(t.NOT_UNDERSTOOD)),
            ("Understood, but nearest to what the documents do not answer", self._clusters(t.UNANSWERED)),
            ("Asked for by name, and not in the documents", self._most(t.NOT_COVERED, self._missing)),
            ("In another language", self._most(t.LANGUAGE, self._language)),
            ("Thumbs down, by kind of question", self._thumbs(INTENT, self._intent)),
            ("Thumbs down, by fact told", self._thumbs(FACT, self._fact)),
        )
        parts = [f"{replies.total()} replies: {kinds or 'none counted'}"]
        parts += ["\n".join([f"== {title}", *(rows or ["  nothing yet"])]) for title, rows in sections]
        return "\n\n".join([*parts, self._untold()])

    def _most(self, kind: str, name: Namer) -> list[str]:
        rows = self._asked[kind].most_common()
        return _cut([f"{count:7}  {name(id_)}" for id_, count in rows])

    def _clusters(self, kind: str) -> list[str]:
        """Gives the subjects of what was asked, each with the questions of ours that came nearest."""
        clusters: dict[str, Counter[str]] = defaultdict(Counter)
        for label, count in self._asked[kind].items():
            clusters[self._subjects.get(label, UNLIKE)][label] += count
        ordered = sorted(clusters.items(), key=lambda item: (-item[1].total(), item[0]))
        return _cut([_cluster(subject, questions) for subject, questions in ordered])

    def _thumbs(self, kind: str, name: Namer) -> list[str]:
        """Gives what got thumbs down, most of them first, with thumbs up and reasons."""
        down, up = self._voted(kind, DOWN), self._voted(kind, UP)
        reasons: dict[str, Counter[str]] = defaultdict(Counter)
        for vote in self._votes:
            if vote.kind == kind and vote.value == DOWN and vote.reason:
                reasons[vote.id][REASONS.get(vote.reason, vote.reason)] += vote.count
        ordered = sorted(down.items(), key=lambda item: (-item[1], up[item[0]], item[0]))
        return _cut(
            [
                f"{count:7} down, {up[id_]} up  {name(id_)}"
                + "".join(f"; {reason}: {times}" for reason, times in reasons[id_].most_common())
                for id_, count in ordered
            ]
        )

    def _voted(self, kind: str, value: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        for vote in self._votes:
            if vote.kind == kind and vote.value == value:
                counts[vote.id] += vote.count
        return counts

    def _untold(self) -> str:
        told = sum(1 for fact in self._k.facts if self._asked[FACT][fact])
        return f"{told} of {len(self._k.facts)} facts were told at least once."

    def _intent(self, intent: str) -> str:
        goal = next((goal for goal in self._k.goals.values() if goal.intent == intent), None)
        return f"{goal.button} ({intent})" if goal else intent

    def _fact(self, fact: str) -> str:
        known = self._k.facts.get(fact)
        return f"{fact}: {known.text}" if known else f"{fact} (no longer there)"

    def _missing(self, id_: str) -> str:
        known = self._k.not_covered.get(id_) or self._k.conditions.get(id_)
        return known.name if known else id_

    def _language(self, code: str) -> str:
        language = self._k.languages.get(code)
        return language.name if language else code


def _subjects(k: Knowledge) -> dict[str, str]:
    """Gives the subject of each known question: a topic of the facts, or one that the documents do not answer."""

    def told() -> Iterator[tuple[str, str]]:
        for fact in k.facts.values():
            for text in (fact.text, *k.questions.get(fact.id, ())):
                yield text, k.topics[fact.topic].name

    whole = {text: goal.heading for goal in k.goals.values() for text in goal.whole}
    return {**whole, **{text: f"not in the documents: {topic}" for text, topic in k.unanswered.items()}, **dict(told())}


def _cluster(subject: str, questions: Counter[str]) -> str:
    named = [question for question, _ in questions.most_common(EXAMPLES) if question]
    return f"{questions.total():7}  {subject}" + "".join(f"\n         - {question}" for question in named)


def _cut(rows: list[str]) -> list[str]:
    return [*rows[:ROWS], *([f"         and {len(rows) - ROWS} more"] if len(rows) > ROWS else [])]


def main() -> int:
    """Prints the report."""
    try:
        settings = read_settings()
        settings.state.mkdir(parents=True, exist_ok=True)
        counts = Feedback(settings.feedback_url)
        print(Report(counts.asked(), counts.counts(), load_knowledge()).text())
    except BotError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
