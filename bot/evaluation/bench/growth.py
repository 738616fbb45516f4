"""Projects with more facts or more rules than ours: what grows with them is seen in a real turn."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

from bot.evaluation.bench.bots import Change, read_yaml, write_yaml

QUESTIONS_A_FACT = 2
WORDS_A_SENTENCE = (7, 12)


def more_facts(total: int) -> Change:
    """Gives a change that adds made-up facts until there are so many, each with questions of its own.

    A made-up fact has the tags of a real one, and its sentences are made of words that facts use, so that it comes
    into question as often as a real one.
    """

    def change(folder: Path) -> None:
        knowledge, chance = folder / "bot" / "knowledge", random.Random(0)
        files = {path: read_yaml(path)["facts"] for path in sorted((knowledge / "facts").glob("*.yml"))}
        real = [(path, fact) for path, facts in files.items() for fact in facts]
        words = sorted({word for _, fact in real for word in fact["text"].lower().rstrip(".").split()})

        def sentence() -> str:
            return " ".join(chance.choices(words, k=chance.randint(*WORDS_A_SENTENCE))).capitalize()

        questions = []
        for number, (path, fact) in zip(range(total - len(real)), itertools.cycle(real), strict=False):
            made = {name: value for name, value in fact.items() if name != "same_as"}
            made |= {"id": f"{fact['id']}-made-{number}", "text": f"{sentence()}."}
            files[path].append(made)
            questions.append({"fact": made["id"], "texts": [sentence() for _ in range(QUESTIONS_A_FACT)]})
        for path, facts in files.items():
            write_yaml(path, {"facts": facts})
        write_yaml(knowledge / "questions" / "made.yml", {"questions": questions})

    return change


def more_rules(times: int) -> Change:
    """Gives a change that multiplies the red-flag rules with their signs, and the dialogue rules with their intents."""

    def change(folder: Path) -> None:
        knowledge = folder / "bot" / "knowledge"
        _multiply_signs(knowledge / "signs.yml", times)
        for path in sorted((knowledge / "red_flags").glob("*.yml")):
            flags = read_yaml(path)["red_flags"]
            copies = [_copied(flag, number) for number in range(1, times) for flag in flags]
            write_yaml(path, {"red_flags": [*flags, *copies]})
        domain = read_yaml(folder / "domain.yml")
        intents = [f"made_{number}" for number in range((times - 1) * len(domain["intents"]))]
        domain["intents"] += intents
        write_yaml(folder / "domain.yml", domain)
        rules = [
            {"rule": f"{intent} is answered", "steps": [{"intent": intent}, {"action": "action_fall_back"}]}
            for intent in intents
        ]
        write_yaml(folder / "data" / "rules" / "made.yml", {"version": "3.1", "rules": rules})

    return change


def _multiply_signs(path: Path, times: int) -> None:
    data = read_yaml(path)
    signs = data["signs"]
    data["signs"] = [*signs, *({**sign, "id": f"{sign['id']}-{n}"} for n in range(1, times) for sign in signs)]
    write_yaml(path, data)


def _copied(flag: dict[str, Any], number: int) -> dict[str, Any]:
    """Gives a copy of a rule that looks for copies of its signs."""

    def renamed(place: str) -> str:
        names = (name.strip() for name in place.split("|"))
        return " | ".join(f"{name}-{number}" for name in names)

    conditions: dict[str, Any] = {
        key: [[renamed(place) for place in condition] for condition in flag[key]]
        for key in ("when", "unless")
        if key in flag
    }
    return {**flag, "id": f"{flag['id']}-{number}", **conditions}
