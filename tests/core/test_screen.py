"""The decision of the screen, on signs that only the test knows."""

from __future__ import annotations

import pytest

from bot.core.context import Category
from bot.core.screen import Condition, Finding, Rule, ScreenResult, Urgency, decide


def rule(name: str, urgency: Urgency, *when: str, unless: tuple[str, ...] = ()) -> Rule:
    def condition(text: str) -> Condition:
        return Condition(tuple(tuple(place.split("|")) for place in text.split("+")))

    return Rule(name, urgency, "reply", tuple(map(condition, when)), tuple(map(condition, unless)))


def found(*signs: str) -> list[Finding]:
    return [Finding(sign, place, place + 1) for place, sign in enumerate(signs)]


BOTH = rule("both", Urgency.URGENT, "back+fever|chills")


@pytest.mark.parametrize(
    ("signs", "fires"),
    [(("back", "fever"), True), (("chills", "back"), True), (("back",), False), (("fever",), False), ((), False)],
)
def test_all_places_of_a_condition_must_be_filled(signs, fires):
    assert bool(decide(found(*signs), [BOTH])) is fires


def test_cancelled_sign_does_not_count():
    findings = [Finding("back", 0, 1), Finding("fever", 2, 3, Category.NEGATED)]
    assert decide(findings, [BOTH]) == ()


def test_same_sign_once_denied_and_once_named_counts():
    findings = [Finding("pain", 0, 1, Category.NEGATED), Finding("pain", 4, 5)]
    assert decide(findings, [rule("one", Urgency.EMERGENCY, "pain")])


def test_unless_cancels_the_rule():
    chest = rule("chest", Urgency.EMERGENCY, "chest", unless=("gym",))
    assert decide(found("chest"), [chest])
    assert decide(found("chest", "gym"), [chest]) == ()


def test_denied_sign_can_be_asked_for():
    chest = rule("chest", Urgency.EMERGENCY, "chest", unless=("sore+no breathless",))
    denied = Finding("breathless", 5, 6, Category.NEGATED)
    assert decide(found("chest", "sore"), [chest])
    assert decide([*found("chest", "sore"), denied], [chest]) == ()


def test_worst_comes_first():
    rules = [
        rule("soon", Urgency.SOON, "a"),
        rule("now", Urgency.EMERGENCY, "a"),
        rule("line", Urgency.CRISIS, "a"),
    ]
    result = ScreenResult(decide(found("a"), rules))
    assert [hit.rule for hit in result.hits] == ["now", "line", "soon"]
    assert result.worst and result.worst.rule == "now"
    assert result.urgency is Urgency.EMERGENCY


def test_hit_carries_its_evidence():
    hit = decide(found("back", "fever"), [BOTH])[0]
    assert [(finding.sign, finding.start) for finding in hit.evidence] == [("back", 0), ("fever", 1)]


def test_result_without_hits_has_no_urgency():
    assert ScreenResult().worst is None
    assert ScreenResult().urgency is None
