"""Writes the files under data/generated/ from the knowledge base (`python -m bot.generate [--check]`)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.core import checks
from bot.knowledge.loader import Knowledge, load_knowledge
from bot.knowledge.safety import Reply, load_safety
from bot.knowledge.schema import SafetyQuestion

ROOT = Path(__file__).resolve().parents[1]
RESPONSES = ROOT / "data" / "generated" / "red_flag_responses.yml"
HEADER = "# Made from bot/knowledge/red_flag_replies.yml and safety_nets.yml by `make knowledge`; do not edit.\n"
FAILED = "screen-failed"


class _Plain(yaml.SafeDumper):
    """Writes no YAML aliases: Rasa's reader loses them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Repeats what is equal (see parent)."""
        return True


def red_flag_responses() -> str:
    """Gives the domain responses of all safety replies and safety questions, one variation each, as YAML."""
    k = load_knowledge()
    variations = [_warning(reply, k.phrases) for reply in load_safety().replies]
    variations += [_question(net.id, net.question, k) for net in k.safety_nets.values() if net.question]
    plain = {"text": k.phrases["failure"], "custom": _custom("emergency")}
    unserved = {"text": k.phrases["failure"], "custom": {**_custom("fallback"), "intents": [], "rule": None}}
    failed = {"condition": [_when(FAILED)], **plain}
    data = {
        "version": "3.1",
        "responses": {"utter_red_flag": [plain, failed, *variations], "utter_default": [unserved]},
    }
    return HEADER + yaml.dump(data, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


def _warning(reply: Reply, phrases: Mapping[str, str]) -> dict[str, Any]:
    now = reply.kind != "urgent"
    keys = ("button_call", "button_false_alarm", "button_country") if now else ("button_false_alarm",)
    link = {"title": phrases["link_call"], "url": "tel:{tel}"}
    return {
        "condition": [_when(reply.id)],
        "text": "\n".join([reply.text, *(f"• {bullet}" for bullet in reply.bullets)]),
        "buttons": _buttons([phrases[key] for key in keys]),
        "custom": {**_custom(reply.kind), "links": [link] if now else []},
    }


def _question(region: str, question: SafetyQuestion, k: Knowledge) -> dict[str, Any]:
    titles = [*(button.title for button in checks.buttons(k)), k.phrases["button_why"]]
    return {
        "condition": [_when(checks.CHECK + region)],
        "text": question.ask,
        "buttons": _buttons(titles),
        "custom": {**_custom("safety_check"), "safety_question": region},
    }


def _buttons(titles: Iterable[str]) -> list[dict[str, str]]:
    """Gives buttons that send their own words."""
    return [{"title": title, "payload": title} for title in titles]


def _when(reply: str) -> dict[str, str]:
    return {"type": "slot", "name": "safety_reply", "value": reply}


def _custom(kind: str) -> dict[str, Any]:
    return {
        "version": 1,
        "kind": kind,
        "intents": ["red_flag"],
        "body_part": None,
        "trigger": None,
        "facts": [],
        "sources": [],
        "rule": "{safety_rule}",
        "safety_question": None,
        "emergency_number": "{emergency_number}",
        "understood": None,
        "disclaimer": None,
    }


def main() -> int:
    """Writes the files, or with --check tells whether they are up to date."""
    fresh = red_flag_responses()
    if "--check" in sys.argv:
        if RESPONSES.exists() and RESPONSES.read_text(encoding="utf-8") == fresh:
            return 0
        print(f"{RESPONSES.relative_to(ROOT)} is not up to date; run `make knowledge`.")
        return 1
    RESPONSES.parent.mkdir(parents=True, exist_ok=True)
    RESPONSES.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
