"""Whatever is asked in whatever state: a reply with its caveats, never empty, and a state that can be stored."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core import asides
from bot.core import dialogue as d
from bot.core import turn as t
from bot.core.answering import Setting
from bot.core.known import known
from bot.core.turn import Mention, State, Turn
from bot.knowledge.loader import load_knowledge

K = load_knowledge()
SETTING = Setting(K, "NUMBER")
MOVES = (
    *(d.ask, d.inform, d.more, d.affirm, d.deny, d.negative_feedback, d.decline, d.sources, d.fallback, d.small_talk),
    *(d.hand_off, asides.restart, d.no_alarm, d.not_sure),
    *(
        d.why_asking,
        asides.ask_country,
        asides.country_set,
        asides.summary,
        asides.shorter,
        d.meaning,
        d.check_denied,
        asides.certainty,
    ),
)
INTENTS = yaml.safe_load((Path(__file__).resolve().parents[2] / "domain.yml").read_text())["intents"]
IDS = {
    t.BODY_PART: list(K.body_parts),
    t.TRIGGER: list(K.triggers),
    t.CONDITION: list(K.conditions),
    t.MEDICINE: list(K.medicines),
    t.TOPIC: list(K.topics),
    t.NOT_COVERED: list(K.not_covered),
    t.TERM: list(K.glossary),
    t.ORDINAL: ["1", "2", "9", "-1", "last", "x"],
    t.COUNTRY: ["gb", "us", "xx"],
    t.CUE: ["correction", "nothing_at_all", "certainty", "denies_signs", "x"],
    t.DURATION: [concept.id for concept in K.measures["durations"]],
    t.SEVERITY: [concept.id for concept in K.measures["severity"]],
    t.SIDE: [concept.id for concept in K.measures["sides"]],
}
MENTIONS = st.sampled_from([(kind, id_) for kind, ids in IDS.items() for id_ in ids]).map(lambda each: Mention(*each))
FACTS = st.sampled_from(sorted(K.facts))
TURNS = st.builds(
    Turn,
    intents=st.lists(st.sampled_from(INTENTS), min_size=1, max_size=3).map(tuple),
    mentions=st.lists(MENTIONS, max_size=5).map(tuple),
    facts=st.lists(FACTS, max_size=3).map(tuple),
    silent=st.booleans(),
    guesses=st.lists(st.sampled_from(INTENTS), max_size=3).map(tuple),
    language=st.sampled_from(["", "", "", *K.languages, "xx"]),
)
ANYTHING = st.one_of(
    st.text(max_size=8),
    FACTS,
    st.sampled_from([id_ for ids in IDS.values() for id_ in ids]),
    st.sampled_from([*K.goals]),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
RUBBISH = st.fixed_dictionaries({}, optional={
    **{name: st.lists(ANYTHING, max_size=4) for name, value in State().__dict__.items() if isinstance(value, tuple)},
    **{name: ANYTHING for name, value in State().__dict__.items() if isinstance(value, str)},
    "asked_place": st.booleans(), "introduced": st.booleans(), "answers": st.integers(-5, 50),
})  # fmt: skip


def check(move, turn: Turn, state: State) -> State:
    reply, after = move(turn, state, SETTING)
    about = (move.__name__, turn, state, reply.text)
    assert reply.text.strip(), about
    assert "{" not in reply.text and "None" not in reply.text, about
    assert all(button.title.strip() and button.payload.strip() for button in reply.buttons), about
    assert not any(button.payload.lstrip().startswith("/") for button in reply.buttons), about
    if move is not d.sources:  # it names the sources of what was told, and tells nothing
        due = {caution for fact in reply.facts for caution in K.cautions_of.get(fact, ())}
        assert due <= set(reply.cautions), about
    json.dumps(reply.custom())
    assert State.from_json(json.loads(json.dumps(after.to_json()))) == after, about
    return after


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(MOVES), TURNS), min_size=1, max_size=6))
def test_any_conversation_is_answered(steps):
    state = State()
    for move, turn in steps:
        state = check(move, turn, state)


@settings(max_examples=150, deadline=None)
@given(RUBBISH, st.sampled_from(MOVES), TURNS)
def test_a_state_of_another_version_or_of_nobody_is_answered(stored, move, turn):
    check(move, turn, known(State.from_json(stored), K))


@settings(max_examples=60, deadline=None)
@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_is_a_state(stored):
    assert isinstance(known(State.from_json(stored), K), State)
